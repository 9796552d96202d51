/**
 * One segment of the log while it is written: a file, how far it is written, how far it is known to be on disk.
 *
 * Bytes go to explicit offsets (pwrite), whole hand-overs at a time. A write that fails for want of room is cut back to
 * the end of the last whole one, so that the file never ends in half a record of a running process; the caller keeps the
 * bytes and tries again. Owner's thread; a worker that fsyncs the same file does so through a descriptor of its own.
 */
import { assert } from '../base/assert.ts';
import { busy, systemCode, VarveError } from '../base/errors.ts';
import { type FileHandle, type FileSystem, readFully, writeFully } from '../fs/file-system.ts';

/** A segment as the engine sees it: for stats, for release, and from recovery to the log that goes on. */
export interface LogSegment {
  readonly number: number;
  readonly path: string;
  /** Sequence of the first data record that is, or would be, in it. */
  readonly firstSequence: number;
  /** Sequence of the last data record up to its end; below firstSequence when it holds none. */
  readonly lastSequence: number;
  /** Bytes of its records; the file may be longer when it was recycled. */
  readonly bytes: number;
}

/** True for the errors of a full disk or quota, which are waited out. */
export function isFull(error: unknown): boolean {
  const system = systemCode(error);
  return system === 'ENOSPC' || system === 'EDQUOT';
}

/** What a write is refused with while the disk is full. */
export function diskFull(path: string, cause: unknown): VarveError {
  return busy(
    'DISK_FULL',
    `the disk is full; the log can not grow (${path})`,
    { reason: 'disk-full', file: path },
    cause,
  );
}

export class SegmentWriter implements LogSegment {
  readonly number: number;
  readonly path: string;
  readonly firstSequence: number;
  lastSequence: number;
  /** Bytes handed to the system. */
  bytes = 0;
  /** Bytes known to be on disk. */
  syncedBytes = 0;
  /** Stored time of its last record; undefined while it is written. */
  endTime: number | undefined;
  #file: FileHandle | undefined;

  private constructor(number: number, file: FileHandle, lastSequence: number) {
    this.number = number;
    this.path = file.path;
    this.firstSequence = lastSequence + 1;
    this.lastSequence = lastSequence;
    this.#file = file;
  }

  /** Creates the file at `path`, or makes the released segment `spare` that file. The name is not on disk yet. */
  static open(
    fs: FileSystem,
    number: number,
    path: string,
    lastSequence: number,
    spare: SegmentWriter | undefined,
  ): SegmentWriter {
    if (spare === undefined) return new SegmentWriter(number, fs.open(path, 'create'), lastSequence);
    assert(fs.status(path) === undefined, `log segment ${path} is there already`);
    spare.close();
    fs.rename(spare.path, path);
    return new SegmentWriter(number, fs.open(path, 'readWrite'), lastSequence);
  }

  /** The segment that another thread of this process has made and may still write, through a descriptor of this thread's. */
  static join(fs: FileSystem, number: number, path: string, lastSequence: number): SegmentWriter {
    return new SegmentWriter(number, fs.open(path, 'readWrite'), lastSequence);
  }

  get isSynced(): boolean {
    return this.syncedBytes >= this.bytes;
  }

  /** Appends [start, end); after a failure nothing of it counts, and as far as the system lets us nothing is left. */
  write(bytes: Uint8Array, start: number, end: number): void {
    writeFully(this.#open(), bytes, start, end, this.bytes);
    this.bytes += end - start;
  }

  /** Takes back what was written past `length`, at best: the next write goes to the same place anyway. */
  cut(length: number): void {
    this.bytes = length;
    try {
      this.#open().truncate(length);
    } catch {
      // The write that failed is what the caller reports.
    }
  }

  /** Brings the bytes to disk on this thread. After a failure nothing is known of what is on disk. */
  sync(): void {
    try {
      this.#open().dataSync();
    } catch (cause) {
      if (!(cause instanceof VarveError)) throw cause;
      // Not an ordinary io error: even ENOSPC from fsync may have lost bytes, so it must never look like a full disk.
      const context = { file: this.path, cause: systemCode(cause) };
      throw new VarveError('io', 'SYNC_FAILED', `the log could not be synced (${this.path})`, context, {
        cause,
      });
    }
  }

  /** Fills `target` with what was written at `offset`. */
  read(target: Uint8Array, offset: number): void {
    const length = readFully(this.#open(), target, 0, target.length, offset);
    assert(length === target.length, 'what was handed over can be read back');
  }

  /** Closes the descriptor; idempotent. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #open(): FileHandle {
    assert(this.#file !== undefined, `log segment ${this.path} is closed`);
    return this.#file;
  }
}
