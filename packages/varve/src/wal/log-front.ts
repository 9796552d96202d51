/**
 * What the log of the owner (log.ts) and that of an attached thread (attached-log.ts) have in common: appending, handing over,
 * and how far the log is, all of it passed on to the end of the log that they work on (log-writer.ts).
 */
import { assert } from '../base/assert.ts';
import type { EncodedOperation } from '../record/batch.ts';
import { isDataKind, type LogPosition } from '../record/log-record.ts';
import type { DurableLog, UnsyncedLog } from './log-options.ts';
import type { LogWriter } from './log-writer.ts';

export abstract class LogFront implements DurableLog {
  /** The end of the log. */
  readonly writer: LogWriter;

  constructor(writer: LogWriter) {
    this.writer = writer;
  }

  /** Sequence of the last record appended. */
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

  /** True from a write that found no room until one succeeds. */
  get diskFull(): boolean {
    return this.writer.isDiskFull;
  }

  /** Longest key and value together for `appendOperation`. */
  get operationBytesMax(): number {
    return this.writer.operationBytesMax;
  }

  /**
   * Appends a batch, keyspace change or ingestion whose sequence follows the last one. Throws, and has appended nothing, when the
   * record needs a hand-over or a new segment that fails: `DISK_FULL` (busy), or what made the log fail for good.
   */
  append(kind: number, sequence: number, timeMs: number, body: Uint8Array, start: number, end: number): void {
    assert(isDataKind(kind), 'only data records are appended');
    assert(sequence === this.writer.lastSequence + 1, 'log records come in sequence');
    this.writer.append(kind, sequence, timeMs, body, start, end);
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
    return this.writer.appendOperation(sequence, timeMs, kind, keyspaceId, key, value);
  }

  /**
   * Takes the record of the last `append` out of the buffer again, as if it had been refused: for a write that had to be on
   * disk at once and met a full one. False, and nothing happens, when it is in the file already.
   */
  takeBack(): boolean {
    return this.writer.takeBack();
  }

  /** Writes the buffer to the segment. Throws `DISK_FULL` (busy; the buffer stays), or what made the log fail for good. */
  handOver(): void {
    this.writer.handOver();
  }

  /** Takes over what other threads have done. With the write lock. */
  load(): void {
    this.writer.load();
  }

  abstract writeMarker(): void;
  abstract unsynced(): UnsyncedLog;
  abstract markSynced(upTo: LogPosition, sequence: number): void;
  abstract syncNow(): void;
  abstract close(): void;
}
