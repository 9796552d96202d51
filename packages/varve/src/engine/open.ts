/**
 * Opens a database: takes the directory, recovers, and wires the parts together. The only place that knows them all.
 */
import { resolve, sep } from 'node:path';
import { SegmentPool } from '../arena/segment-pool.ts';
import { PointResult } from '../base/entry.ts';
import { invalid } from '../base/errors.ts';
import { BlockCache } from '../cache/block-cache.ts';
import { makeDurableDirectory, removeIfEmpty, syncParent } from '../fs/durable-directory.ts';
import type { DirectoryLock, FileSystem } from '../fs/file-system.ts';
import { inDirectory, tableName } from '../fs/file-names.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { nodeFileSystem } from '../fs/node-fs.ts';
import { emptyKeyspace, emptyVersion, type Version } from '../manifest/version.ts';
import type { KeyspaceRecord } from '../manifest/version-edit.ts';
import { SkipList } from '../memtable/skiplist.ts';
import { Events } from '../observe/events.ts';
import { resolveDatabaseOptions, type ResolvedDatabaseOptions } from '../options/resolve.ts';
import { BatchBuffer } from '../record/batch.ts';
import { Poison } from '../runtime/poison.ts';
import { type Scheduler, systemScheduler } from '../runtime/scheduler.ts';
import { ready } from '../sstable/checksum.ts';
import { TableCache } from '../sstable/table-cache.ts';
import { Log } from '../wal/log.ts';
import type { ReplayReport } from '../wal/replay-run.ts';
import { SyncPolicy } from '../wal/sync-policy.ts';
import type { JobRunner } from '../workers/job-runner.ts';
import { workerEntry } from '../workers/resolve.ts';
import { SliceRunner } from '../workers/slice-runner.ts';
import { ThreadRunner } from '../workers/thread-runner.ts';
import type { OpenReport } from './api-types.ts';
import { Background } from './background.ts';
import { handOverAtExit } from './close.ts';
import { CommitPipeline } from './commit-pipeline.ts';
import type { Core, Counters } from './core.ts';
import { DatabaseHandle, type Maintenance } from './database.ts';
import { Durability } from './durability.ts';
import { ExternalPosition } from './external-position.ts';
import { writeFirstManifest } from './first-manifest.ts';
import { editFacts, obsoleteFiles, releaseLog, removeFiles, replayFloor } from './housekeeping.ts';
import { Installer } from './installer.ts';
import { KeyspaceTable } from './keyspace-table.ts';
import { writeOptionsFile } from './options-file.ts';
import { Pressure } from './pressure.ts';
import {
  type DirectoryContents,
  filesSeen,
  replayBytesMax,
  findManifest,
  readDirectory,
  replayLog,
  type ReplayEnv,
} from './recovery.ts';
import { flushReplayed } from './replay-flush.ts';
import { SnapshotRegister } from './snapshot-register.ts';
import { EngineState } from './state.ts';
import { TimeMarks } from './time-marks.ts';
import { Tree } from './tree.ts';
import { jobs } from './workers/jobs.ts';

/** What a simulation or a test replaces beside the file system and the clock. */
export interface Components {
  readonly scheduler?: Scheduler;
  /** Chooses which busy lane takes the next step, when jobs run in slices. */
  readonly pickLane?: (count: number) => number;
  /** Unique ids of tables (16 bytes each), when jobs run in slices. */
  readonly uniqueId?: () => Uint8Array;
  /** Milliseconds of background work per turn when jobs run in slices; 0 is one step. */
  readonly sliceMs?: number;
}

/** Attempts of a read-only open beside an owner that moves files. */
const ATTEMPTS_MAX = 10;
const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
const SEGMENT_BYTES_MIN = 64 * 1024;
/** Memtable memory beside the budget: one largest batch, and what chunks round up. */
const POOL_SLACK = 16 * 1024 * 1024;
const POOL_BYTES_MAX = 4 * 1024 * 1024 * 1024 - 64 * 1024;

/** Opens or creates the database at `path`; ':memory:' needs no disk. See `open` of the package. */
export async function openDatabase(
  path: string,
  options: unknown,
  maintenance: Maintenance,
  components: Components = {},
): Promise<DatabaseHandle> {
  if (typeof path !== 'string' || path === '') {
    throw invalid('PATH_INVALID', "open takes the path of a directory, or ':memory:'", { got: typeof path });
  }
  const resolved = resolveDatabaseOptions(options);
  await ready();
  const inMemory = path === ':memory:' && resolved.fileSystem === undefined;
  const fs = inMemory ? new MemoryFs() : ((resolved.fileSystem as FileSystem | undefined) ?? nodeFileSystem);
  const directory = inMemory ? '/memory' : fs.threads === 'node' ? resolve(path).replaceAll(sep, '/') : path;
  const created = prepareDirectory(fs, directory, resolved, path);
  const lock = resolved.readOnly ? undefined : await fs.lock(directory);
  for (let attempt = 1; ; attempt++) {
    const before = resolved.readOnly ? filesSeen(fs, directory) : '';
    try {
      return await new Opening(fs, directory, resolved, maintenance, components).run(lock);
    } catch (error) {
      // Without the lock an owner may have worked on between two looks at the directory: then look again.
      if (resolved.readOnly && attempt < ATTEMPTS_MAX && filesSeen(fs, directory) !== before) continue;
      await lock?.release();
      if (created) removeIfEmpty(fs, directory);
      throw error;
    }
  }
}

/** Makes the directory when that is allowed; true when it was not there. */
function prepareDirectory(
  fs: FileSystem,
  directory: string,
  options: ResolvedDatabaseOptions,
  path: string,
): boolean {
  const status = fs.status(directory);
  if (status !== undefined && status.kind !== 'directory') {
    throw invalid('NOT_A_DIRECTORY', `${path} is a file; a database is a directory`, { path });
  }
  if (status !== undefined) return false;
  if (!options.createIfMissing) throw invalid('NOT_FOUND', `there is no database at ${path}`, { path });
  makeDurableDirectory(fs, directory);
  return true;
}

/** One run of open: the state that its steps share. */
class Opening {
  readonly #fs: FileSystem;
  readonly #options: ResolvedDatabaseOptions;
  readonly #maintenance: Maintenance;
  readonly #components: Components;
  readonly #state: EngineState;
  readonly #pool: SegmentPool;
  readonly #cache: BlockCache;
  readonly #tables: TableCache;
  readonly #fileNumbers = new SharedArrayBuffer(8);

  constructor(
    fs: FileSystem,
    directory: string,
    options: ResolvedDatabaseOptions,
    maintenance: Maintenance,
    components: Components,
  ) {
    this.#fs = fs;
    this.#options = options;
    this.#maintenance = maintenance;
    this.#components = components;
    this.#state = new EngineState(directory);
    const poolBytes = options.memtableBytesMax + options.batchBytesMax * 2 + POOL_SLACK;
    // Reading only, nothing can be flushed: the log that an owner with other settings left must fit as a whole.
    const unflushed = options.readOnly ? replayBytesMax(fs, directory) : 0;
    this.#pool = new SegmentPool(Math.min(POOL_BYTES_MAX, Math.max(poolBytes, unflushed)));
    this.#cache = new BlockCache(options.cacheBytesMax);
    this.#tables = new TableCache({
      fs,
      pathOf: (number) => inDirectory(directory, tableName(number)),
      cache: this.#cache,
      openFilesMax: options.openFilesMax,
    });
  }

  async run(lock: DirectoryLock | undefined): Promise<DatabaseHandle> {
    const clock = this.#options.clock;
    const started = clock.monotonic();
    const fs = this.#fs;
    const state = this.#state;
    const contents = readDirectory(fs, state.path);
    const found = findManifest(fs, state.path, contents, this.#options.recovery);
    this.#checkMode(found !== undefined);
    // Whoever made the directory, perhaps an open that died, may not have come to this.
    if (found === undefined && !this.#options.readOnly) syncParent(fs, state.path);
    const recovering: ReplayEnv = {
      fs,
      state,
      mode: this.#options.recovery,
      readOnly: this.#options.readOnly,
      version: found?.version ?? emptyVersion(),
      newTree: (record) => this.#newTree(record, recovering.version),
      replayed: () => this.#flushInline(recovering),
    };
    new BigInt64Array(this.#fileNumbers)[0] = BigInt(
      Math.max(recovering.version.nextFileNumber, contents.highest + 1),
    );
    state.visible = recovering.version.lastSequence;
    for (const keyspace of recovering.version.keyspaces.values()) {
      state.trees.set(keyspace.record.id, this.#newTree(keyspace.record, recovering.version));
    }
    const report = replayLog(recovering, contents.logs);
    const core = this.#wire(recovering.version, report, contents);
    const recovered: OpenReport = {
      batches: report.batches,
      bytes: report.bytes,
      cutBytes: report.cutBytes,
      segments: report.segments.length,
      ms: clock.monotonic() - started,
      warnings: [...(found?.warnings ?? []), ...report.warnings],
      background: core.runner.kind,
    };
    const keyspaces = new KeyspaceTable(core, core.installer.version.nextKeyspaceId, (record) =>
      this.#newTree(record, core.installer.version),
    );
    if (!this.#options.readOnly && fs.threads === 'node') handOverAtExit(core);
    // Later, when whoever opened can listen.
    core.scheduler.soon(() => core.events.emit('recovery', () => recovered));
    core.background.schedule();
    const path = fs.name === 'memory' ? ':memory:' : state.path;
    return new DatabaseHandle(path, core, keyspaces, recovered, this.#maintenance, async () =>
      lock?.release(),
    );
  }

  #checkMode(exists: boolean): void {
    const { createIfMissing, errorIfExists } = this.#options;
    const path = this.#state.path;
    if (exists && errorIfExists) throw invalid('EXISTS', `there is a database at ${path} already`, { path });
    if (!exists && !createIfMissing) throw invalid('NOT_FOUND', `there is no database at ${path}`, { path });
  }

  #newTree(record: KeyspaceRecord, version: Version): Tree {
    return new Tree(
      this.#state,
      record,
      this.#options.keyspaceDefaults,
      version.keyspaces.get(record.id) ?? emptyKeyspace(record),
      this.#tables,
      () => new SkipList(this.#pool),
    );
  }

  /** During replay memtables over the budget become tables at once, on this thread; the new manifest names them. */
  #flushInline(recovering: ReplayEnv): void {
    if (this.#options.readOnly || this.#pool.bytesUsed < this.#options.memtableBytesMax) return;
    flushReplayed(recovering, this.#fs, this.#fileNumbers);
  }

  /** Makes the new incarnation durable and puts the running parts together. */
  #wire(version: Version, report: ReplayReport, contents: DirectoryContents): Core {
    const fs = this.#fs;
    const options = this.#options;
    const state = this.#state;
    const { clock } = options;
    const scheduler = this.#components.scheduler ?? systemScheduler;
    const events = new Events();
    const runner = this.#makeRunner(scheduler);
    const poison = new Poison((cause) => {
      core.durability?.poisoned();
      core.installer.poisoned();
      pressure.abandon(poison.error());
      core.background.wake();
      events.emit('poison', () => ({ cause }));
    });
    const counters: Counters = { user: 0, log: 0, flush: 0, compaction: 0 };
    const incarnation = version.incarnation + (options.readOnly ? 0 : 1);
    const log = this.#makeLog(incarnation, report, counters);
    const opened = options.readOnly
      ? { version, manifest: { path: '', bytes: 0 } }
      : writeFirstManifest(
          fs,
          state,
          version,
          contents,
          this.#fileNumbers,
          log?.firstNeeded(replayFloor(state)) ?? version.logSegment,
        );
    const policy = new SyncPolicy(options.sync);
    const durability =
      log === undefined ? undefined : new Durability({ log, policy, runner, scheduler, clock, poison });
    const external = new ExternalPosition(opened.version.appliedPosition);
    const pressure = new Pressure({
      strategy: options.pressure,
      limitBytes: options.memtableBytesMax,
      syncWaitMsMax: options.syncWaitMsMax,
      runner,
      clock,
      events,
      usedBytes: () => this.#pool.bytesUsed,
      flushPending: () => core.background.flushPending,
      level0Files: () => core.background.level0FilesMax,
      makeRoom: () => core.background.makeRoom(),
    });
    const marks = new TimeMarks(options.timestamps);
    const pipeline = new CommitPipeline({
      state,
      log,
      durability,
      external,
      pressure,
      poison,
      runner,
      clock,
      batchBytesMax: options.batchBytesMax,
      isReadOnly: options.readOnly,
      lastTime: Math.max(report.lastTimestampMs, version.timeMarks.at(-1)?.time ?? 0),
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
        manifest: opened.manifest,
        installed: (now) => installed(core, now),
      },
      opened.version,
    );
    const core: Core = {
      state,
      options,
      fs,
      clock,
      scheduler,
      runner,
      events,
      poison,
      pool: this.#pool,
      cache: this.#cache,
      tables: this.#tables,
      register: new SnapshotRegister(),
      counters,
      log,
      durability,
      external,
      pressure,
      pipeline,
      installer,
      get background() {
        return background;
      },
      incarnation: opened.version.incarnation,
      fileNumbers: this.#fileNumbers,
      found: new PointResult(),
      scratch: new BatchBuffer(),
      editFacts: (flushed) => editFacts(core, marks, flushed),
      releaseLog: () => releaseLog(core),
      removeFiles: (paths) => removeFiles(core, paths),
    };
    const background = new Background(core);
    background.versionInstalled(opened.version);
    if (!options.readOnly) {
      const number = Number(Atomics.add(new BigInt64Array(this.#fileNumbers), 0, 1n));
      writeOptionsFile(fs, state, options, number, contents.options);
      removeFiles(core, obsoleteFiles(state.path, contents, opened.version));
      releaseLog(core);
    }
    return core;
  }

  #makeLog(incarnation: number, report: ReplayReport, counters: Counters): Log | undefined {
    const { readOnly, log, logBytesMax, timestamps } = this.#options;
    if (readOnly || log === 'external') return undefined;
    return new Log({
      fs: this.#fs,
      directory: this.#state.path,
      incarnation,
      segmentBytes: Math.max(SEGMENT_BYTES_MIN, Math.min(SEGMENT_BYTES_MAX, Math.floor(logBytesMax / 8))),
      timestamps,
      nextSegment: () => Number(Atomics.add(new BigInt64Array(this.#fileNumbers), 0, 1n)),
      previous: {
        segment: report.end.segment,
        endOffset: report.end.offset,
        lastSequence: this.#state.visible,
      },
      recovered: report.segments,
      counters,
    });
  }

  #makeRunner(scheduler: Scheduler): JobRunner {
    const { workers, clock } = this.#options;
    if (this.#fs.threads === 'node' && this.#components.scheduler === undefined) {
      return new ThreadRunner({
        entry: workerEntry('./workers/job.worker', import.meta.url),
        threads: { io: 1, flush: 1, compaction: workers },
      });
    }
    const { pickLane, sliceMs, uniqueId } = this.#components;
    return new SliceRunner({
      fs: this.#fs,
      scheduler,
      clock,
      jobs,
      uniqueId,
      ...(pickLane === undefined ? {} : { pick: pickLane }),
      ...(sliceMs === undefined ? {} : { sliceMs }),
    });
  }
}

/** A new version is durable: the views of all trees follow it. */
function installed(core: Core, version: Version): void {
  for (const tree of core.state.trees.values()) {
    const keyspace = version.keyspaces.get(tree.id);
    if (keyspace !== undefined) tree.installVersion(keyspace);
  }
  core.background.versionInstalled(version);
}
