/**
 * The end of the log as one thread works on it: the buffer that records are built in, the segment that takes it, how far both
 * are. The part of the log that every thread of a shared database has; what only the owner does stands in log.ts.
 *
 * In a database that one thread has to itself the fields are all there is. Shared, they are this thread's copy of
 * wal/shared-tail.ts: filled by `load` when the thread takes the write lock, given back by `publish` after each step that
 * has to hold even if the thread dies in the next one. In between nobody else looks at them.
 *
 * A full disk keeps the buffer for the next `handOver`; every other failure is final for this object and is thrown again
 * by each later call. Synchronous; `append` allocates nothing.
 */
import { assert } from '../base/assert.ts';
import { BATCH_OVERHEAD_MAX, type EncodedOperation } from '../record/batch.ts';
import {
  HEADER_BYTES,
  type LogPosition,
  RECORD_BATCH,
  RECORD_COMMIT,
  RECORD_INGESTION,
  RECORD_MARKER,
} from '../record/log-record.ts';
import type { LogBuffer } from './log-buffer.ts';
import { diskFull, isFull, type SegmentWriter } from './segment-writer.ts';
import type { SharedTail } from './shared-tail.ts';

/** What differs between the owner of the log and a thread that shares it. */
export interface SegmentSource {
  /** The current segment is as long as it should get, or there is none: the owner begins another one. */
  full(): void;
  /** Number of the segment that the tail names is not that of `current`: opens it. */
  follow(number: number, lastSequence: number): SegmentWriter;
  /** Before and after bytes go to a file; throws when the owner is gone: the next one may have read the file already. */
  checkOwner(): void;
}

export class LogWriter {
  readonly buffer: LogBuffer;
  readonly segmentBytes: number;
  readonly #counters: { log: number };
  readonly #segments: SegmentSource;
  current: SegmentWriter | undefined;
  lastSequence: number;
  handedOverSequence: number;
  syncedSequence: number;
  /** The last record is a marker, and everything before it is on disk. */
  isSealed = true;
  isDiskFull = false;
  /** Stored time of the newest batch; kept for whoever shares the log. */
  lastTime = 0;
  failure: Error | undefined;
  /** End of what was handed over while there is no current segment. */
  #previous: LogPosition;
  /** What `takeBack` goes back to: bytes in the buffer before the last append, -1 once they were handed over. */
  #usedBefore = -1;
  #sequenceBefore = 0;
  #sealedBefore = true;
  #recordAt = -1;
  #recordLength = 0;
  #recordOffset = 0;
  #shared: SharedTail | undefined;
  /** What else is not on disk: segments before the current one, names. Kept by the owner of the log. */
  isOlderUnsynced = false;
  isDirectoryUnsynced = false;

  constructor(
    buffer: LogBuffer,
    segmentBytes: number,
    counters: { log: number },
    segments: SegmentSource,
    previous: LogPosition,
    lastSequence: number,
  ) {
    this.buffer = buffer;
    this.segmentBytes = segmentBytes;
    this.#counters = counters;
    this.#segments = segments;
    this.#previous = previous;
    this.lastSequence = lastSequence;
    this.handedOverSequence = lastSequence;
    this.syncedSequence = lastSequence;
  }

  /** End of what was handed over. */
  get handedOver(): LogPosition {
    const { current } = this;
    return current === undefined ? this.#previous : { segment: current.number, offset: current.bytes };
  }

  /** Longest key and value together for `appendOperation`. */
  get operationBytesMax(): number {
    return this.buffer.bytes.length >>> 2;
  }

  /** The next record should begin another segment. */
  get isSegmentFull(): boolean {
    const { current } = this;
    return current === undefined || current.bytes + this.buffer.used >= this.segmentBytes;
  }

  /** From now on the state is in `tail`: other threads go on from it. With the write lock. */
  share(tail: SharedTail): void {
    this.#shared = tail;
  }

  /** Takes over what the last holder of the write lock has published. */
  load(): void {
    const shared = this.#shared;
    if (shared === undefined) return;
    const words = shared.load();
    const { buffer } = this;
    buffer.used = words.used;
    buffer.segment = words.segment;
    buffer.syncedSegment = words.syncedSegment;
    buffer.syncedOffset = words.syncedOffset;
    this.lastSequence = words.lastSequence;
    this.handedOverSequence = words.handedOverSequence;
    this.syncedSequence = words.syncedSequence;
    this.isSealed = words.isSealed !== 0;
    this.isDiskFull = words.isDiskFull !== 0;
    this.isOlderUnsynced = words.isOlderUnsynced !== 0;
    this.isDirectoryUnsynced = words.isDirectoryUnsynced !== 0;
    this.lastTime = words.lastTime;
    this.#usedBefore = -1;
    let { current } = this;
    if (current?.number !== words.segment) {
      current = this.#segments.follow(words.segment, words.lastSequence);
      this.current = current;
    }
    current.bytes = words.segmentBytes;
    current.lastSequence = words.lastSequence;
  }

  /** What was done up to here counts, whatever becomes of this thread. */
  publish(): void {
    const shared = this.#shared;
    if (shared === undefined) return;
    const { words } = shared;
    const { buffer, current } = this;
    words.used = buffer.used;
    words.segment = current!.number;
    words.segmentBytes = current!.bytes;
    words.lastSequence = this.lastSequence;
    words.handedOverSequence = this.handedOverSequence;
    words.syncedSegment = buffer.syncedSegment;
    words.syncedOffset = buffer.syncedOffset;
    words.syncedSequence = this.syncedSequence;
    words.isSealed = this.isSealed ? 1 : 0;
    words.isDiskFull = this.isDiskFull ? 1 : 0;
    words.recordAt = this.#recordAt;
    words.recordLength = this.#recordLength;
    words.recordOffset = this.#recordOffset;
    words.isOlderUnsynced = this.isOlderUnsynced ? 1 : 0;
    words.isDirectoryUnsynced = this.isDirectoryUnsynced ? 1 : 0;
    words.lastTime = this.lastTime;
    shared.store();
  }

  /** Appends a record: `Log.append`. */
  append(kind: number, sequence: number, timeMs: number, body: Uint8Array, start: number, end: number): void {
    const isBuffered = this.#makeRoom(HEADER_BYTES + end - start, kind !== RECORD_MARKER);
    if (isBuffered) {
      this.buffer.add(kind, sequence, timeMs, body, start, end);
      this.#recordAt = this.buffer.used - (end - start);
    } else this.#appendDirect(kind, sequence, timeMs, body, start, end);
    this.#recordLength = end - start;
    this.#appended(
      sequence,
      kind === RECORD_BATCH || kind === RECORD_INGESTION || kind === RECORD_COMMIT ? timeMs : this.lastTime,
    );
  }

  /** Appends a batch of one operation: `Log.appendOperation`. */
  appendOperation(
    sequence: number,
    timeMs: number,
    kind: number,
    keyspaceId: number,
    key: Uint8Array,
    value: Uint8Array,
  ): EncodedOperation {
    assert(sequence === this.lastSequence + 1, 'log records come in sequence');
    const isBuffered = this.#makeRoom(HEADER_BYTES + BATCH_OVERHEAD_MAX + key.length + value.length, true);
    assert(isBuffered, 'an operation of this path fits the log buffer');
    const at = this.buffer.used + HEADER_BYTES;
    const operation = this.buffer.addOperation(sequence, timeMs, kind, keyspaceId, key, value);
    this.#recordAt = at;
    this.#recordLength = this.buffer.used - at;
    this.#appended(sequence, timeMs);
    return operation;
  }

  /** `Log.takeBack`. */
  takeBack(): boolean {
    if (this.#usedBefore < 0) return false;
    this.buffer.used = this.#usedBefore;
    this.lastSequence = this.#sequenceBefore;
    this.current!.lastSequence = this.#sequenceBefore;
    this.isSealed = this.#sealedBefore;
    this.#usedBefore = -1;
    this.publish();
    return true;
  }

  /** `Log.handOver`. */
  handOver(): void {
    this.check();
    const { buffer } = this;
    if (buffer.used > 0) {
      this.#write(buffer.bytes, 0, buffer.used);
      buffer.used = 0;
      this.#usedBefore = -1;
      // What was in the buffer was applied by whoever put it there, or by who came next.
      this.#handedOverTo(this.lastSequence);
    }
    if (this.isDiskFull) {
      this.isDiskFull = false;
      this.publish();
    }
  }

  /** The first record of a segment, into the empty buffer. */
  begin(segment: SegmentWriter, wasRecycled: boolean): void {
    const { segment: last, offset: endOffset } = this.handedOver;
    const { lastSequence } = this;
    this.current = segment;
    this.buffer.segment = segment.number;
    this.buffer.addSegmentStart(lastSequence, {
      recycled: wasRecycled,
      lastSequence,
      segment: last,
      endOffset,
    });
    this.publish();
  }

  /** An fsync reached `upTo`, with everything up to `sequence`. */
  synced(upTo: LogPosition, sequence: number): void {
    const { buffer } = this;
    const isLater =
      upTo.segment > buffer.syncedSegment ||
      (upTo.segment === buffer.syncedSegment && upTo.offset > buffer.syncedOffset);
    if (isLater) {
      buffer.syncedSegment = upTo.segment;
      buffer.syncedOffset = upTo.offset;
    }
    this.syncedSequence = Math.max(this.syncedSequence, sequence);
    this.publish();
  }

  /** Sorts a failed write: no room is waited out, anything else ends this log. Returns what to throw. */
  failed(path: string, error: unknown): Error {
    if (isFull(error)) {
      this.isDiskFull = true;
      this.publish();
      return diskFull(path, error);
    }
    this.failure = error instanceof Error ? error : new Error(String(error));
    return this.failure;
  }

  check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  /** Before a record of `length` bytes: true when it fits the buffer, which is emptied otherwise. Notes what `takeBack` needs. */
  #makeRoom(length: number, mayRotate: boolean): boolean {
    this.check();
    const { buffer } = this;
    if (mayRotate && this.isSegmentFull) this.#segments.full();
    if (buffer.used + length > buffer.bytes.length) this.handOver();
    if (length > buffer.bytes.length) return false;
    this.#usedBefore = buffer.used;
    this.#sequenceBefore = this.lastSequence;
    this.#sealedBefore = this.isSealed;
    return true;
  }

  #appended(sequence: number, timeMs: number): void {
    this.lastSequence = sequence;
    this.current!.lastSequence = sequence;
    this.isSealed = false;
    this.lastTime = timeMs;
    this.publish();
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
    const before = this.current!.bytes;
    this.buffer.encodeAlone(kind, sequence, timeMs, body, start, end);
    this.#write(this.buffer.bytes, 0, HEADER_BYTES);
    try {
      this.#write(body, start, end);
    } catch (error) {
      this.current!.cut(before);
      throw error;
    }
    this.#recordAt = -1;
    this.#recordOffset = before + HEADER_BYTES;
    this.handedOverSequence = sequence;
    this.isDiskFull = false;
  }

  #write(bytes: Uint8Array, start: number, end: number): void {
    const segment = this.current!;
    const before = segment.bytes;
    this.#segments.checkOwner();
    try {
      segment.write(bytes, start, end);
    } catch (error) {
      const failure = this.failed(segment.path, error);
      if (this.isDiskFull) segment.cut(before);
      throw failure;
    }
    this.#segments.checkOwner();
    this.#counters.log += end - start;
  }

  #handedOverTo(sequence: number): void {
    this.handedOverSequence = sequence;
    this.isDiskFull = false;
    this.publish();
  }
}
