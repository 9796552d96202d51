/**
 * The parts of an open database, as the handles on it (keyspace, snapshot, cursor, batch) see them. Wired once in open.ts;
 * holds references and no logic. Not exported from the package.
 */
import { PointResult } from '../base/entry.ts';
import type { Clock } from '../base/clock.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import type { RowCache } from '../cache/row-cache.ts';
import type { SegmentPool } from '../arena/segment-pool.ts';
import type { FileSystem } from '../fs/file-system.ts';
import type { CompactionPlan } from '../compaction/plan.ts';
import type { RunningSet } from '../compaction/running-set.ts';
import type { Version } from '../manifest/version.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import type { Events } from '../observe/events.ts';
import type { ResolvedDatabaseOptions } from '../options/resolve.ts';
import type { Poison } from '../runtime/poison.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import type { Log } from '../wal/log.ts';
import type { JobRunner } from '../workers/job-runner.ts';
import type { BlockFetcher } from './block-fetcher.ts';
import type { CommitPipeline } from './commit-pipeline.ts';
import type { Durability } from './durability.ts';
import type { ExternalPosition } from './external-position.ts';
import type { ManyGets } from './get-many.ts';
import type { Installer } from './installer.ts';
import type { Pressure } from './pressure.ts';
import type { SnapshotRegister } from './snapshot-register.ts';
import type { EngineState } from './state.ts';
import type { Tree } from './tree.ts';

export interface Counters {
  user: number;
  log: number;
  flush: number;
  compaction: number;
}

/** What runs compactions, as `db.compact` sees it (compaction-runner.ts). */
export interface Compactions {
  readonly isWaiting: boolean;
  runningOf(tree: Tree): RunningSet;
  failureOf(tree: Tree): unknown;
  start(tree: Tree, plan: CompactionPlan): void;
  change(): Promise<void>;
}

/** What decides about background work, as the rest of the engine sees it (background.ts). */
export interface BackgroundWork {
  readonly compactions: Compactions;
  readonly flushPending: boolean;
  readonly level0FilesMax: number;
  committed(touched: readonly Tree[]): void;
  /** The tree's memtable is written no more, and will be flushed. */
  rotate(tree: Tree): void;
  /** Rotates what could free memory, because a write waits for it. */
  makeRoom(): void;
  schedule(): void;
  flush(): Promise<void>;
  forget(files: readonly number[]): void;
  versionInstalled(version: Version): void;
  stop(): void;
  wake(): void;
}

/** What keeps the block cache's working set over a restart (warm-up.ts). */
export interface CacheWarmUp {
  start(): void;
  close(): void;
}

export interface Core {
  readonly state: EngineState;
  readonly options: ResolvedDatabaseOptions;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly runner: JobRunner;
  readonly events: Events;
  readonly poison: Poison;
  readonly pool: SegmentPool;
  readonly cache: BlockCache;
  readonly rows: RowCache;
  readonly tables: TableCache;
  /** Has worker threads read from tables. */
  readonly reads: BlockFetcher;
  readonly register: SnapshotRegister;
  readonly counters: Counters;
  /** Undefined with an outside log, and when opened read-only. */
  readonly log: Log | undefined;
  readonly durability: Durability | undefined;
  readonly external: ExternalPosition;
  readonly pressure: Pressure;
  readonly pipeline: CommitPipeline;
  readonly installer: Installer;
  readonly background: BackgroundWork;
  readonly warmUp: CacheWarmUp;
  readonly incarnation: number;
  /** Next table number, shared with the jobs (BigInt64, Atomics.add). */
  readonly fileNumbers: SharedArrayBuffer;
  /** Reused by every point read: nothing is allocated for it. */
  readonly found: PointResult;
  /** The same for reads of many keys; made at the first one. */
  readonly many: ManyGets;
  /**
   * What every edit carries besides its own change: last sequence, next number, where replay starts, time marks. `flushed`
   * says how many of the oldest immutables of each tree the edit itself puts into tables.
   */
  editFacts(flushed?: ReadonlyMap<Tree, number>): VersionEdit;
  /** Releases the log segments that nothing needs any more. */
  releaseLog(): void;
  /** Removes files in the background. */
  removeFiles(paths: readonly string[]): void;
}
