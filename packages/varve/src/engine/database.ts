/**
 * The public database: checks, and hands over. No engine logic lives here.
 *
 * Made by open.ts. Every method may be called from the owner's thread only.
 */
import { closed, invalid } from '../base/errors.ts';
import type {
  Database,
  DatabaseStats,
  IngestOptions,
  IngestReport,
  OpenReport,
  CompactOptions,
  RefreshReport,
  ShareHandle,
  VerifyReport,
} from './api-types.ts';
import type {
  Batch,
  Durability,
  Keyspace,
  KeyspaceOptions,
  Snapshot,
  SnapshotOptions,
  WriteWait,
} from './keyspace-types.ts';
import { BatchHandle } from './batch.ts';
import type { ChangeFeed, ChangesOptions, ChangesStats } from './change-types.ts';
import { closeDatabase } from './close.ts';
import type { LevelsReport, ReclaimOptions, ReclaimReport } from './compaction-types.ts';
import { compactDatabase } from './compactions/compact.ts';
import { collectLevels } from './compactions/levels.ts';
import { reclaimDatabase } from './compactions/reclaim.ts';
import type { Core, Session } from './core.ts';
import { type Follower, notReadOnly } from './follower.ts';
import { replayFloor } from './housekeeping.ts';
import type { Difference, DiffOptions } from './history-types.ts';
import { ingest } from './ingest/ingest.ts';
import type { KeyspaceHandle } from './keyspace.ts';
import type { KeyspaceRequest, KeyspaceTable } from './keyspace-table.ts';
import type { PressureStats } from './pressure-types.ts';
import { SnapshotHandle } from './snapshot.ts';
import { collectStats } from './stats.ts';
import type {
  PreparedTransaction,
  RetryOptions,
  Transaction,
  TransactionOptions,
  TransactionStats,
} from './transaction-types.ts';
import { decide, withOptions } from './write-wait.ts';
import { writeBatch } from './write-batch.ts';
import { AskedCompactions } from './sharing/asked-compactions.ts';
import { answerPast } from './sharing/attached-past.ts';
import type { LockRecords } from './sharing/lock-records.ts';
import { type OwnerRequests, SharedOwner } from './sharing/owner.ts';

/** The transactions of a session (transaction/). */
export interface Transactions {
  begin(options?: TransactionOptions): Transaction;
  run<T>(fn: (transaction: Transaction) => T | Promise<T>, options?: RetryOptions): Promise<T>;
  stats(): TransactionStats;
  close(error: Error): void;
  readonly locks: SharedLocking;
  readonly prepared: {
    commit(id: string): number;
    rollback(id: string): number;
    list(): PreparedTransaction[];
  };
}

/** Locks of transactions, once threads share the database. */
export interface SharedLocking {
  /** @throws busy `LOCKS_FULL` when more is locked than can be shared */
  checkFits(): void;
  /** From now on they are in the records. */
  share(records: LockRecords): void;
  /** The thread that has the slot is gone. */
  threadGone(slot: number): void;
}

/** The change feeds of a database (history/). */
export interface ChangeFeeds {
  open(options?: ChangesOptions<unknown>): ChangeFeed<unknown, unknown>;
  stats(): ChangesStats;
  close(error: Error): void;
}

/** What higher floors bring (maintenance, transaction, history): given to open, so that the engine does not import upwards. */
export interface UpperFloors {
  verify(core: Core, full: boolean): Promise<VerifyReport>;
  checkpoint(core: Core, path: string): Promise<void>;
  transactions(session: Session): Transactions;
  diff<K, V>(
    session: Session,
    from: Date | number,
    to: Date | number | undefined,
    options: DiffOptions<K, V>,
  ): Iterable<Difference<K, V>>;
  changes(core: Core): ChangeFeeds;
}

export class DatabaseHandle implements Database {
  readonly recovered: OpenReport;
  readonly #path: string;
  readonly #core: Core;
  readonly #keyspaces: KeyspaceTable;
  readonly #upper: UpperFloors;
  /** Undefined unless opened read-only. */
  readonly #follower: Follower | undefined;
  readonly #release: () => Promise<void>;
  readonly #transactions: Transactions;
  readonly #changes: ChangeFeeds;
  #closing: Promise<void> | undefined;

  constructor(
    path: string,
    core: Core,
    keyspaces: KeyspaceTable,
    recovered: OpenReport,
    upper: UpperFloors,
    follower: Follower | undefined,
    release: () => Promise<void>,
  ) {
    this.#path = path;
    this.#core = core;
    this.#keyspaces = keyspaces;
    this.recovered = recovered;
    this.#upper = upper;
    this.#follower = follower;
    this.#release = release;
    this.#transactions = upper.transactions(core);
    this.#changes = upper.changes(core);
  }

  get path(): string {
    return this.#path;
  }

  get events(): EventTarget {
    return this.#core.events.target;
  }

  keyspace<K = Uint8Array, V = Uint8Array>(
    name: string,
    options?: KeyspaceOptions<K, V>,
  ): KeyspaceHandle<K, V> {
    this.#core.state.checkOpen();
    return this.#keyspaces.open<K, V>(name, options);
  }

  keyspaces(): string[] {
    this.#core.state.checkOpen();
    return this.#keyspaces.names();
  }

  async dropKeyspace(name: string): Promise<void> {
    this.#core.state.checkOpen();
    await this.#keyspaces.drop(name);
  }

  batch(): Batch {
    this.#core.state.checkOpen();
    return new BatchHandle(this.#core);
  }

  write(batch: Batch): number;
  write(batch: Batch, wait: WriteWait): Promise<number>;
  write(batch: Batch, wait?: WriteWait): number | Promise<number> {
    return withOptions(wait, () => writeBatch(this.#core, batch, wait));
  }

  begin(options?: TransactionOptions): Transaction {
    return this.#transactions.begin(options);
  }

  transaction<T>(fn: (transaction: Transaction) => T | Promise<T>, options?: RetryOptions): Promise<T> {
    return this.#transactions.run(fn, options);
  }

  commitPrepared(id: string): number;
  commitPrepared(id: string, wait: { durability: Durability }): Promise<number>;
  commitPrepared(id: string, wait?: { durability: Durability }): number | Promise<number> {
    return decide(this.#core, wait, () => this.#transactions.prepared.commit(id));
  }

  rollbackPrepared(id: string): number;
  rollbackPrepared(id: string, wait: { durability: Durability }): Promise<number>;
  rollbackPrepared(id: string, wait?: { durability: Durability }): number | Promise<number> {
    return decide(this.#core, wait, () => this.#transactions.prepared.rollback(id));
  }

  preparedTransactions(): PreparedTransaction[] {
    return this.#transactions.prepared.list();
  }

  snapshot(options: SnapshotOptions = {}): Snapshot {
    return new SnapshotHandle(this.#core, options, DatabaseHandle.prototype.snapshot);
  }

  at(target: Date | number, options: SnapshotOptions = {}): Snapshot {
    return new SnapshotHandle(this.#core, options, DatabaseHandle.prototype.at, { at: target });
  }

  diff<K = Uint8Array, V = Uint8Array>(
    from: Date | number,
    to?: Date | number,
    options: DiffOptions<K, V> = {},
  ): Iterable<Difference<K, V>> {
    return this.#upper.diff(this.#core, from, to, options);
  }

  changes<K, V>(options: ChangesOptions<K> & { keyspaces: readonly [Keyspace<K, V>] }): ChangeFeed<K, V>;
  changes(options?: ChangesOptions & { keyspaces?: readonly string[] }): ChangeFeed;
  changes(options: ChangesOptions): ChangeFeed<unknown, unknown>;
  changes(options?: ChangesOptions<unknown>): ChangeFeed<unknown, unknown> {
    return this.#changes.open(options);
  }

  async sync(durability: 'os' | 'disk' = 'disk'): Promise<number> {
    const { state, durability: log } = this.#core;
    checkSyncClass(durability);
    state.checkOpen();
    if (log === undefined) return this.#inTables();
    return log.reach(durability, state.visible);
  }

  syncNow(durability: 'os' | 'disk' = 'disk'): number {
    const { state, durability: log } = this.#core;
    checkSyncClass(durability);
    state.checkOpen();
    return log === undefined ? this.#inTables() : log.syncNow(durability);
  }

  /** Without a log of our own, what is safe is what is in tables; read-only, all that was found. */
  #inTables(): number {
    const { state, options } = this.#core;
    return options.readOnly ? state.visible : replayFloor(state);
  }

  async flush(): Promise<void> {
    this.#core.pipeline.checkMutable();
    await this.#core.background.flush();
  }

  async compact(options: CompactOptions = {}): Promise<void> {
    this.#core.pipeline.checkMutable();
    await compactDatabase(this.#core, options);
  }

  async reclaim(options: ReclaimOptions = {}): Promise<ReclaimReport> {
    this.#core.pipeline.checkMutable();
    return reclaimDatabase(this.#core, options);
  }

  pauseCompaction(): void {
    this.#core.pipeline.checkMutable();
    this.#core.background.compactions.gate.pause();
  }

  resumeCompaction(): void {
    this.#core.state.checkOpen();
    this.#core.background.compactions.gate.resume();
    this.#core.background.schedule();
  }

  levels(): LevelsReport {
    this.#core.state.checkOpen();
    return collectLevels(this.#core);
  }

  get pressure(): PressureStats {
    const { pressure, durability } = this.#core;
    return pressure.report(durability?.fullDiskRefusals ?? 0);
  }

  async verify(options: { full?: boolean } = {}): Promise<VerifyReport> {
    this.#core.state.checkOpen();
    return this.#upper.verify(this.#core, options.full ?? true);
  }

  async checkpoint(path: string): Promise<void> {
    this.#core.state.checkOpen();
    await this.#upper.checkpoint(this.#core, path);
  }

  async ingest<K, V>(
    keyspace: Keyspace<K, V>,
    entries: Iterable<readonly [K, V]> | AsyncIterable<readonly [K, V]>,
    options?: IngestOptions,
  ): Promise<IngestReport> {
    return ingest(this.#core, keyspace, entries, options);
  }

  async refresh(): Promise<RefreshReport> {
    this.#core.state.checkOpen();
    if (this.#follower === undefined) throw notReadOnly();
    return this.#follower.refresh();
  }

  stats(): DatabaseStats {
    this.#core.state.checkOpen();
    return collectStats(this.#core, this.#transactions.stats(), this.#changes.stats());
  }

  share(): ShareHandle {
    const core = this.#core;
    core.state.checkOpen();
    return (core.state.sharing ?? this.#share()).handle;
  }

  #share(): SharedOwner {
    const { locks } = this.#transactions;
    locks.checkFits();
    const compactions = new AskedCompactions(this.#core, this);
    const owner = new SharedOwner(this.#core, {
      path: this.#path,
      recovered: this.recovered,
      requests: { ...this.#requests(), ...compactions.requests() },
      gone: (slot) => locks.threadGone(slot),
      left: (thread) => compactions.left(thread),
    });
    locks.share(owner.locks);
    this.#core.state.sharing = owner;
    return owner;
  }

  /** What attached threads can ask for. */
  #requests(): OwnerRequests {
    return {
      keyspace: (request: KeyspaceRequest) => {
        this.#core.state.checkOpen();
        return this.#keyspaces.ensure(request);
      },
      keyspaceNamed: (name: string) => this.#keyspaces.named(name),
      keyspaces: () => this.keyspaces(),
      dropKeyspace: (name: string) => this.dropKeyspace(name),
      sync: () => this.sync('disk'),
      flush: () => this.flush(),
      verify: (options: { full?: boolean }) => this.verify(options),
      checkpoint: (path: string) => this.checkpoint(path),
      levels: () => this.levels(),
      stats: () => this.stats(),
      commitPrepared: (id: string) => this.commitPrepared(id),
      rollbackPrepared: (id: string) => this.rollbackPrepared(id),
      preparedTransactions: () => this.preparedTransactions(),
      ...answerPast(this.#core),
    };
  }

  applyExternal(position: number, batch: Batch): void {
    const core = this.#core;
    core.state.checkOpen();
    if (core.options.log !== 'external') {
      throw invalid('LOG_NOT_EXTERNAL', "applyExternal needs a database opened with log: 'external'", {});
    }
    const buffer = BatchHandle.bufferOf(batch, core);
    core.external.check(position);
    core.pipeline.commitExternal(buffer, position);
    buffer.clear();
  }

  appliedPosition(): number {
    this.#core.state.checkOpen();
    return this.#core.external.applied;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      const error = closed('the database', { path: this.#path });
      this.#transactions.close(error);
      this.#changes.close(error);
      await closeDatabase(this.#core);
    } finally {
      this.#follower?.close();
      await this.#release();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export function checkSyncClass(durability: unknown): void {
  if (durability === 'os' || durability === 'disk') return;
  throw invalid('DURABILITY_INVALID', `sync reaches 'os' or 'disk'; got ${String(durability)}`, {
    got: durability,
  });
}
