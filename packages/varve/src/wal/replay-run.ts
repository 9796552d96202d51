/**
 * What a replay of the log is given, what it counts, and what it reports: shared by the walk in unbroken sequence
 * (wal/replay) and by salvage (wal/salvage).
 */
import type { FileSystem } from '../fs/file-system.ts';
import type { BatchSource } from '../record/batch.ts';
import {
  type LogPosition,
  RECORD_COMMIT,
  RECORD_INGESTION,
  RECORD_KEYSPACE,
  RECORD_PREPARE,
} from '../record/log-record.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { LogSegment } from './segment-writer.ts';

export interface ReplayOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  /** Numbers of the log files in the directory. */
  readonly segments: readonly number[];
  /** What the manifest states to be the first segment that is needed; files with lower numbers are not looked at. */
  readonly firstSegment: number;
  /** Incarnation that the manifest states; a record of a later one means that the manifest is not the newest. */
  readonly incarnationMax: number;
  /** What the manifest states to be on disk. */
  readonly syncedPosition?: LogPosition | undefined;
  /** 'strict': a cut tail is an error (LOG_TAIL_CUT). 'salvage': damage is stepped over and reported. */
  readonly mode: 'strict' | 'prefix' | 'salvage';
}

export interface ReplayReport {
  /** Batches, keyspace changes and ingestions given to the sink, and the bytes of their records. */
  readonly batches: number;
  readonly bytes: number;
  /** Bytes of torn records; they are lost. */
  readonly cutBytes: number;
  /** Sequence that the log ends with; 0 when there is no log. Tables may hold later ones only if the log is gone. */
  readonly lastSequence: number;
  /** Highest time stored in a replayed record, in milliseconds since 1970; 0 when none was. */
  readonly lastTimestampMs: number;
  /** End of the last record that counts, where the log goes on; (firstSegment - 1, 0) when there is none. */
  readonly end: LogPosition;
  /** Highest incarnation that wrote a segment. */
  readonly incarnationSeen: number;
  /** Segments that stay, oldest first; for `LogOptions.recovered`. */
  readonly segments: readonly LogSegment[];
  /** Paths of segments that hold nothing that counts, newest first; cutTail removes them. */
  readonly remove: readonly string[];
  /** From this segment on it is not known whether the file is on disk; cutTail syncs. */
  readonly syncFrom: number;
  /** What 'salvage' stepped over. */
  readonly warnings: readonly string[];
}

/** Takes the body [start, end) of a record. The time is 0 when it was not stored. */
type TakeRecord = (
  sequence: number,
  timestampMs: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  where: BatchSource,
) => void;

/** Takes the records, in rising sequence. Bytes are lent for the call; `where` is one object that changes per record. */
export interface ReplaySink {
  /** The body is a batch (record/batch). */
  readonly batch: TakeRecord;
  /** The body is a keyspace change, in the engine's own form. */
  readonly keyspaceChange: TakeRecord;
  /** The body names tables that were ingested (manifest/ingestion.ts). */
  readonly ingestion: TakeRecord;
  /** The body is that of a prepare or of a commit record (record/prepared.ts). */
  readonly prepared: TakeRecord;
  readonly decision: TakeRecord;
}

/** The running count of a replay. */
export class ReplayTally {
  readonly sink: ReplaySink;
  /** Sequence of the last data record met. */
  last = 0;
  batches = 0;
  bytes = 0;
  lastTimestampMs = 0;
  readonly where: { file: string; offset: number } = { file: '', offset: 0 };

  constructor(sink: ReplaySink) {
    this.sink = sink;
  }

  counts(): { batches: number; bytes: number; lastTimestampMs: number } {
    return { batches: this.batches, bytes: this.bytes, lastTimestampMs: this.lastTimestampMs };
  }
}

/** Gives the reader's current data record to the sink. */
export function deliver(reader: SegmentReader, tally: ReplayTally): void {
  const { header, bytes, bodyStart, bodyEnd } = reader;
  const { sequence, timestampMs } = header;
  tally.last = sequence;
  if (timestampMs > tally.lastTimestampMs) tally.lastTimestampMs = timestampMs;
  const { sink, where } = tally;
  where.file = reader.path;
  where.offset = reader.offset;
  if (header.kind === RECORD_KEYSPACE)
    sink.keyspaceChange(sequence, timestampMs, bytes, bodyStart, bodyEnd, where);
  else if (header.kind === RECORD_INGESTION)
    sink.ingestion(sequence, timestampMs, bytes, bodyStart, bodyEnd, where);
  else if (header.kind === RECORD_PREPARE)
    sink.prepared(sequence, timestampMs, bytes, bodyStart, bodyEnd, where);
  else if (header.kind === RECORD_COMMIT)
    sink.decision(sequence, timestampMs, bytes, bodyStart, bodyEnd, where);
  else sink.batch(sequence, timestampMs, bytes, bodyStart, bodyEnd, where);
  tally.batches++;
  tally.bytes += bodyEnd - reader.offset;
}
