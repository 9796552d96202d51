/**
 * One run of open: reads the directory, recovers the state, and has the parts of the running database put together. A
 * read-only open may run several times, each time from nothing.
 */
import { SegmentPool } from '../arena/segment-pool.ts';
import { invalid } from '../base/errors.ts';
import { BlockCache } from '../cache/block-cache.ts';
import { RowCache } from '../cache/row-cache.ts';
import { syncParent } from '../fs/durable-directory.ts';
import type { DirectoryLock, FileSystem } from '../fs/file-system.ts';
import { blobName, inDirectory, tableName } from '../fs/file-names.ts';
import { HeldFiles } from '../fs/held-files.ts';
import { readWarnings, withReads } from '../fs/table-reads.ts';
import { emptyKeyspace, emptyVersion, type Version } from '../manifest/version.ts';
import type { KeyspaceRecord } from '../manifest/version-edit.ts';
import { makeMemtable } from '../memtable/memtable.ts';
import { POOL_BYTES_MAX, poolBytes } from '../options/memory-limits.ts';
import type { ResolvedDatabaseOptions } from '../options/resolve.ts';
import { TableCache } from '../sstable/table-cache.ts';
import type { OpenReport } from './api-types.ts';
import { handOverAtExit } from './close.ts';
import { DatabaseHandle, type UpperFloors } from './database.ts';
import type { Core } from './core.ts';
import { renewPrepared } from './housekeeping.ts';
import { type FoundLink, keepReplayed } from './ingest/kept-tables.ts';
import { writableCodec } from './job-input.ts';
import { KeyspaceTable } from './keyspace-table.ts';
import { Follower, pathsOf, type ReadState } from './follower.ts';
import { answerLevels } from './owner-levels.ts';
import { replayBytesMax, findManifest, readDirectory, replayLog } from './recovery.ts';
import type { ReplayEnv } from './replay-env.ts';
import { flushReplayed } from './replay-flush.ts';
import { EngineState } from './state.ts';
import { TimeMarks } from './time-marks.ts';
import { Tree } from './tree.ts';
import { assemble, type OpeningParts } from './assemble.ts';
import type { Components } from './components.ts';

/** What filters that are held whole get of the memory budget: room that the caches leave by default. */
const FILTER_SHARE = 1 / 8;
/** What rows of hot keys get of the cache budget. */
const ROW_SHARE = 1 / 16;
const ROW_BYTES_MAX = 32 * 1024 * 1024;

/** One run of open: the state that its steps share. */
export class Opening {
  readonly #fs: FileSystem;
  readonly #options: ResolvedDatabaseOptions;
  readonly #upper: UpperFloors;
  readonly #components: Components;
  readonly #state: EngineState;
  /** Another one when a read-only database reads the log anew. */
  #pool: SegmentPool;
  readonly #cache: BlockCache;
  readonly #rows: RowCache;
  readonly #tables: TableCache;
  /** Read-only: the tables, open as long as somebody may read them. */
  readonly #held: HeldFiles | undefined;
  readonly #fileNumbers = new SharedArrayBuffer(8);

  constructor(
    fs: FileSystem,
    directory: string,
    options: ResolvedDatabaseOptions,
    upper: UpperFloors,
    components: Components,
  ) {
    this.#fs = fs;
    this.#options = options;
    this.#upper = upper;
    this.#components = components;
    this.#state = new EngineState(directory, options.clock);
    this.#pool = this.#newPool();
    const rowBytes = Math.min(ROW_BYTES_MAX, Math.floor(options.cacheBytesMax * ROW_SHARE));
    this.#rows = new RowCache(rowBytes);
    // Made for its largest share of the budget: pages that are not touched cost nothing.
    this.#cache = new BlockCache(options.memoryLimits.cache.max - rowBytes);
    this.#cache.setBytesMax(options.cacheBytesMax - rowBytes);
    const reading = withReads(fs, options.reads);
    this.#held = options.readOnly ? new HeldFiles(reading, options.openFilesMax) : undefined;
    this.#tables = new TableCache({
      fs: this.#held?.fs ?? reading,
      pathOf: (number) => inDirectory(directory, tableName(number)),
      blobPathOf: (number) => inDirectory(directory, blobName(number)),
      cache: this.#cache,
      openFilesMax: options.openFilesMax,
      filterBytesMax: Math.floor(options.memoryBytesMax * FILTER_SHARE),
    });
  }

  async run(lock: DirectoryLock | undefined): Promise<DatabaseHandle> {
    const clock = this.#options.clock;
    const started = clock.monotonic();
    const fs = this.#fs;
    const state = this.#state;
    for (const codec of this.#options.keyspaceDefaults.compression) writableCodec(codec);
    const contents = readDirectory(fs, state.path);
    const found = findManifest(fs, state.path, contents, this.#options.recovery);
    this.#checkMode(found !== undefined);
    // Before the log is read, which takes longer than a writer beside this needs to remove one.
    if (found !== undefined) this.#holdTables(found.version);
    // Whoever made the directory, perhaps an open that died, may not have come to this.
    if (found === undefined && !this.#options.readOnly) syncParent(fs, state.path);
    const recovering = this.#recovering(state, found?.version ?? emptyVersion());
    new BigInt64Array(this.#fileNumbers)[0] = BigInt(
      Math.max(recovering.version.nextFileNumber, contents.highest + 1),
    );
    const report = replayLog(recovering, contents.logs);
    this.#checkTimes(recovering.version);
    if (recovering.changes.length > 0) this.#holdTables(recovering.version);
    // What was read around damage becomes tables at once, so that the damaged log is not needed at the next open.
    if (this.#options.recovery === 'salvage' && !this.#options.readOnly) {
      flushReplayed(recovering, fs, this.#fileNumbers);
    }
    this.#keepPrepared(recovering);
    const kept = [...contents.kept, ...this.#keepForFeeds(recovering)];
    const core = assemble(this.#parts(recovering.marks), recovering.version, report, { ...contents, kept });
    if (this.#options.recovery === 'salvage' && state.prepared.size > 0) await this.#leaveDamage(core);
    const recovered: OpenReport = {
      batches: report.batches,
      bytes: report.bytes,
      cutBytes: report.cutBytes,
      segments: report.segments.length,
      ms: clock.monotonic() - started,
      warnings: [
        ...(found?.warnings ?? []),
        ...report.warnings,
        ...recovering.warnings,
        ...readWarnings(fs, this.#options.reads, state.path),
      ],
      background: core.runner.kind,
    };
    const keyspaces = new KeyspaceTable(core, core.installer.version.nextKeyspaceId, (record) =>
      this.#newTree(state, record, core.installer.version),
    );
    const follower =
      found === undefined || this.#held === undefined
        ? undefined
        : new Follower(
            {
              core,
              keyspaces,
              held: this.#held,
              newTree: (...of) => this.#newTree(...of),
              readAnew: () => this.#readAnew(),
            },
            {
              loaded: found,
              report,
              changes: recovering.changes,
              trees: state.trees,
              prepared: state.prepared,
            },
          );
    if (!this.#options.readOnly && fs.threads === 'node') handOverAtExit(core);
    // Later, when whoever opened can listen.
    core.scheduler.soon(() => core.events.emit('recovery', () => recovered));
    core.background.schedule();
    core.warmUp.start();
    const path = fs.name === 'memory' ? ':memory:' : state.path;
    answerLevels(lock, path, core);
    return new DatabaseHandle(path, core, keyspaces, recovered, this.#upper, follower, async () =>
      lock?.release(),
    );
  }

  /** Trees of what the manifest has, and the way to replay the log on top. */
  #recovering(state: EngineState, version: Version): ReplayEnv {
    const recovering: ReplayEnv = {
      fs: this.#fs,
      state,
      mode: this.#options.recovery,
      readOnly: this.#options.readOnly,
      version,
      changes: [],
      ingested: [],
      prepared: new Map(),
      marks: marksOf(version, this.#options.timestamps),
      newTree: (record) => this.#newTree(state, record, recovering.version),
      warnings: [],
      replayed: () => this.#flushInline(recovering),
      flush: () => flushReplayed(recovering, this.#fs, this.#fileNumbers),
    };
    state.visible = version.lastSequence;
    for (const { record } of version.keyspaces.values()) {
      state.trees.set(record.id, this.#newTree(state, record, version));
    }
    return recovering;
  }

  /** What is prepared would keep the damaged log: its records are written anew, and the manifest says that the old ones are not needed. */
  async #leaveDamage(core: Core): Promise<void> {
    if (core.log === undefined) return;
    renewPrepared(core, core.state.visible);
    await new Promise<void>((resolve, reject) => {
      core.installer.install(
        () => core.editFacts(),
        (error) => (error === undefined ? resolve() : reject(error)),
      );
    });
  }

  /** Tables that the log names, of which the manifest did not know. */
  #keepForFeeds({ ingested, readOnly }: ReplayEnv): FoundLink[] {
    const { bytes, ms } = this.#options.changesRetention;
    if (readOnly || (bytes === undefined && ms === undefined)) return [];
    return keepReplayed(this.#fs, this.#state.path, ingested);
  }

  /** Before the log is let go of: their records are in it and nowhere else. */
  #keepPrepared({ prepared, state }: ReplayEnv): void {
    for (const { id, sequence, time, locks, batch } of prepared.values()) {
      state.prepared.set(id, { sequence, time, locks, batch });
    }
  }

  /** Without times nobody would know when the window of a keyspace begins. */
  #checkTimes({ keyspaces }: Version): void {
    const { timestamps, readOnly } = this.#options;
    if (timestamps || readOnly) return;
    const keeping = [...keyspaces.values()].filter(({ retention }) => (retention?.ms ?? 0) > 0);
    if (keeping.length === 0) return;
    const names = keeping.map(({ record }) => record.name);
    const message = `timestamps: false does not go together with the retention.ms that is stored with ${names.join(', ')}: end it first, with timestamps, by retention: {}`;
    throw invalid('OPTION_INVALID', message, { option: 'timestamps', keyspaces: names });
  }

  /** Read-only: what a writer removes from now on can still be read. */
  #holdTables(version: Version): void {
    try {
      this.#held?.hold(pathsOf(this.#state.path, version));
    } catch (error) {
      this.#held?.keepOnly(new Set());
      throw error;
    }
  }

  /** For a read-only database beside a writer that has started over: the same again, into other memory. */
  #readAnew(): ReadState {
    const { path } = this.#state;
    const contents = readDirectory(this.#fs, path);
    const loaded = findManifest(this.#fs, path, contents, this.#options.recovery);
    if (loaded === undefined)
      throw invalid('NOT_FOUND', `there is no database at ${path} any more`, { path });
    this.#pool = this.#newPool();
    const recovering = this.#recovering(new EngineState(path, this.#options.clock), loaded.version);
    const report = replayLog(recovering, contents.logs);
    this.#keepPrepared(recovering);
    const { trees, prepared } = recovering.state;
    return { loaded, report, changes: recovering.changes, trees, prepared };
  }

  #newPool(): SegmentPool {
    const { readOnly, memoryLimits, batchBytesMax } = this.#options;
    // Made for its largest share of the budget: pages that are not touched cost nothing.
    const bytes = poolBytes(memoryLimits.memtables.max, batchBytesMax);
    // Reading only, nothing can be flushed: the log that an owner with other settings left must fit as a whole.
    const unflushed = readOnly ? replayBytesMax(this.#fs, this.#state.path) : 0;
    return new SegmentPool(Math.min(POOL_BYTES_MAX, Math.max(bytes, unflushed)));
  }

  #checkMode(exists: boolean): void {
    const { createIfMissing, errorIfExists } = this.#options;
    const path = this.#state.path;
    if (exists && errorIfExists) throw invalid('EXISTS', `there is a database at ${path} already`, { path });
    if (!exists && !createIfMissing) throw invalid('NOT_FOUND', `there is no database at ${path}`, { path });
  }

  #newTree(state: EngineState, record: KeyspaceRecord, version: Version): Tree {
    return new Tree(
      state,
      record,
      this.#options.keyspaceDefaults,
      version.keyspaces.get(record.id) ?? emptyKeyspace(record),
      this.#tables,
      this.#rows,
      () => makeMemtable(this.#components.memtable ?? 'btree', this.#pool),
    );
  }

  /** During replay memtables over the budget become tables at once, on this thread; the new manifest names them. */
  #flushInline(recovering: ReplayEnv): void {
    if (this.#options.readOnly || this.#pool.bytesUsed < this.#options.memtableBytesMax) return;
    flushReplayed(recovering, this.#fs, this.#fileNumbers);
  }

  #parts(marks: TimeMarks): OpeningParts {
    const poolNow = (): SegmentPool => this.#pool;
    return {
      fs: this.#fs,
      options: this.#options,
      components: this.#components,
      tableFiles: this.#held?.fs ?? this.#fs,
      state: this.#state,
      get pool() {
        return poolNow();
      },
      cache: this.#cache,
      rows: this.#rows,
      tables: this.#tables,
      fileNumbers: this.#fileNumbers,
      marks,
    };
  }
}

/** Those of the manifest, to which the log adds its own: each of its batches when somebody keeps the past. */
function marksOf({ timeMarks, keyspaces }: Version, timestamps: boolean): TimeMarks {
  const marks = new TimeMarks(timestamps);
  marks.load(timeMarks);
  marks.isKept = [...keyspaces.values()].some(({ retention }) => retention !== undefined && retention.ms > 0);
  return marks;
}
