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
import { inDirectory, tableName } from '../fs/file-names.ts';
import { readWarnings, withReads } from '../fs/table-reads.ts';
import { emptyKeyspace, emptyVersion, type Version } from '../manifest/version.ts';
import type { KeyspaceRecord } from '../manifest/version-edit.ts';
import { makeMemtable } from '../memtable/memtable.ts';
import { POOL_BYTES_MAX, poolBytes } from '../options/memory-limits.ts';
import type { ResolvedDatabaseOptions } from '../options/resolve.ts';
import { TableCache } from '../sstable/table-cache.ts';
import type { OpenReport } from './api-types.ts';
import { handOverAtExit } from './close.ts';
import { DatabaseHandle, type Maintenance } from './database.ts';
import { writableCodec } from './job-input.ts';
import { KeyspaceTable } from './keyspace-table.ts';
import { replayBytesMax, findManifest, readDirectory, replayLog, type ReplayEnv } from './recovery.ts';
import { flushReplayed } from './replay-flush.ts';
import { EngineState } from './state.ts';
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
  readonly #maintenance: Maintenance;
  readonly #components: Components;
  readonly #state: EngineState;
  readonly #pool: SegmentPool;
  readonly #cache: BlockCache;
  readonly #rows: RowCache;
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
    // Both are made for their largest share of the budget: pages that are not touched cost nothing.
    const { memtables, cache } = options.memoryLimits;
    const memtableBytes = poolBytes(memtables.max, options.batchBytesMax);
    // Reading only, nothing can be flushed: the log that an owner with other settings left must fit as a whole.
    const unflushed = options.readOnly ? replayBytesMax(fs, directory) : 0;
    this.#pool = new SegmentPool(Math.min(POOL_BYTES_MAX, Math.max(memtableBytes, unflushed)));
    const rowBytes = Math.min(ROW_BYTES_MAX, Math.floor(options.cacheBytesMax * ROW_SHARE));
    this.#rows = new RowCache(rowBytes);
    this.#cache = new BlockCache(cache.max - rowBytes);
    this.#cache.setBytesMax(options.cacheBytesMax - rowBytes);
    this.#tables = new TableCache({
      fs: withReads(fs, options.reads),
      pathOf: (number) => inDirectory(directory, tableName(number)),
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
    // What was read around damage becomes tables at once, so that the damaged log is not needed at the next open.
    if (this.#options.recovery === 'salvage' && !this.#options.readOnly) {
      flushReplayed(recovering, fs, this.#fileNumbers);
    }
    const core = assemble(this.#parts(), recovering.version, report, contents);
    const recovered: OpenReport = {
      batches: report.batches,
      bytes: report.bytes,
      cutBytes: report.cutBytes,
      segments: report.segments.length,
      ms: clock.monotonic() - started,
      warnings: [
        ...(found?.warnings ?? []),
        ...report.warnings,
        ...readWarnings(fs, this.#options.reads, state.path),
      ],
      background: core.runner.kind,
    };
    const keyspaces = new KeyspaceTable(core, core.installer.version.nextKeyspaceId, (record) =>
      this.#newTree(record, core.installer.version),
    );
    if (!this.#options.readOnly && fs.threads === 'node') handOverAtExit(core);
    // Later, when whoever opened can listen.
    core.scheduler.soon(() => core.events.emit('recovery', () => recovered));
    core.background.schedule();
    core.warmUp.start();
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
      this.#rows,
      () => makeMemtable(this.#components.memtable ?? 'btree', this.#pool),
    );
  }

  /** During replay memtables over the budget become tables at once, on this thread; the new manifest names them. */
  #flushInline(recovering: ReplayEnv): void {
    if (this.#options.readOnly || this.#pool.bytesUsed < this.#options.memtableBytesMax) return;
    flushReplayed(recovering, this.#fs, this.#fileNumbers);
  }

  #parts(): OpeningParts {
    return {
      fs: this.#fs,
      options: this.#options,
      components: this.#components,
      state: this.#state,
      pool: this.#pool,
      cache: this.#cache,
      rows: this.#rows,
      tables: this.#tables,
      fileNumbers: this.#fileNumbers,
    };
  }
}
