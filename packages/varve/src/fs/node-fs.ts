/**
 * The real file system, by the synchronous calls of `node:fs`.
 *
 * Files are read by pread; the tables of a database can be read in other ways (table-reads.ts), which begin in
 * node-reads.ts.
 * Directories can not be synced on Windows; there the call is a no-op (docs/internals/assumptions.md).
 */
import * as nodeFs from 'node:fs';
import { ioError, systemCode } from '../base/errors.ts';
import type { DirectoryLock, FileHandle, FileStatus, FileSystem, OpenMode } from './file-system.ts';
import { lockDirectory } from './lock.ts';
import { openNode, run } from './node-handle.ts';
import { nodeReads } from './node-reads.ts';

const flags: Readonly<Record<OpenMode, string>> = { read: 'r', readWrite: 'r+', create: 'wx+' };

class NodeFs implements FileSystem {
  readonly name = 'node';
  readonly threads = 'node';
  readonly otherReads = nodeReads;

  open(path: string, mode: OpenMode): FileHandle {
    return openNode(path, flags[mode]);
  }

  status(path: string): FileStatus | undefined {
    const found = statusOf(path);
    if (found === undefined) return undefined;
    const kind = found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other';
    return { kind, size: found.size, inode: found.ino };
  }

  list(path: string): string[] {
    return run('scandir', path, () => nodeFs.readdirSync(path)).sort();
  }

  makeDirectory(path: string): void {
    run('mkdir', path, () => nodeFs.mkdirSync(path, { recursive: true }));
  }

  remove(path: string): void {
    run('unlink', path, () => nodeFs.unlinkSync(path));
  }

  removeDirectory(path: string): void {
    run('rmdir', path, () => nodeFs.rmdirSync(path));
  }

  rename(from: string, to: string): void {
    run('rename', from, () => nodeFs.renameSync(from, to));
  }

  link(from: string, to: string): void {
    run('link', from, () => nodeFs.linkSync(from, to));
  }

  syncDirectory(path: string): void {
    if (process.platform === 'win32') return;
    run('fsync', path, () => {
      const descriptor = nodeFs.openSync(path, nodeFs.constants.O_RDONLY | nodeFs.constants.O_DIRECTORY);
      try {
        nodeFs.fsyncSync(descriptor);
      } finally {
        nodeFs.closeSync(descriptor);
      }
    });
  }

  lock(directory: string): Promise<DirectoryLock> {
    return lockDirectory(directory);
  }
}

/** The file system of the machine; stateless, so there is one. */
export const nodeFileSystem: FileSystem = new NodeFs();

function statusOf(path: string): nodeFs.Stats | undefined {
  try {
    return nodeFs.statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // Through a file: newer releases of Node answer undefined, older ones throw.
    if (systemCode(error) === 'ENOTDIR') return undefined;
    throw ioError('stat', path, error);
  }
}
