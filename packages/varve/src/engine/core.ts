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
import type { FileMeta } from '../manifest/file-meta.ts';
import type { KeyspaceVersion, Version } from '../manifest/version.ts';
import type { Retention, VersionEdit } from '../manifest/version-edit.ts';
import type { Events } from '../observe/events.ts';
import type { ResolvedDatabaseOptions } from '../options/resolve.ts';
import type { RetentionOption } from '../options/retention.ts';
import type { Poison } from '../runtime/poison.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { UserCode } from '../runtime/user-code.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import type { Log } from '../wal/log.ts';
import type { JobRunner } from '../workers/job-runner.ts';
import type { MemorySplit } from './adaptive/memory-plan.ts';
import type { BlockFetcher } from './block-fetcher.ts';
import type { BlobReclaim } from './compactions/blob-reclaim.ts';
import type { Decisions } from './compactions/decisions.ts';
import type { Gate } from './compactions/gate.ts';
import type { PlanRun } from './compactions/plan-run.ts';
import type { SpaceCare } from './compactions/space-care.ts';
import type { CommitPipeline } from './commit-pipeline.ts';
import type { Durability } from './durability.ts';
import type { ExternalPosition } from './external-position.ts';
import type { ManyGets } from './get-many.ts';
import type { CommitRequest, Ingesting, NewTables } from './ingest/commit-request.ts';
import type { HeldSnapshots } from './held-snapshots.ts';
import type { Installer } from './installer.ts';
import type { RetentionChange } from './keyspace-change.ts';
import type { PastReads } from './past.ts';
import type { ReadPoint } from './read-point.ts';
import type { Pressure } from './pressure.ts';
import type { JobReaders, SnapshotRegister } from './snapshot-register.ts';
import type { EngineState } from './state.ts';
import type { Tree } from './tree.ts';

export interface Counters {
  user: number;
  log: number;
  flush: number;
  compaction: number;
  ingest: number;
  /** Bytes of level 0 that compactions have taken down, and bytes of the level below that they wrote again for it. */
  merged: number;
  rewritten: number;
}

/** What runs compactions, as the rest of the engine sees it (compactions/compaction-runner.ts). */
export interface Compactions {
  readonly isWaiting: boolean;
  /** May one that can wait start beside what runs? */
  readonly hasRoom: boolean;
  readonly gate: Gate;
  readonly decisions: Decisions;
  readonly blobs: BlobReclaim;
  /** What compactions may go through in a second, Infinity for no limit. */
  readonly bytesPerSecond: number;
  runOf(plan: CompactionPlan): PlanRun | undefined;
  runs(): Iterable<{ tree: Tree; run: PlanRun }>;
  cancel(plan: CompactionPlan): void;
  lookAgain(tree: Tree): void;
  /** What the keyspace should do next by its strategy, at whatever time of day. */
  dueIn(tree: Tree): CompactionPlan | undefined;
  runningOf(tree: Tree): RunningSet;
  failureOf(tree: Tree): unknown;
  start(tree: Tree, plan: CompactionPlan): void;
  change(): Promise<void>;
}

/** What decides about background work, as the rest of the engine sees it (background.ts). */
export interface BackgroundWork {
  readonly compactions: Compactions;
  readonly care: SpaceCare;
  readonly flushPending: boolean;
  readonly level0FilesMax: number;
  readonly level0Waiting: number;
  readonly level0Room: number;
  compactionsChanged(): void;
  committed(touched: readonly Tree[]): void;
  /** The tree's memtable is written no more, and will be flushed. */
  rotate(tree: Tree): void;
  /** Rotates what could free memory, because a write waits for it or memtables are to have only `budget` bytes. */
  makeRoom(budget?: number): void;
  schedule(): void;
  flush(check?: () => void): Promise<void>;
  /** Another thread that has the database open has filled something. */
  asked(): void;
  /** Tables and blob files that no version names any more. */
  forget(tables: readonly number[], blobs?: readonly number[]): void;
  /** Writes wait, or do no longer, until what is in the way of an ingestion is in tables. */
  holdWrites(isHeld: boolean): void;
  versionInstalled(version: Version): void;
  /** Somebody has named the keyspace, for the first time since the open: from now on it is looked after. */
  named(tree: Tree): void;
  stop(): void;
  wake(): void;
}

/** Ingestions under way, as the rest of the engine sees them (ingest/ingestions.ts). */
export interface IngestionWork {
  began(run: Ingesting): void;
  ended(run: Ingesting): void;
  /** Commits the tables in their turn, if `validate` does not throw in that step. */
  request(tables: readonly NewTables[], startedMs: number, validate?: () => void): CommitRequest;
  withdraw(request: CommitRequest): void;
  /** Something was installed: commits what can be. */
  look(): void;
  /** Ends all that are not committed; resolves when nothing is left of them. */
  close(error: Error): Promise<void>;
}

/** Ingested tables that are kept for change feeds (ingest/kept-tables.ts). */
export interface KeptForFeeds {
  ingested(sequence: number, files: readonly FileMeta[]): void;
  feedBegan(sequence: number): void;
  pathOf(segment: number, table: number): string;
}

/** How memory is divided, and what moves it (adaptive/memory-tuner.ts). */
export interface MemoryBudget {
  readonly split: MemorySplit;
  /** Something has changed that a decision may follow from. */
  look(): void;
  /** A memtable has reached its size: whether it is to grow on. */
  mayGrow(tree: Tree): boolean;
}

/** What keeps the block cache's working set over a restart (warm-up.ts). */
export interface CacheWarmUp {
  start(): void;
  close(): void;
}

/** What stores the time (clock-keeper.ts). */
export interface ClockStore {
  /** The last thing that is written: where the clock stands. */
  close(): void;
}

/** How far back keyspaces can be read, and what is kept for that (history.ts). */
export interface PastKeeping extends PastReads {
  startOf(keyspace: number): ReadPoint | undefined;
  versionsOf(keyspace: number): number;
  retentionOf(keyspace: number): Retention;
  readersFor(tree: Tree): TreeReaders;
  changeTo(tree: Tree, retention: RetentionOption): RetentionChange | undefined;
  retain(change: RetentionChange): void;
  forget(keyspace: number): void;
  note(): void;
  editFacts(keyspaces: ReadonlyMap<number, KeyspaceVersion>): VersionEdit;
}

/** What a job has to keep in a tree. */
export interface TreeReaders extends JobReaders {
  /** So many versions of every key that is there, whoever reads. */
  readonly versions: number;
}

/** What the handles on a database stand on, in the owner's thread and in attached ones. */
export interface Session {
  readonly state: EngineState;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly runner: JobRunner;
  readonly events: Events;
  readonly register: SnapshotRegister;
  /** Those that this thread has made and not closed. */
  readonly snapshots: HeldSnapshots;
  /** Undefined with an outside log, and when opened read-only. */
  readonly durability: Durability | undefined;
  readonly pressure: Pressure;
  /** Reads of the past. */
  readonly past: PastReads;
  readonly pipeline: CommitPipeline;
  readonly tables: TableCache;
  /** Has worker threads read from tables. */
  readonly reads: BlockFetcher;
  /** All of the database, in the owner's thread. */
  readonly owner: Core | undefined;
  /** Reused by every point read: nothing is allocated for it. */
  readonly found: PointResult;
  /** The same for reads of many keys; made at the first one. */
  readonly many: ManyGets;
}

export interface Core extends Session {
  readonly options: ResolvedDatabaseOptions;
  readonly fs: FileSystem;
  /** For reading tables beside the table cache: read-only, those of the state that is shown are there although removed. */
  readonly tableFiles: FileSystem;
  readonly poison: Poison;
  /** What keyspaces were given, for jobs on this thread. */
  readonly userCode: UserCode;
  readonly pool: SegmentPool;
  readonly cache: BlockCache;
  readonly rows: RowCache;
  readonly counters: Counters;
  /** Undefined with an outside log, and when opened read-only. */
  readonly log: Log | undefined;
  readonly external: ExternalPosition;
  readonly history: PastKeeping;
  readonly installer: Installer;
  readonly background: BackgroundWork;
  readonly ingestions: IngestionWork;
  readonly keptTables: KeptForFeeds;
  readonly warmUp: CacheWarmUp;
  readonly clockKeeper: ClockStore;
  readonly memory: MemoryBudget;
  /** Of the writer, when opened read-only. */
  readonly incarnation: number;
  /** Next table number, shared with the jobs (BigInt64, Atomics.add). */
  readonly fileNumbers: SharedArrayBuffer;
  /**
   * What every edit carries besides its own change: last sequence, next number, where replay starts, time marks. `flushed`
   * says how many of the oldest immutables of each tree the edit itself puts into tables.
   */
  editFacts(flushed?: ReadonlyMap<Tree, number>): VersionEdit;
  /** Releases the log segments that nothing needs any more. */
  releaseLog(): void;
  /** Removes the log that was kept for change feeds and is not needed for them any more. */
  trimLog(): void;
  /** Removes files in the background. */
  removeFiles(paths: readonly string[]): void;
}
