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
import { LogBuffer } from './log-buffer.ts';
import { LogFront } from './log-front.ts';
import type { UnsyncedLog } from './log-options.ts';
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

export class AttachedLog extends LogFront {
  readonly #options: AttachedLogOptions;
  readonly #tail: SharedTail;
  #segment: SegmentWriter | undefined;

  constructor(options: AttachedLogOptions) {
    const { handle, counters, segmentFull, checkOwner } = options;
    const buffer = new LogBuffer(
      handle.buffer.byteLength,
      handle.incarnation,
      handle.timestamps,
      handle.buffer,
    );
    const segments = {
      full: segmentFull,
      follow: (number: number, lastSequence: number) => this.#follow(number, lastSequence),
      checkOwner,
    };
    super(new LogWriter(buffer, handle.segmentBytes, counters, segments, { segment: 0, offset: 0 }, 0));
    this.#options = options;
    this.#tail = new SharedTail(handle.tail);
    this.writer.share(this.#tail);
  }

  /** What the tail says; also without the lock, and then perhaps of a moment ago. */
  get tail(): TailWords {
    return this.#tail.load();
  }

  /** The owner seals the log. */
  override writeMarker(): void {
    // Nothing to do in this thread.
  }

  /** What the owner is asked to bring to disk: everything that is handed over now. */
  override unsynced(): UnsyncedLog {
    const { handedOver, handedOverSequence, syncedSequence, current } = this.writer;
    const paths = current === undefined || handedOverSequence <= syncedSequence ? [] : [current.path];
    return { paths, directory: undefined, upTo: handedOver, sequence: handedOverSequence };
  }

  override markSynced(): void {
    // The owner has noted it in the tail.
  }

  /** Hands over and fsyncs on this thread. A failure of the fsync (`SYNC_FAILED`, kind io) is final. */
  override syncNow(): void {
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

  /** Closes this thread's descriptor. */
  override close(): void {
    this.writer.failure ??= closed('the log');
    this.#segment?.close();
  }

  #follow(number: number, lastSequence: number): SegmentWriter {
    this.#segment?.close();
    const { fs, directory } = this.#options;
    const path = inDirectory(directory, logName(number));
    this.#segment = SegmentWriter.join(fs, number, path, lastSequence);
    return this.#segment;
  }
}

/**
 * The body of the last batch record: what a writer that died in the middle has left to be applied. It is read from the file when it
 * went past the buffer. For the owner's log too.
 */
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
