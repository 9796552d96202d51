/**
 * The public database in an attached thread: the same calls as the owner's, of which those that only the owner can do are
 * asked of it. Closing it ends this thread's use and nothing else.
 */
import { closed, invalid } from '../../base/errors.ts';
import type {
  Database,
  DatabaseStats,
  OpenReport,
  CompactOptions,
  ShareHandle,
  VerifyReport,
} from '../api-types.ts';
import type {
  Batch,
  Durability,
  KeyspaceOptions,
  Snapshot,
  SnapshotOptions,
  WriteWait,
} from '../keyspace-types.ts';
import { BatchHandle } from '../batch.ts';
import type { LevelsReport, ReclaimOptions, ReclaimReport } from '../compaction-types.ts';
import { checkMembers, compactMembers } from '../compactions/compact.ts';
import { reclaimMembers } from '../compactions/reclaim.ts';
import type { Session } from '../core.ts';
import { checkSyncClass, type Transactions, type UpperFloors } from '../database.ts';
import type { Difference, DiffOptions } from '../history-types.ts';
import { notReadOnly } from '../follower.ts';
import type { KeyspaceHandle } from '../keyspace.ts';
import type { PressureStats } from '../pressure-types.ts';
import { SnapshotHandle } from '../snapshot.ts';
import type {
  PreparedTransaction,
  RetryOptions,
  Transaction,
  TransactionOptions,
} from '../transaction-types.ts';
import { decide, withOptions } from '../write-wait.ts';
import { writeBatch } from '../write-batch.ts';
import { askWork } from './ask-work.ts';
import type { AttachedKeyspaces } from './attached-keyspaces.ts';
import type { RequestClient } from './requests.ts';

export interface AttachedDatabaseParts {
  readonly path: string;
  readonly recovered: OpenReport;
  readonly session: Session;
  readonly transactions: Transactions;
  readonly keyspaces: AttachedKeyspaces;
  readonly client: RequestClient;
  readonly askMsMax: number;
  readonly diff: UpperFloors['diff'];
  close(): Promise<void>;
}

export class AttachedDatabase implements Database {
  readonly #parts: AttachedDatabaseParts;
  #closing: Promise<void> | undefined;

  constructor(parts: AttachedDatabaseParts) {
    this.#parts = parts;
  }

  get path(): string {
    return this.#parts.path;
  }

  get recovered(): OpenReport {
    return this.#parts.recovered;
  }

  get events(): EventTarget {
    return this.#parts.session.events.target;
  }

  keyspace<K = Uint8Array, V = Uint8Array>(
    name: string,
    options?: KeyspaceOptions<K, V>,
  ): KeyspaceHandle<K, V> {
    this.#checkOpen();
    return this.#parts.keyspaces.open<K, V>(name, options);
  }

  keyspaces(): string[] {
    return this.#askNow('keyspaces', undefined);
  }

  async dropKeyspace(name: string): Promise<void> {
    await this.#ask('dropKeyspace', name);
  }

  batch(): Batch {
    this.#checkOpen();
    return new BatchHandle(this.#parts.session);
  }

  write(batch: Batch): number;
  write(batch: Batch, wait: WriteWait): Promise<number>;
  write(batch: Batch, wait?: WriteWait): number | Promise<number> {
    return withOptions(wait, () => writeBatch(this.#parts.session, batch, wait));
  }

  begin(options?: TransactionOptions): Transaction {
    return this.#parts.transactions.begin(options);
  }

  transaction<T>(fn: (transaction: Transaction) => T | Promise<T>, options?: RetryOptions): Promise<T> {
    return this.#parts.transactions.run(fn, options);
  }

  /** What is prepared the owner knows, and decides. */
  commitPrepared(id: string): number;
  commitPrepared(id: string, wait: { durability: Durability }): Promise<number>;
  commitPrepared(id: string, wait?: { durability: Durability }): number | Promise<number> {
    return decide(this.#parts.session, wait, () => this.#askNow('commitPrepared', id));
  }

  rollbackPrepared(id: string): number;
  rollbackPrepared(id: string, wait: { durability: Durability }): Promise<number>;
  rollbackPrepared(id: string, wait?: { durability: Durability }): number | Promise<number> {
    return decide(this.#parts.session, wait, () => this.#askNow('rollbackPrepared', id));
  }

  preparedTransactions(): PreparedTransaction[] {
    return this.#askNow('preparedTransactions', undefined);
  }

  snapshot(options: SnapshotOptions = {}): Snapshot {
    return new SnapshotHandle(this.#parts.session, options, AttachedDatabase.prototype.snapshot);
  }

  at(target: Date | number, options: SnapshotOptions = {}): Snapshot {
    return new SnapshotHandle(this.#parts.session, options, AttachedDatabase.prototype.at, { at: target });
  }

  diff<K = Uint8Array, V = Uint8Array>(
    from: Date | number,
    to?: Date | number,
    options: DiffOptions<K, V> = {},
  ): Iterable<Difference<K, V>> {
    return this.#parts.diff(this.#parts.session, from, to, options);
  }

  async sync(durability: 'os' | 'disk' = 'disk'): Promise<number> {
    checkSyncClass(durability);
    this.#checkOpen();
    const { state, durability: log } = this.#parts.session;
    return log!.reach(durability, state.visible);
  }

  syncNow(durability: 'os' | 'disk' = 'disk'): number {
    checkSyncClass(durability);
    this.#checkOpen();
    return this.#parts.session.durability!.syncNow(durability);
  }

  async flush(): Promise<void> {
    await this.#ask('flush', undefined);
  }

  async compact(options: CompactOptions = {}): Promise<void> {
    checkMembers('compact', options, compactMembers);
    const { client } = this.#parts;
    await this.#held(() => askWork(client, 'compact', options, 'the compaction was aborted'));
  }

  async reclaim(options: ReclaimOptions = {}): Promise<ReclaimReport> {
    checkMembers('reclaim', options, reclaimMembers);
    const { client } = this.#parts;
    return this.#held(() => askWork<ReclaimReport>(client, 'reclaim', options, 'reclaiming was aborted'));
  }

  pauseCompaction(): void {
    this.#askNow('pauseCompaction', undefined);
  }

  resumeCompaction(): void {
    this.#askNow('resumeCompaction', undefined);
  }

  levels(): LevelsReport {
    return this.#askNow('levels', undefined);
  }

  /** Of this thread's writes. */
  get pressure(): PressureStats {
    const { pressure, durability } = this.#parts.session;
    return pressure.report(durability?.fullDiskRefusals ?? 0);
  }

  async verify(options: { full?: boolean } = {}): Promise<VerifyReport> {
    return this.#ask('verify', options);
  }

  async checkpoint(path: string): Promise<void> {
    await this.#ask('checkpoint', path);
  }

  /** The tables are made by the owner's thread, from entries that only this one has. */
  async ingest(): Promise<never> {
    this.#checkOpen();
    throw invalid(
      'INGEST_UNSUPPORTED',
      'the thread that opened the database ingests; attached threads do not',
      {},
    );
  }

  /** The log is read where it is kept. */
  changes(): never {
    this.#checkOpen();
    throw invalid(
      'CHANGES_UNSUPPORTED',
      'the thread that opened the database has its change feed; attached threads have none',
      {},
    );
  }

  /** What the owner and other threads do is there without it. */
  async refresh(): Promise<never> {
    this.#checkOpen();
    throw notReadOnly();
  }

  stats(): DatabaseStats {
    return this.#askNow('stats', undefined);
  }

  /** The handle goes on to further threads from its owner; here there is none to give. */
  share(): ShareHandle {
    throw invalid('SHARE_UNSUPPORTED', 'a handle is given by the thread that opened the database', {});
  }

  applyExternal(): never {
    throw invalid('LOG_NOT_EXTERNAL', "applyExternal needs a database opened with log: 'external'", {});
  }

  appliedPosition(): number {
    this.#checkOpen();
    return 0;
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#parts.transactions.close(closed('the database', { path: this.path }));
      this.#closing = this.#parts.close();
    }
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Throws what ended the database, for this thread or for all. */
  #checkOpen(): void {
    const { state } = this.#parts.session;
    state.checkOpen();
    state.entered(() => undefined);
  }

  async #ask<T>(name: string, input: unknown): Promise<T> {
    return this.#held(() => this.#parts.client.ask<T>(name, input));
  }

  async #held<T>(ask: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    const { runner } = this.#parts.session;
    // A pending promise keeps the process alive.
    runner.hold();
    try {
      return await ask();
    } finally {
      runner.unhold();
    }
  }

  #askNow<T>(name: string, input: unknown): T {
    this.#checkOpen();
    return this.#parts.client.askNow<T>(name, input, this.#parts.askMsMax);
  }
}
