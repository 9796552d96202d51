/**
 * The public types of what compactions do and show: progress, `db.reclaim()`, `db.levels()`. Sizes in bytes, times in
 * milliseconds.
 */

/** How far a compaction is that somebody asked for. */
export interface CompactionProgress {
  keyspace: string;
  /** Compactions that have ended. */
  compactions: number;
  /** Bytes of tables gone through so far; the running compaction counted by its keys and values. */
  bytes: number;
  isDone: boolean;
}

export type OnProgress = (progress: CompactionProgress) => void;

export interface ReclaimOptions {
  keyspace?: string;
  /** Tables with a smaller estimated share of live data are rewritten; 0.8 when not given. */
  liveRatio?: number;
  signal?: AbortSignal;
  onProgress?: OnProgress;
}

export interface ReclaimReport {
  bytesBefore: number;
  bytesAfter: number;
  compactions: number;
  /** Tables whose live data was estimated for it. */
  samples: number;
}

/** What care and dropped tables have given back since the open. */
export interface ReclaimedStats {
  compactions: number;
  files: number;
  /** Bytes of the inputs less those of the outputs. */
  bytes: number;
}

/** What a score was measured by: it is `had` over `limit`. */
export interface DecisionMeasure {
  had: number;
  limit: number;
  unit: 'files' | 'runs' | 'bytes';
}

/** A decision as plain data. */
export interface DecisionReport {
  time: number;
  keyspace: string;
  kind: 'merge' | 'move' | 'drop';
  reason: string;
  /** How far beyond its limit what it is about was; 0 when a user asked. */
  score: number;
  /** Left out where a score is no count: of deletes and live data, of what was asked for, of pickers of the user. */
  measure?: DecisionMeasure;
  fromLevel: number;
  toLevel: number;
  files: number;
  bytes: number;
}

export interface TableReport {
  number: number;
  bytes: number;
  entries: number;
  tombstones: number;
  rangeTombstones: number;
  /** Estimated share of live data, 0 to 1, and within what it is right; undefined while nobody has looked. */
  live?: number;
  liveError?: number;
  /** An input of a compaction that runs. */
  isBusy: boolean;
}

export interface LevelReport {
  files: number;
  bytes: number;
  entries: number;
  /** The most tables of it that hold the range of one key: so many may one get have to ask. */
  runs: number;
  /** By key, in level 0 newest first. */
  tables: TableReport[];
}

/** `time` is when it was decided. */
export interface RunningReport extends DecisionReport {
  /** Keys and values gone through so far. */
  doneBytes: number;
  /** Threads that work on it. */
  jobs: number;
}

export interface KeyspaceLevels {
  strategy: string;
  memtableBytes: number;
  levels: LevelReport[];
  blobs: { files: number; bytes: number; liveBytes: number };
}

export interface LevelsReport {
  /** Milliseconds since 1970. */
  time: number;
  keyspaces: Record<string, KeyspaceLevels>;
  running: RunningReport[];
  /** The last decisions, newest first. */
  decisions: DecisionReport[];
  isPaused: boolean;
  /** What compactions may go through in a second now; null for no limit. */
  bytesPerSecond: number | null;
}
