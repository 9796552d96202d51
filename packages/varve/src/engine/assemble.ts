/**
 * Puts the running database together from what recovery found: makes the new incarnation durable, starts a log, and wires
 * the parts. The only place that knows them all.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import type { RowCache } from '../cache/row-cache.ts';
import type { FileSystem } from '../fs/file-system.ts';
import type { ResolvedDatabaseOptions } from '../options/resolve.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import type { EngineState } from './state.ts';
import { PointResult } from '../base/entry.ts';
import { applyEdit, type Version } from '../manifest/version.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import { Events } from '../observe/events.ts';
import { Poison } from '../runtime/poison.ts';
import { UserCode } from '../runtime/user-code.ts';
import { type Scheduler, systemScheduler } from '../runtime/scheduler.ts';
import { findRetained } from '../wal/find-retained.ts';
import { Log } from '../wal/log.ts';
import type { ReplayReport } from '../wal/replay-run.ts';
import { RetainedLog } from '../wal/retained-log.ts';
import { SyncPolicy } from '../wal/sync-policy.ts';
import type { JobRunner } from '../workers/job-runner.ts';
import { workerEntry } from '../workers/resolve.ts';
import { SliceRunner } from '../workers/slice-runner.ts';
import { ThreadRunner } from '../workers/thread-runner.ts';
import { MemoryTuner } from './adaptive/memory-tuner.ts';
import { Background } from './background.ts';
import { BlockFetcher } from './block-fetcher.ts';
import { ClockKeeper } from './clock-keeper.ts';
import { CommitPipeline } from './commit-pipeline.ts';
import type { Core, Counters } from './core.ts';
import { Durability } from './durability.ts';
import { ExternalPosition } from './external-position.ts';
import { writeFirstManifest } from './first-manifest.ts';
import { editFacts, obsoleteFiles, releaseLog, removeFiles, replayFloor, trimLog } from './housekeeping.ts';
import { ManyGets } from './get-many.ts';
import { KeptTables } from './ingest/kept-tables.ts';
import { Ingestions } from './ingest/ingestions.ts';
import { History } from './history.ts';
import { Installer } from './installer.ts';
import { writeOptionsFile } from './options-file.ts';
import { Pressure } from './pressure.ts';
import type { DirectoryContents } from './recovery.ts';
import { HeldSnapshots } from './held-snapshots.ts';
import { SnapshotRegister } from './snapshot-register.ts';
import type { TimeMarks } from './time-marks.ts';
import { WarmUp } from './warm-up.ts';
import { jobs } from './workers/jobs.ts';
import type { Components } from './components.ts';

/** What the run of open made before: memory, tables, the recovered state. */
export interface OpeningParts {
  readonly fs: FileSystem;
  readonly options: ResolvedDatabaseOptions;
  readonly components: Components;
  readonly tableFiles: FileSystem;
  readonly state: EngineState;
  /** Another one when a read-only database has read the log anew. */
  readonly pool: SegmentPool;
  readonly cache: BlockCache;
  readonly rows: RowCache;
  readonly tables: TableCache;
  readonly fileNumbers: SharedArrayBuffer;
  /** Those of the manifest and of the log. */
  readonly marks: TimeMarks;
}

const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
const READ_THREADS_MAX = 4;
const SEGMENT_BYTES_MIN = 64 * 1024;

/** Makes the new incarnation durable and puts the running parts together. */
export function assemble(
  parts: OpeningParts,
  version: Version,
  report: ReplayReport,
  contents: DirectoryContents,
): Core {
  const { fs, options, state } = parts;
  const { clock } = options;
  const scheduler = parts.components.scheduler ?? systemScheduler;
  const events = new Events();
  const userCode = new UserCode();
  const runner = makeRunner(parts, scheduler, userCode);
  const poison = new Poison((cause) => {
    core.durability?.poisoned();
    core.installer.poisoned();
    pressure.abandon(poison.error());
    state.sharing?.poisoned(cause);
    core.background.wake();
    void core.ingestions.close(poison.error());
    events.emit('poison', () => ({ cause }));
  });
  const counters: Counters = { user: 0, log: 0, flush: 0, compaction: 0, ingest: 0, merged: 0, rewritten: 0 };
  const incarnation = version.incarnation + (options.readOnly ? 0 : 1);
  const lastMark = version.timeMarks.at(-1)?.time ?? 0;
  state.time.raise(Math.floor(Math.max(report.lastTimestampMs, lastMark, version.storedTime)));
  const log = makeLog(parts, incarnation, report, contents, counters);
  const opened = options.readOnly
    ? { version, manifest: { path: '', number: 0, bytes: 0 } }
    : writeFirstManifest(
        fs,
        state,
        // The log may be let go of after this, and with it the times of its batches.
        applyEdit(version, { timeMarks: parts.marks.take() }),
        contents,
        parts.fileNumbers,
        log,
      );
  const policy = new SyncPolicy(options.sync);
  const durability =
    log === undefined ? undefined : new Durability({ log, state, policy, runner, scheduler, clock, poison });
  const external = new ExternalPosition(opened.version.appliedPosition);
  const pressure = new Pressure({
    strategy: options.pressure,
    limitBytes: options.memtableBytesMax,
    syncWaitMsMax: options.syncWaitMsMax,
    runner,
    scheduler,
    clock,
    events,
    usedBytes: () => parts.pool.bytesUsed,
    flushPending: () => core.background.flushPending,
    level0Files: () => core.background.level0FilesMax,
    level0Waiting: () => core.background.level0Waiting,
    level0Room: () => core.background.level0Room,
    makeRoom: () => core.background.makeRoom(),
    serve: () => {
      state.sharing?.serve();
      return state.sharing !== undefined;
    },
  });
  const { marks } = parts;
  const pipeline = new CommitPipeline({
    state,
    log,
    durability,
    external,
    pressure,
    poison,
    runner,
    batchBytesMax: options.batchBytesMax,
    lockMsMax: options.syncWaitMsMax,
    isReadOnly: options.readOnly,
    counters,
    committed: (touched) => {
      marks.sample(pipeline.lastTime, state.visible);
      core.background.committed(touched);
    },
  });
  const installer = new Installer(
    {
      runner,
      scheduler,
      poison,
      log,
      durability,
      state,
      manifest: opened.manifest,
      installed: (now, edit) => installed(core, now, edit),
    },
    opened.version,
  );
  let many: ManyGets | undefined;
  const core: Core = {
    state,
    options,
    fs,
    tableFiles: parts.tableFiles,
    clock,
    scheduler,
    runner,
    events,
    poison,
    userCode,
    get pool() {
      return parts.pool;
    },
    cache: parts.cache,
    rows: parts.rows,
    tables: parts.tables,
    register: new SnapshotRegister(state),
    snapshots: new HeldSnapshots(clock),
    get owner() {
      return core;
    },
    reads: new BlockFetcher(runner, options.reads, readThreads(options.workers)),
    counters,
    log,
    durability,
    external,
    get history() {
      return history;
    },
    pressure,
    get past() {
      return history;
    },
    pipeline,
    installer,
    get background() {
      return background;
    },
    get clockKeeper() {
      return clockKeeper;
    },
    get ingestions() {
      return ingestions;
    },
    get warmUp() {
      return warmUp;
    },
    get incarnation() {
      return installer.version.incarnation;
    },
    get memory() {
      return memory;
    },
    fileNumbers: parts.fileNumbers,
    found: new PointResult(),
    get many() {
      many ??= new ManyGets();
      return many;
    },
    editFacts: (flushed) => editFacts(core, flushed),
    get keptTables() {
      return keptTables;
    },
    releaseLog: () => {
      releaseLog(core);
      keptTables.prune();
    },
    trimLog: () => trimLog(core, keptTables),
    removeFiles: (paths) => removeFiles(core, paths),
  };
  const history = new History(core, marks, opened.version.keyspaces.values());
  const background = new Background(core);
  const ingestions = new Ingestions(core);
  const keptTables = new KeptTables(core, contents.kept);
  const memory = new MemoryTuner(core);
  const warmUp = new WarmUp(core, contents.caches);
  const clockKeeper = new ClockKeeper(core);
  background.versionInstalled(opened.version);
  if (!options.readOnly) {
    clockKeeper.start();
    const number = Number(Atomics.add(new BigInt64Array(parts.fileNumbers), 0, 1n));
    writeOptionsFile(fs, state, options, number, contents.options);
    removeFiles(core, obsoleteFiles(state.path, contents, opened.version, log));
    core.releaseLog();
  }
  return core;
}

function makeLog(
  parts: OpeningParts,
  incarnation: number,
  report: ReplayReport,
  contents: DirectoryContents,
  counters: Counters,
): Log | undefined {
  const { readOnly, log, logBytesMax, timestamps, recovery } = parts.options;
  if (readOnly || log === 'external') return undefined;
  const nextSegment = (): number => Number(Atomics.add(new BigInt64Array(parts.fileNumbers), 0, 1n));
  const { visible } = parts.state;
  let { segment, offset: endOffset } = report.end;
  if (recovery === 'salvage' && replayFloor(parts.state) >= visible) {
    // The log begins anew, behind a segment that there never was: nothing leads back to what may have holes, and should a
    // crash keep that from being removed.
    segment = nextSegment();
    endOffset = 0;
  }
  return new Log({
    retained: retainedLog(parts, incarnation, report, contents),
    // What salvage stepped over is not in the log, and no feed may pass it over in silence.
    holesUpTo: recovery === 'salvage' ? visible : 0,
    fs: parts.fs,
    directory: parts.state.path,
    incarnation,
    segmentBytes: Math.max(SEGMENT_BYTES_MIN, Math.min(SEGMENT_BYTES_MAX, Math.floor(logBytesMax / 8))),
    timestamps,
    nextSegment,
    previous: { segment, endOffset, lastSequence: visible },
    recovered: report.segments,
    counters,
  });
}

/** What the log was before the segments that replay needed, as far as it is to be kept for change feeds. */
function retainedLog(
  { fs, state, options }: OpeningParts,
  incarnation: number,
  report: ReplayReport,
  contents: DirectoryContents,
): RetainedLog {
  const { changesRetention, recovery } = options;
  const isWanted = changesRetention.bytes !== undefined || changesRetention.ms !== undefined;
  const now = (): number => state.time.now();
  if (!isWanted || recovery === 'salvage') return new RetainedLog(changesRetention, now);
  const found = findRetained({
    fs,
    directory: state.path,
    segments: contents.logs,
    report,
    lastSequence: state.visible,
    incarnation: incarnation - 1,
    now: now(),
  });
  return new RetainedLog(changesRetention, now, found);
}

/** Threads that read blocks: two even on a small machine, because what they wait for is mostly the disk. */
function readThreads(workers: number): number {
  return Math.min(READ_THREADS_MAX, Math.max(2, workers));
}

function makeRunner(parts: OpeningParts, scheduler: Scheduler, userCode: UserCode): JobRunner {
  const { workers, clock } = parts.options;
  if (parts.fs.threads === 'node' && parts.components.scheduler === undefined) {
    return new ThreadRunner({
      entry: workerEntry('./workers/job.worker', import.meta.url),
      threads: {
        io: 1,
        flush: 1,
        compaction: workers + 1,
        read: readThreads(workers),
        scan: workers,
        care: 1,
      },
    });
  }
  const { pickLane, sliceMs, uniqueId, losesJob } = parts.components;
  return new SliceRunner({
    fs: parts.fs,
    scheduler,
    clock,
    jobs,
    uniqueId,
    losesJob,
    userCode: userCode.find,
    ...(pickLane === undefined ? {} : { pick: pickLane }),
    ...(sliceMs === undefined ? {} : { sliceMs }),
  });
}

/** A new version is durable: the views of all trees follow it. */
function installed(core: Core, version: Version, { removedBlobs }: VersionEdit): void {
  for (const tree of core.state.trees.values()) {
    const keyspace = version.keyspaces.get(tree.id);
    if (keyspace !== undefined) tree.installVersion(keyspace);
  }
  core.background.versionInstalled(version);
  core.state.sharing?.installed();
  if (removedBlobs !== undefined) {
    const numbers = removedBlobs.map((blob) => blob.number);
    core.background.forget([], numbers);
  }
}
