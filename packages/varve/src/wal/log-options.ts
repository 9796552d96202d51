/**
 * What a log (wal/log.ts) is given: its place, its limits, where the log of the open before ended; and what it asks for.
 */
import type { FileSystem } from '../fs/file-system.ts';
import type { EncodedOperation } from '../record/batch.ts';
import type { LogPosition } from '../record/log-record.ts';
import type { RetainedLog } from './retained-log.ts';
import type { LogSegment } from './segment-writer.ts';

/** Where the log of the previous open ended, all of it on disk (wal/cut-tail). */
export interface LogEnd {
  readonly segment: number;
  readonly endOffset: number;
  readonly lastSequence: number;
}

export interface LogOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  /** Incarnation of this open, higher than that of every record that is there. */
  readonly incarnation: number;
  /** A new segment is begun at the first append past this many bytes. At most 1 GiB. */
  readonly segmentBytes: number;
  readonly bufferBytes?: number;
  /** Whether records carry the time given to `append`. */
  readonly timestamps: boolean;
  /** A file number that was never given out. */
  readonly nextSegment: () => number;
  /** Absent for a new database. */
  readonly previous?: LogEnd | undefined;
  /** Segments of earlier opens that still stand: ReplayReport.segments. */
  readonly recovered?: readonly LogSegment[] | undefined;
  /** What change feeds may read of the log before its live segments; nothing by default. */
  readonly retained?: RetainedLog | undefined;
  /** Records up to this sequence may have holes between them ('salvage'). */
  readonly holesUpTo?: number | undefined;
  /** `log` grows by the bytes handed over. */
  readonly counters?: { log: number } | undefined;
}

/** What an fsync has to cover; give `upTo` and `sequence` back to `markSynced` once it has succeeded. */
export interface UnsyncedLog {
  /** Files to fsync, oldest first, before the directory. */
  readonly paths: readonly string[];
  /** Directory to fsync after the files; undefined when its names are on disk. */
  readonly directory: string | undefined;
  readonly upTo: LogPosition;
  readonly sequence: number;
}

/** What the engine's durability asks of a log: of its owner's (log.ts) or of a thread's that shares it (attached-log.ts). */
export interface DurableLog {
  readonly lastSequence: number;
  readonly handedOverSequence: number;
  readonly syncedSequence: number;
  readonly diskFull: boolean;
  /** Stored time of the newest batch. */
  readonly lastTime: number;
  readonly operationBytesMax: number;
  append(kind: number, sequence: number, timeMs: number, body: Uint8Array, start: number, end: number): void;
  appendOperation(
    sequence: number,
    timeMs: number,
    kind: number,
    keyspaceId: number,
    key: Uint8Array,
    value: Uint8Array,
  ): EncodedOperation;
  takeBack(): boolean;
  writeMarker(): void;
  handOver(): void;
  unsynced(): UnsyncedLog;
  markSynced(upTo: LogPosition, sequence: number): void;
  syncNow(): void;
  close(): void;
}
