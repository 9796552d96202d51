/**
 * `db.checkpoint(path)`: a copy that opens as a database of its own. Tables are immutable and hard-linked (copied where the
 * file system has no links, or across disks); the log is copied up to a record boundary; the manifest is written anew.
 *
 * The state is fixed in one step on the owner's thread: log handed over, tables linked, log segments opened. Segments are
 * only ever appended to until they are released, and while we read none is recycled, so copying them may take its time.
 * The manifest comes last, when everything that it names is on disk: what a crash or a failure leaves of a checkpoint has
 * none and does not open. A failure leaves the target directory for the caller to remove.
 */
import { resolve, sep } from 'node:path';
import { invalid, systemCode } from '../base/errors.ts';
import type { Core } from '../engine/core.ts';
import { makeDurableDirectory } from '../fs/durable-directory.ts';
import { blobName, inDirectory, logName, tableName } from '../fs/file-names.ts';
import { type FileHandle, type FileSystem, readFully, writeFully } from '../fs/file-system.ts';
import { createManifest } from '../manifest/manifest-file.ts';
import type { Version } from '../manifest/version.ts';

const COPY_BYTES = 1024 * 1024;

interface LogCopy {
  readonly number: number;
  readonly source: FileHandle;
  readonly bytes: number;
}

export async function checkpoint(core: Core, path: string): Promise<void> {
  const { fs } = core;
  if (typeof path !== 'string' || path === '') {
    throw invalid('PATH_INVALID', 'checkpoint takes the path of a new directory', { got: typeof path });
  }
  const { readOnly, log, fileSystem } = core.options;
  if (readOnly)
    throw invalid('READ_ONLY', 'a checkpoint needs a database that is open for writing', { path });
  if (fs.threads === 'none' && fileSystem === undefined) {
    throw invalid('MEMORY_ONLY', "a ':memory:' database has no files that a checkpoint could copy", { path });
  }
  // With an outside log there is no log to copy: the checkpoint is what is in tables, and says up to which position.
  if (log === 'external') await core.background.flush();
  const target = fs.threads === 'node' ? resolve(path).replaceAll(sep, '/') : path;
  const status = fs.status(target);
  if (status !== undefined && (status.kind !== 'directory' || fs.list(target).length > 0)) {
    throw invalid('EXISTS', `${path} is there already; a checkpoint makes its own directory`, { path });
  }
  makeDurableDirectory(fs, target);
  const unpin = core.log?.pin();
  const logs: LogCopy[] = [];
  try {
    const version = takeState(core, target, logs);
    for (const log of logs) await copyLog(core, log, target);
    // Last, when all that it names is on disk: a checkpoint that was not finished does not open.
    fs.syncDirectory(target);
    createManifest(fs, target, version.nextFileNumber - 1, version);
  } finally {
    unpin?.();
    for (const log of logs) log.source.close();
  }
}

// ATOMIC: version, tables and the end of the log belong together.
function takeState(core: Core, target: string, logs: LogCopy[]): Version {
  const { fs, installer, log } = core;
  core.durability?.syncNow('os');
  const { current: version } = installer;
  for (const keyspace of version.keyspaces.values()) {
    const tables = keyspace.levels.flat().map((file) => tableName(file.number));
    for (const name of [...tables, ...[...keyspace.blobs.keys()].map(blobName)]) {
      linkOrCopy(fs, inDirectory(core.state.path, name), inDirectory(target, name));
    }
  }
  const number = Number(Atomics.add(new BigInt64Array(core.fileNumbers), 0, 1n));
  for (const { number: segment, path, bytes } of log?.segments() ?? []) {
    logs.push({ number: segment, source: fs.open(path, 'read'), bytes });
  }
  return { ...version, nextFileNumber: number + 1 };
}

async function copyLog(core: Core, log: LogCopy, target: string): Promise<void> {
  const { fs, scheduler } = core;
  const file = fs.open(inDirectory(target, logName(log.number)), 'create');
  try {
    const buffer = new Uint8Array(COPY_BYTES);
    for (let at = 0; at < log.bytes; ) {
      const got = readFully(log.source, buffer, 0, Math.min(buffer.length, log.bytes - at), at);
      if (got === 0) break;
      writeFully(file, buffer, 0, got, at);
      at += got;
      await new Promise<void>((done) => scheduler.soon(done));
    }
    file.sync();
  } finally {
    file.close();
  }
}

function linkOrCopy(fs: FileSystem, from: string, to: string): void {
  try {
    fs.link(from, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK', 'ENOSYS'].includes(systemCode(error))) throw error;
    const source = fs.open(from, 'read');
    const copy = fs.open(to, 'create');
    try {
      const buffer = new Uint8Array(COPY_BYTES);
      for (let at = 0; ; ) {
        const got = readFully(source, buffer, 0, buffer.length, at);
        if (got === 0) break;
        writeFully(copy, buffer, 0, got, at);
        at += got;
      }
      copy.sync();
    } finally {
      source.close();
      copy.close();
    }
  }
}
