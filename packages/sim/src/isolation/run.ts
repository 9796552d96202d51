/**
 * One history: random transactions that overlap, over registers, lists and ranges, with plain writes, flushes and
 * compactions in between. Everything follows from the seed.
 *
 * Keys of the first half are there at the beginning and may be deleted, once; those of the second half may be written and
 * stay. So the version that a missing key is in is known without asking. A register holds the name of its version; a list
 * the names of all its versions, newest last, so that lost appends are lost for all to see.
 */
import {
  type Database,
  type Isolation,
  json,
  type Keyspace,
  type Savepoint,
  type Transaction,
  utf8,
  VarveError,
} from 'varve';
import { MemoryFs, openSimulated, Random } from 'varve/testing';
import { ScriptedScheduler } from '../scripted-scheduler.ts';
import { ABSENT, type History, type TransactionRecord, type WriteOperation } from './history.ts';

const KEYS = 12;
const LISTS = 4;
const STEPS = 300;
const OPEN_MAX = 6;
const MICROTASKS = 30;
/** What a batch takes: other transactions are far below. */
const LARGE_BYTES = 64 * 1024;

const keyOf = (i: number): string => `k${String(i).padStart(2, '0')}`;
const listOf = (i: number): string => `l${i}`;

interface Running {
  readonly tx: Transaction;
  readonly record: TransactionRecord;
  /** Waits for a lock. */
  isBlocked: boolean;
  /** It can not be larger than a batch. */
  deletesRange?: boolean;
  savepoint: { readonly at: Savepoint; readonly operations: number } | undefined;
}

export interface RunResult {
  readonly history: History;
  readonly conflicts: number;
}

/** Runs the history of a seed. */
export async function runHistory(seed: number, isolation: Isolation): Promise<RunResult> {
  const random = new Random(seed);
  const scheduler = new ScriptedScheduler(random);
  // Not drawn: other histories stay what they were.
  const hasLarge = seed % 4 === 0;
  const db = await openSimulated(
    '/db',
    {
      fileSystem: new MemoryFs(),
      clock: scheduler.clock,
      memoryBytesMax: 4 * 2 ** 20,
      batchBytesMax: LARGE_BYTES,
      keyspaceDefaults: { memtableBytes: 64 * 1024, tableBytes: 64 * 1024 },
    },
    { scheduler, sliceMs: 0 },
  );
  const run = new Run(db, random, scheduler, isolation, hasLarge);
  const conflicts = await run.all();
  const closing = db.close();
  let isClosed = false;
  void closing.then(() => (isClosed = true));
  while (!isClosed) await turn(scheduler);
  return { history: { seed, transactions: run.records }, conflicts };
}

class Run {
  readonly records: TransactionRecord[] = [];
  readonly #db: Database;
  readonly #random: Random;
  readonly #scheduler: ScriptedScheduler;
  readonly #isolation: Isolation;
  readonly #registers: Keyspace<string, string>;
  readonly #lists: Keyspace<string, string[]>;
  /** Where there are transactions that are larger than a batch: what makes them so. */
  readonly #filler: Keyspace<string, string> | undefined;
  #running: Running[] = [];
  /** Large ones under way, and what went wrong with one. */
  #committing = 0;
  #failure: Error | undefined;
  #versions = 0;
  /** The write that deleted each key that is gone for good. */
  readonly #deletedBy = new Map<string, string>();

  constructor(
    db: Database,
    random: Random,
    scheduler: ScriptedScheduler,
    isolation: Isolation,
    hasLarge: boolean,
  ) {
    this.#db = db;
    this.#random = random;
    this.#scheduler = scheduler;
    this.#isolation = isolation;
    this.#filler = hasLarge ? db.keyspace('filler', { key: utf8, value: utf8 }) : undefined;
    this.#registers = db.keyspace('registers', { key: utf8, value: utf8 });
    this.#lists = db.keyspace('lists', { key: utf8, value: json<string[]>() });
  }

  /** Returns how many transactions were refused. */
  async all(): Promise<number> {
    for (let i = 0; i < KEYS / 2; i++) this.#plain((record) => this.#putPlain(record, keyOf(i)));
    let ended = 0;
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      ended = step;
    }
    while (this.#running.length > 0 || this.#committing > 0) {
      for (const running of this.#running.slice()) if (!running.isBlocked) this.#commit(running);
      await turn(this.#scheduler);
      if (++ended > 100 * STEPS) throw new Error('transactions wait for ever');
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#db.stats().transactions.conflicts;
  }

  async #step(): Promise<void> {
    const random = this.#random;
    await turn(this.#scheduler);
    if (random.oneIn(40)) void this.#db.flush().catch(() => undefined);
    if (random.oneIn(120)) void this.#db.compact().catch(() => undefined);
    const ready = this.#running.filter(({ isBlocked }) => !isBlocked);
    if (this.#running.length < OPEN_MAX && (ready.length === 0 || random.oneIn(4))) {
      this.#begin();
      return;
    }
    if (ready.length === 0) return;
    if (random.oneIn(12)) {
      const i = KEYS / 2 + random.below(KEYS / 2);
      this.#plain((record) => this.#putPlain(record, keyOf(i)));
      return;
    }
    const running = random.pick(ready);
    if (running.record.operations.length > 0 && random.oneIn(5)) this.#commit(running);
    else if (random.oneIn(25)) this.#rollback(running);
    else this.#operate(running);
  }

  #begin(): void {
    const record: TransactionRecord = { id: this.records.length, operations: [], committedAt: undefined };
    this.records.push(record);
    const tx = this.#db.begin({ isolation: this.#isolation });
    this.#running.push({ tx, record, isBlocked: false, savepoint: undefined });
  }

  /** A write outside of transactions, which is one of its own. */
  #plain(write: (record: TransactionRecord) => number): void {
    const record: TransactionRecord = { id: this.records.length, operations: [], committedAt: undefined };
    this.records.push(record);
    try {
      record.committedAt = write(record);
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }

  #putPlain(record: TransactionRecord, key: string): number {
    const version = this.#version(record);
    record.operations.push({ kind: 'write', key, version, isIntermediate: false });
    return this.#registers.put(key, version);
  }

  #operate(running: Running): void {
    const random = this.#random;
    const pick = random.below(24);
    if (pick < 4) this.#read(running, keyOf(random.below(KEYS)));
    else if (pick < 7) this.#write(running, keyOf(random.below(KEYS)));
    else if (pick < 9) this.#append(running, listOf(random.below(LISTS)));
    else if (pick < 15) this.#readRange(running);
    else if (pick < 16) this.#delete(running, keyOf(random.below(KEYS / 2)));
    else if (pick < 18) this.#deleteRange(running);
    else if (pick < 20) this.#lock(running, keyOf(random.below(KEYS)));
    else this.#save(running);
  }

  /** True when the key is there. */
  #read({ tx, record }: Running, key: string): boolean {
    const value = tx.get(this.#registers, key);
    record.operations.push({ kind: 'read', key, version: this.#seen(record, key, value) });
    return value !== undefined;
  }

  #write(running: Running, key: string): void {
    const { tx, record } = running;
    // What was deleted stays so: then a missing key has one meaning.
    if (isOld(key) && !this.#read(running, key)) return;
    const version = this.#version(record);
    tx.put(this.#registers, key, version);
    this.#wrote(record, key, version);
  }

  #append({ tx, record }: Running, key: string): void {
    const list = tx.get(this.#lists, key) ?? [];
    record.operations.push({ kind: 'read', key, version: list.at(-1) ?? ABSENT });
    const version = this.#version(record);
    tx.put(this.#lists, key, [...list, version]);
    this.#wrote(record, key, version);
  }

  #delete(running: Running, key: string): void {
    if (!this.#read(running, key)) return;
    running.tx.delete(this.#registers, key);
    this.#wrote(running.record, key, deleteOf(this.#version(running.record)));
  }

  #deleteRange(running: Running): void {
    const { tx, record } = running;
    const from = this.#random.below(KEYS / 2);
    const to = from + 1 + this.#random.below(KEYS / 2 - from);
    running.deletesRange = true;
    const there = this.#readKeys(running, from, to, {});
    tx.deleteRange(this.#registers, { gte: keyOf(from), lt: keyOf(to) });
    for (const key of there) this.#wrote(record, key, deleteOf(this.#version(record)));
  }

  #readRange(running: Running): void {
    const random = this.#random;
    const from = random.below(KEYS);
    const to = from + 1 + random.below(KEYS - from);
    const limit = random.oneIn(2) ? 1 + random.below(3) : undefined;
    this.#readKeys(running, from, to, {
      ...(limit === undefined ? {} : { limit }),
      reverse: random.oneIn(2),
    });
  }

  /** Reads a range of registers, and notes of each key of it as far as it was walked; returns those that were there. */
  #readKeys(
    { tx, record }: Running,
    from: number,
    to: number,
    options: { limit?: number; reverse?: boolean },
  ): string[] {
    const seen = new Map(tx.range(this.#registers, { gte: keyOf(from), lt: keyOf(to), ...options }));
    const keys = Array.from({ length: to - from }, (_, i) => keyOf(from + i));
    if (options.reverse === true) keys.reverse();
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for (const key of keys) {
      if (left === 0) break;
      record.operations.push({ kind: 'read', key, version: this.#seen(record, key, seen.get(key)) });
      if (seen.has(key)) left--;
    }
    return [...seen.keys()];
  }

  #lock(running: Running, key: string): void {
    running.isBlocked = true;
    running.tx.getForUpdate(this.#registers, key).then(
      (value) => {
        running.isBlocked = false;
        const { record } = running;
        record.operations.push({ kind: 'read', key, version: this.#seen(record, key, value) });
      },
      (error: unknown) => {
        running.isBlocked = false;
        if (!isConflict(error) && !(error instanceof VarveError && error.code === 'LOCK_TIMEOUT'))
          throw error;
        this.#rollback(running);
      },
    );
  }

  #save(running: Running): void {
    const { tx, record, savepoint } = running;
    if (savepoint === undefined) {
      running.savepoint = { at: tx.savepoint(), operations: record.operations.length };
      return;
    }
    tx.rollbackTo(savepoint.at);
    running.savepoint = undefined;
    // What was written since is gone, with the reads that saw it; what was written before is the newest again.
    const { operations } = record;
    const since = operations.splice(savepoint.operations);
    const undone = new Set(since.filter(({ kind }) => kind === 'write').map(({ version }) => version));
    operations.push(...since.filter(({ version }) => !undone.has(version)));
    const newest = new Map<string, WriteOperation>();
    for (const operation of operations) if (operation.kind === 'write') newest.set(operation.key, operation);
    for (const operation of newest.values()) operation.isIntermediate = false;
  }

  #commit(running: Running): void {
    const { tx, record } = running;
    this.#running = this.#running.filter((other) => other !== running);
    const mayBeLarge =
      running.deletesRange !== true && record.operations.some(({ kind }) => kind === 'write');
    if (this.#filler !== undefined && mayBeLarge && this.#random.oneIn(2)) {
      tx.put(this.#filler, String(record.id), 'x'.repeat(LARGE_BYTES));
      void this.#commitLarge(running);
      return;
    }
    try {
      this.#committed(record, tx.commit());
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }

  async #commitLarge({ tx, record }: Running): Promise<void> {
    this.#committing++;
    try {
      this.#committed(record, await tx.commit({ durability: 'memory' }));
    } catch (error) {
      if (!isConflict(error)) this.#failure ??= error as Error;
    } finally {
      this.#committing--;
    }
  }

  #committed(record: TransactionRecord, sequence: number): void {
    // One that wrote nothing stands where it has read, which is after the commit of that sequence.
    const wrote = record.operations.some(({ kind }) => kind === 'write');
    record.committedAt = wrote ? sequence : sequence + 0.5;
    for (const { kind, key, version } of record.operations) {
      if (kind === 'write' && isDelete(version)) this.#deletedBy.set(key, version);
    }
  }

  #rollback(running: Running): void {
    this.#running = this.#running.filter((other) => other !== running);
    running.tx.rollback();
  }

  /** The version of a register by what was read of it: a key that was deleted is so by the reader, or by who committed that. */
  #seen(record: TransactionRecord, key: string, value: string | undefined): string {
    if (value !== undefined) return value;
    if (!isOld(key)) return ABSENT;
    const own = record.operations.findLast(
      (operation) => operation.kind === 'write' && operation.key === key,
    );
    return own?.version ?? this.#deletedBy.get(key) ?? 'deleted by nobody';
  }

  #version(record: TransactionRecord): string {
    return `${record.id}.${this.#versions++}`;
  }

  #wrote(record: TransactionRecord, key: string, version: string): void {
    for (const operation of record.operations) {
      if (operation.kind === 'write' && operation.key === key) operation.isIntermediate = true;
    }
    record.operations.push({ kind: 'write', key, version, isIntermediate: false });
  }
}

const isOld = (key: string): boolean => key < keyOf(KEYS / 2);

const deleteOf = (version: string): string => `${version} deleted`;
const isDelete = (version: string): boolean => version.endsWith(' deleted');

function isConflict(error: unknown): boolean {
  return error instanceof VarveError && error.kind === 'conflict';
}

/** A task that is due, or the next one; and every promise that can settle. */
async function turn(scheduler: ScriptedScheduler): Promise<void> {
  if (!scheduler.step()) scheduler.advance(1);
  for (let i = 0; i < MICROTASKS; i++) await Promise.resolve();
}
