/**
 * What a log is made with (wal/log.ts): its place, its limits, and where the log of the open before ended.
 */
import type { FileSystem } from '../fs/file-system.ts';
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
  /** `log` grows by the bytes handed over. */
  readonly counters?: { log: number } | undefined;
}
