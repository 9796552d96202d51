/**
 * The real file system, by the synchronous calls of `node:fs`.
 *
 * Every write goes to an explicit position (pwrite), so several threads can hold descriptors of one file. A descriptor is
 * used and closed by the thread that opened it. A closed handle answers EBADF itself: its number may already belong to
 * another file. Directories can not be synced on Windows; there the call is a no-op (docs/internals/assumptions.md).
 */
import * as nodeFs from 'node:fs';
import { ioError, systemCode } from '../base/errors.ts';
import type { DirectoryLock, FileHandle, FileStatus, FileSystem, OpenMode } from './file-system.ts';
import { lockDirectory } from './lock.ts';
import { systemFailure } from './system-error.ts';

const flags: Readonly<Record<OpenMode, string>> = { read: 'r', readWrite: 'r+', create: 'wx+' };

class NodeFs implements FileSystem {
  readonly name = 'node';
  readonly threads = 'node';

  open(path: string, mode: OpenMode): FileHandle {
    return new NodeHandle(
      path,
      run('open', path, () => nodeFs.openSync(path, flags[mode])),
    );
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

class NodeHandle implements FileHandle {
  readonly path: string;
  #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  // Not through `run`: a closure per block read or log hand-over is what the short-lived heap does not need.
  read(target: Uint8Array, offset: number, length: number, position: number): number {
    if (this.#descriptor < 0) throw systemFailure('EBADF', 'read', this.path);
    try {
      return nodeFs.readSync(this.#descriptor, target, offset, length, position);
    } catch (error) {
      throw ioError('read', this.path, error);
    }
  }

  write(source: Uint8Array, offset: number, length: number, position: number): number {
    if (this.#descriptor < 0) throw systemFailure('EBADF', 'write', this.path);
    try {
      return nodeFs.writeSync(this.#descriptor, source, offset, length, position);
    } catch (error) {
      throw ioError('write', this.path, error);
    }
  }

  size(): number {
    return this.#run('fstat', (descriptor) => nodeFs.fstatSync(descriptor).size);
  }

  truncate(length: number): void {
    this.#run('ftruncate', (descriptor) => nodeFs.ftruncateSync(descriptor, length));
  }

  sync(): void {
    this.#run('fsync', nodeFs.fsyncSync);
  }

  dataSync(): void {
    this.#run('fdatasync', nodeFs.fdatasyncSync);
  }

  close(): void {
    if (this.#descriptor < 0) return;
    const descriptor = this.#descriptor;
    this.#descriptor = -1;
    run('close', this.path, () => nodeFs.closeSync(descriptor));
  }

  #run<T>(operation: string, call: (descriptor: number) => T): T {
    const descriptor = this.#descriptor;
    if (descriptor < 0) throw systemFailure('EBADF', operation, this.path);
    return run(operation, this.path, () => call(descriptor));
  }
}

function statusOf(path: string): nodeFs.Stats | undefined {
  try {
    return nodeFs.statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // Through a file: newer releases of Node answer undefined, older ones throw.
    if (systemCode(error) === 'ENOTDIR') return undefined;
    throw ioError('stat', path, error);
  }
}

function run<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ioError(operation, path, error);
  }
}
