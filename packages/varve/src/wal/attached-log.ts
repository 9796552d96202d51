/**
 * The log as a thread sees it that shares another thread's database: it appends records and hands the buffer over, with a
 * descriptor of its own; the owner begins segments, releases them, and brings them to disk.
 *
 * All methods but the getters are called with the write lock. `unsynced` and `markSynced` are for an fsync by the owner, which
 * notes in the shared tail itself how far it came.
 */
import { closed, systemCode } from '../base/errors.ts';
import { inDirectory, logName, parseFileName } from '../fs/file-names.ts';
import type { FileSystem } from '../fs/file-system.ts';
import type { EncodedOperation } from '../record/batch.ts';
import { LogBuffer } from './log-buffer.ts';
import type { DurableLog, UnsyncedLog } from './log-options.ts';
import { LogWriter } from './log-writer.ts';
import { SegmentWriter } from './segment-writer.ts';
import { SharedTail, type TailWords } from './shared-tail.ts';

/** The log in a share handle: structured-cloneable. */
export interface LogHandle {
  readonly buffer: SharedArrayBuffer;
  readonly tail: SharedArrayBuffer;
  readonly incarnation: number;
  readonly timestamps: boolean;
  readonly segmentBytes: number;
}

export interface AttachedLogOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly handle: LogHandle;
  readonly counters: { log: number };
  /** The current segment is longer than it should get. */
  readonly segmentFull: () => void;
  /** Before and after every write to a file: throws when the owner of the database is gone. */
  readonly checkOwner: () => void;
}

export class AttachedLog implements DurableLog {
  readonly #options: AttachedLogOptions;
  readonly #tail: SharedTail;
  readonly writer: LogWriter;
  #segment: SegmentWriter | undefined;

  constructor(options: AttachedLogOptions) {
    const { handle, counters, segmentFull, checkOwner } = options;
    this.#options = options;
    this.#tail = new SharedTail(handle.tail);
    const buffer = new LogBuffer(
      handle.buffer.byteLength,
      handle.incarnation,
      handle.timestamps,
      handle.buffer,
    );
    const segments = { full: segmentFull, follow: this.#follow, checkOwner };
    const start = { segment: 0, offset: 0 };
    this.writer = new LogWriter(buffer, handle.segmentBytes, counters, segments, start, 0);
    this.writer.share(this.#tail);
  }

  /** What the tail says; also without the lock, and then perhaps of a moment ago. */
  get tail(): TailWords {
    return this.#tail.load();
  }

  get lastSequence(): number {
    return this.writer.lastSequence;
  }

  /** Stored time of the newest batch that was appended. */
  get lastTime(): number {
    return this.writer.lastTime;
  }

  get handedOverSequence(): number {
    return this.writer.handedOverSequence;
  }

  get syncedSequence(): number {
    return this.writer.syncedSequence;
  }

  get diskFull(): boolean {
    return this.writer.isDiskFull;
  }

  get operationBytesMax(): number {
    return this.writer.operationBytesMax;
  }

  load(): void {
    this.writer.load();
  }

  append(kind: number, sequence: number, timeMs: number, body: Uint8Array, start: number, end: number): void {
    this.writer.append(kind, sequence, timeMs, body, start, end);
  }

  appendOperation(
    sequence: number,
    timeMs: number,
    kind: number,
    keyspaceId: number,
    key: Uint8Array,
    value: Uint8Array,
  ): EncodedOperation {
    return this.writer.appendOperation(sequence, timeMs, kind, keyspaceId, key, value);
  }

  takeBack(): boolean {
    return this.writer.takeBack();
  }

  /** The owner seals the log. */
  writeMarker(): void {
    // Nothing to do in this thread.
  }

  handOver(): void {
    this.writer.handOver();
  }

  /** What the owner is asked to bring to disk: everything that is handed over now. */
  unsynced(): UnsyncedLog {
    const { handedOver, handedOverSequence, syncedSequence, current } = this.writer;
    const paths = current === undefined || handedOverSequence <= syncedSequence ? [] : [current.path];
    return { paths, directory: undefined, upTo: handedOver, sequence: handedOverSequence };
  }

  markSynced(): void {
    // The owner has noted it in the tail.
  }

  /** Hands over and fsyncs on this thread. A failure of the fsync (`SYNC_FAILED`, kind io) is final. */
  syncNow(): void {
    const { writer } = this;
    writer.handOver();
    try {
      if (writer.isOlderUnsynced) this.#syncOlder();
      writer.current?.sync();
      if (writer.isDirectoryUnsynced) this.#options.fs.syncDirectory(this.#options.directory);
    } catch (error) {
      writer.failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
    writer.isOlderUnsynced = false;
    writer.isDirectoryUnsynced = false;
    writer.synced(writer.handedOver, writer.handedOverSequence);
  }

  /**
   * Brings the segments before the current one to disk, and the names: the owner, who would do so too, can not while this
   * thread has the write lock.
   */
  #syncOlder(): void {
    const { fs, directory } = this.#options;
    const { current, buffer } = this.writer;
    for (const name of fs.list(directory)) {
      const file = parseFileName(name);
      if (file?.kind !== 'log' || file.number < buffer.syncedSegment || file.number >= current!.number)
        continue;
      this.#syncSegment(file.number, inDirectory(directory, name));
    }
  }

  #syncSegment(number: number, path: string): void {
    let segment: SegmentWriter;
    try {
      segment = SegmentWriter.join(this.#options.fs, number, path, 0);
    } catch (error) {
      // All that it held is in tables: it was released, and is removed just now.
      if (systemCode(error) === 'ENOENT') return;
      throw error;
    }
    try {
      segment.sync();
    } finally {
      segment.close();
    }
  }

  /** The body of the last batch record: what a writer that died in the middle has left to be applied. */
  lastRecord(): { bytes: Uint8Array; start: number; end: number } {
    return lastRecordOf(this.#tail.load(), this.writer);
  }

  /** Closes this thread's descriptor. */
  close(): void {
    this.writer.failure ??= closed('the log');
    this.#segment?.close();
  }

  readonly #follow = (number: number, lastSequence: number): SegmentWriter => {
    this.#segment?.close();
    const { fs, directory } = this.#options;
    const path = inDirectory(directory, logName(number));
    this.#segment = SegmentWriter.join(fs, number, path, lastSequence);
    return this.#segment;
  };
}

/** See `AttachedLog.lastRecord`; for the owner's log too. Reads the body from the file when it went past the buffer. */
export function lastRecordOf(
  tail: TailWords,
  writer: LogWriter,
): { bytes: Uint8Array; start: number; end: number } {
  const { recordAt, recordLength, recordOffset } = tail;
  if (recordAt >= 0) return { bytes: writer.buffer.bytes, start: recordAt, end: recordAt + recordLength };
  const bytes = new Uint8Array(recordLength);
  writer.current!.read(bytes, recordOffset);
  return { bytes, start: 0, end: recordLength };
}
