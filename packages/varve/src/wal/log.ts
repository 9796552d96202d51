/**
 * The write-ahead log of an open database: appends records to a buffer, hands the buffer to the system, knows how far it
 * is on disk. Third hop of the write path; called by the commit pipeline (append) and by Durability (all the rest).
 *
 * Three positions, each at or behind the one before it: `end` (appended, visible to nobody but this object), `handedOver`
 * (survives the process), `synced` (survives the machine). Every record states the synced position known when it was
 * written, so that recovery can tell damage from a torn tail (CONTRACT 3).
 *
 * An open always writes to new segments, made at its first append: an open that writes nothing leaves no file.
 * A full disk keeps the buffer for the next `handOver`; every other failure is final for this object and is thrown again
 * by each later call. Owner's thread only, synchronous; `append` allocates nothing.
 */
import { assert } from '../base/assert.ts';
import { closed } from '../base/errors.ts';
import { inDirectory, logName } from '../fs/file-names.ts';
import type { FileSystem } from '../fs/file-system.ts';
import {
  comparePosition,
  HEADER_BYTES,
  type LogPosition,
  RECORD_BATCH,
  RECORD_KEYSPACE,
  RECORD_MARKER,
} from '../record/log-record.ts';
import { BATCH_OVERHEAD_MAX, type EncodedOperation } from '../record/batch.ts';
import { LogBuffer } from './log-buffer.ts';
import type { LogOptions, UnsyncedLog } from './log-options.ts';
import { SegmentList } from './segment-list.ts';
import { diskFull, isFull, type LogSegment, SegmentWriter } from './segment-writer.ts';

const BUFFER_BYTES = 65_536;

export class Log {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #nextSegment: () => number;
  readonly #counters: { log: number };
  readonly #list: SegmentList;
  readonly #buffer: LogBuffer;
  #current: SegmentWriter | undefined;
  /** End of the last segment that has handed-over bytes. */
  #handedOver: LogPosition;
  #handedOverSequence: number;
  #syncedSequence: number;
  #lastSequence: number;
  /** The last record is a marker, and everything before it is on disk. */
  #sealed = true;
  /** What `takeBack` goes back to: bytes in the buffer before the last append, -1 once they were handed over. */
  #usedBefore = -1;
  #sequenceBefore = 0;
  #sealedBefore = true;
  #diskFull = false;
  #failure: Error | undefined;

  constructor(options: LogOptions) {
    const previous = options.previous ?? { segment: 0, endOffset: 0, lastSequence: 0 };
    assert(options.segmentBytes <= 1024 ** 3, 'a log segment is at most 1 GiB');
    this.#fs = options.fs;
    this.#directory = options.directory;
    this.#segmentBytes = options.segmentBytes;
    this.#nextSegment = options.nextSegment;
    this.#counters = options.counters ?? { log: 0 };
    this.#list = new SegmentList(options.recovered ?? [], 2 * options.segmentBytes);
    this.#buffer = new LogBuffer(
      options.bufferBytes ?? BUFFER_BYTES,
      options.incarnation,
      options.timestamps,
    );
    this.#handedOver = { segment: previous.segment, offset: previous.endOffset };
    this.#buffer.syncedSegment = previous.segment;
    this.#buffer.syncedOffset = previous.endOffset;
    this.#lastSequence = previous.lastSequence;
    this.#handedOverSequence = previous.lastSequence;
    this.#syncedSequence = previous.lastSequence;
  }

  /** Sequence of the last record appended. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  get handedOverSequence(): number {
    return this.#handedOverSequence;
  }

  get syncedSequence(): number {
    return this.#syncedSequence;
  }

  /** End of what was appended. */
  get end(): LogPosition {
    const current = this.#current;
    return current === undefined
      ? this.#handedOver
      : { segment: current.number, offset: current.bytes + this.#buffer.used };
  }

  get handedOver(): LogPosition {
    return this.#handedOver;
  }

  get synced(): LogPosition {
    return { segment: this.#buffer.syncedSegment, offset: this.#buffer.syncedOffset };
  }

  /** True from a write that found no room until one succeeds. */
  get diskFull(): boolean {
    return this.#diskFull;
  }

  /** Bytes of records in live segments, to hold against `logBytesMax`. */
  get bytes(): number {
    return this.#list.bytes + this.#buffer.used;
  }

  /** Oldest segment that would go if everything up to its `lastSequence` were flushed; undefined when none is finished. */
  get oldest(): LogSegment | undefined {
    return this.#list.oldest;
  }

  /**
   * Appends a batch or keyspace change whose sequence follows the last one. Throws, and has appended nothing, when the
   * record needs a hand-over or a new segment that fails: `DISK_FULL` (busy), or what made the log fail for good.
   */
  append(kind: number, sequence: number, timeMs: number, body: Uint8Array, start: number, end: number): void {
    assert(kind === RECORD_BATCH || kind === RECORD_KEYSPACE, 'only data records are appended');
    assert(sequence === this.#lastSequence + 1, 'log records come in sequence');
    this.#append(kind, sequence, timeMs, body, start, end);
  }

  /** Longest key and value together for `appendOperation`. */
  get operationBytesMax(): number {
    return this.#buffer.bytes.length >>> 2;
  }

  /** `append` of a batch of one operation: built in the log's own buffer, and lent from there until the next append. */
  appendOperation(
    sequence: number,
    timeMs: number,
    kind: number,
    keyspaceId: number,
    key: Uint8Array,
    value: Uint8Array,
  ): EncodedOperation {
    assert(sequence === this.#lastSequence + 1, 'log records come in sequence');
    const isBuffered = this.#makeRoom(HEADER_BYTES + BATCH_OVERHEAD_MAX + key.length + value.length, true);
    assert(isBuffered, 'an operation of this path fits the log buffer');
    const operation = this.#buffer.addOperation(sequence, timeMs, kind, keyspaceId, key, value);
    this.#appended(sequence);
    return operation;
  }

  /**
   * Takes the record of the last `append` out of the buffer again, as if it had been refused: for a write that had to be on
   * disk at once and met a full one. False, and nothing happens, when it is in the file already.
   */
  takeBack(): boolean {
    if (this.#usedBefore < 0) return false;
    this.#buffer.used = this.#usedBefore;
    this.#lastSequence = this.#sequenceBefore;
    this.#current!.lastSequence = this.#sequenceBefore;
    this.#sealed = this.#sealedBefore;
    this.#usedBefore = -1;
    return true;
  }

  /**
   * Appends a record that states the synced position, so that damage at the very end is told from a torn tail. Nothing
   * happens when the last record is such a marker already, or nothing was ever appended by this open.
   */
  writeMarker(): void {
    if (this.#sealed) return;
    const { syncedSegment, syncedOffset } = this.#buffer;
    const all = comparePosition(this.end, syncedSegment, syncedOffset) === 0;
    this.#append(RECORD_MARKER, this.#lastSequence, 0, this.#buffer.bytes, 0, 0);
    this.#sealed = all;
  }

  /** Writes the buffer to the segment. Throws `DISK_FULL` (busy; the buffer stays), or what made the log fail for good. */
  handOver(): void {
    this.#check();
    const buffer = this.#buffer;
    if (buffer.used > 0) {
      this.#write(buffer.bytes, 0, buffer.used);
      buffer.used = 0;
      this.#usedBefore = -1;
      this.#handedOverTo(this.#lastSequence);
    }
    this.#diskFull = false;
  }

  /** What an fsync by somebody else has to cover; it covers what is handed over now. */
  unsynced(): UnsyncedLog {
    const segments = this.#list.unsynced();
    const directory = this.#list.directoryUnsynced ? this.#directory : undefined;
    const upTo = this.#handedOver;
    if (segments.length > 0 || directory !== undefined) this.#list.ask(upTo, segments);
    return {
      paths: segments.map((segment) => segment.path),
      directory,
      upTo,
      sequence: this.#handedOverSequence,
    };
  }

  /** An fsync of what `unsynced` named has succeeded. Calls come in the order of the requests. */
  markSynced(upTo: LogPosition, sequence: number): void {
    this.#list.done(upTo);
    this.#synced(upTo, sequence);
  }

  /** Hands over and fsyncs on this thread. A failure of the fsync (`SYNC_FAILED`, kind io) is final. */
  syncNow(): void {
    this.handOver();
    try {
      for (const segment of this.#list.unsynced()) segment.sync();
      if (this.#list.directoryUnsynced) this.#fs.syncDirectory(this.#directory);
    } catch (error) {
      this.#failure = asError(error);
      throw error;
    }
    this.#list.doneNow(this.#handedOver);
    this.#synced(this.#handedOver, this.#handedOverSequence);
  }

  /** Live segments, oldest first; the last is the one being written. */
  segments(): LogSegment[] {
    return this.#list.live().map((segment) => {
      const { number, path, firstSequence, lastSequence } = segment;
      const bytes = segment === this.#current ? segment.bytes + this.#buffer.used : segment.bytes;
      return { number, path, firstSequence, lastSequence, bytes };
    });
  }

  /**
   * Number of the first segment that a replay needs when everything up to `upToSequence` is in tables: what the next
   * manifest edit states as the start of the log. Segments not yet begun have higher numbers.
   */
  firstNeeded(upToSequence: number): number {
    return this.#list.firstNeeded(upToSequence) ?? this.#handedOver.segment + 1;
  }

  /**
   * Finished segments below `manifestSegment`, which the manifest on disk states as the start of the log, that hold nothing
   * past `upToSequence`, leave the log. Returns the paths to remove, in order; two segments at most are kept aside to be
   * recycled. Segments that are not synced whole stay until a later call.
   */
  release(upToSequence: number, manifestSegment: number): string[] {
    return this.#list.release(upToSequence, manifestSegment);
  }

  /** Until the result is called no live segment is recycled: who has one open reads what was in it (CONTRACT 4). */
  pin(): () => void {
    return this.#list.pin();
  }

  /** Closes the files and removes spares. Hands nothing over: see `syncNow`. Idempotent. */
  close(): void {
    this.#failure ??= closed('the log');
    for (const path of this.#list.close()) {
      try {
        this.#fs.remove(path);
      } catch {
        // The next open finds it released and removes it.
      }
    }
  }

  #append(
    kind: number,
    sequence: number,
    timeMs: number,
    body: Uint8Array,
    start: number,
    end: number,
  ): void {
    const isBuffered = this.#makeRoom(HEADER_BYTES + end - start, kind !== RECORD_MARKER);
    if (isBuffered) this.#buffer.add(kind, sequence, timeMs, body, start, end);
    else this.#appendDirect(kind, sequence, timeMs, body, start, end);
    this.#appended(sequence);
  }

  /** Before a record of `length` bytes: true when it fits the buffer, which is emptied otherwise. Notes what `takeBack` needs. */
  #makeRoom(length: number, mayRotate: boolean): boolean {
    this.#check();
    const buffer = this.#buffer;
    const full = this.#current === undefined || this.#current.bytes + buffer.used >= this.#segmentBytes;
    if (full && mayRotate) this.#rotate();
    if (buffer.used + length > buffer.bytes.length) this.handOver();
    if (length > buffer.bytes.length) return false;
    this.#usedBefore = buffer.used;
    this.#sequenceBefore = this.#lastSequence;
    this.#sealedBefore = this.#sealed;
    return true;
  }

  #appended(sequence: number): void {
    this.#lastSequence = sequence;
    this.#current!.lastSequence = sequence;
    this.#sealed = false;
  }

  /** A body that the buffer can not hold is written from where it lies; the buffer is empty then. */
  #appendDirect(
    kind: number,
    sequence: number,
    timeMs: number,
    body: Uint8Array,
    start: number,
    end: number,
  ): void {
    const before = this.#current!.bytes;
    this.#buffer.encodeAlone(kind, sequence, timeMs, body, start, end);
    this.#write(this.#buffer.bytes, 0, HEADER_BYTES);
    try {
      this.#write(body, start, end);
    } catch (error) {
      this.#current!.cut(before);
      throw error;
    }
    this.#handedOverTo(sequence);
  }

  /** Goes on in a new segment, whose first record says where the last one ended. */
  #rotate(): void {
    this.handOver();
    const last = this.#current;
    const { segment, offset: endOffset } = this.end;
    const number = this.#nextSegment();
    const path = inDirectory(this.#directory, logName(number));
    const spare = this.#list.takeSpare();
    try {
      this.#current = SegmentWriter.open(this.#fs, number, path, this.#lastSequence, spare);
    } catch (error) {
      throw this.#failed(path, error);
    }
    this.#list.add(this.#current);
    if (last?.isSynced === true) last.close();
    this.#buffer.segment = number;
    const lastSequence = this.#lastSequence;
    const link = { recycled: spare !== undefined, lastSequence, segment, endOffset };
    this.#buffer.addSegmentStart(lastSequence, link);
  }

  #write(bytes: Uint8Array, start: number, end: number): void {
    const segment = this.#current!;
    const before = segment.bytes;
    try {
      segment.write(bytes, start, end);
    } catch (error) {
      const failure = this.#failed(segment.path, error);
      if (this.#diskFull) segment.cut(before);
      throw failure;
    }
    this.#counters.log += end - start;
  }

  #handedOverTo(sequence: number): void {
    const current = this.#current!;
    this.#handedOver = { segment: current.number, offset: current.bytes };
    this.#handedOverSequence = sequence;
    this.#diskFull = false;
  }

  #synced(upTo: LogPosition, sequence: number): void {
    const buffer = this.#buffer;
    if (comparePosition(upTo, buffer.syncedSegment, buffer.syncedOffset) > 0) {
      buffer.syncedSegment = upTo.segment;
      buffer.syncedOffset = upTo.offset;
    }
    this.#syncedSequence = Math.max(this.#syncedSequence, sequence);
  }

  /** Sorts a failed write: no room is waited out, anything else ends this log. Returns what to throw. */
  #failed(path: string, error: unknown): Error {
    if (isFull(error)) {
      this.#diskFull = true;
      return diskFull(path, error);
    }
    this.#failure = asError(error);
    return this.#failure;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
