/**
 * An inventory that is kept in a database: a keyspace of its own in the same log as the indexes, so that a commit which survives a
 * crash has all its entries, and nothing that it lost is seen.
 *
 *   key              value                 meaning
 *   'b'              u64, big-endian       BASE: all xids below are settled
 *   'r'              u64                   xids below may have been handed out; raised a block at a time
 *   'c', u64         nothing               this transaction has committed
 *   's', name        u64                   how far an index of this database is settled
 *   'x', id          u64                   how far one of another database is: its record's random id, '/', its name (horizons.ts)
 *
 * What is neither below the base nor committed was aborted: by `abort`, or because the process ended in the middle of it. What a
 * garbage collection goes by is older than the last fsync: it would otherwise take out what a commit has removed that a crash then
 * undoes. Any thread; the owner's opens it first.
 */
import { EMPTY } from '../base/bytes.ts';
import { busy, invalid } from '../base/errors.ts';
import { type Bytes, type Database, type Keyspace, u64, utf8 } from '../index.ts';
import { FOREIGN, HOME, nameOf } from './horizons.ts';
import { checkObject } from './index-options.ts';
import { LASTING, RECORDS, recordsOf } from './index-records.ts';
import { checkSlots, TransactionInventory } from './inventory.ts';
import type { InventoryStore } from './inventory-store.ts';
import {
  ABORTED,
  BIG_COMMITTED_AT,
  BIG_NEXT,
  BIG_OLDEST,
  BIG_RESERVED,
  COMMITTED,
  COMMITTING,
  type InventoryWords,
  makeWords,
  SLOTS_MAX,
  wordsOf,
} from './inventory-words.ts';
import { isAttached, isRunning, unlessReadOnly } from './threads.ts';
import type { FrozenInventory, Xid } from './types.ts';

const KEYSPACE = 'varve.mga.transactions';
const BLOCK = 1024;
const SLOTS_DEFAULT = 2 ** 20;
const BASE = utf8.encode('b');
const RESERVED = utf8.encode('r');
const COMMIT = 0x63;

export interface StoredInventoryOptions {
  /** As of `TransactionInventory.create`; more when there are more transactions to remember. */
  slots?: number;
  /** In a thread that has attached the database: the `buffer` of the owner's inventory. */
  buffer?: SharedArrayBuffer;
  /** A new one begins with the transactions of this inventory, which is not to be used any more. */
  copyOf?: TransactionInventory;
}

type Records = Keyspace<Bytes, Bytes>;
const inventories = new WeakMap<Database, Promise<TransactionInventory>>();

/**
 * The inventory that is kept in the database; the same object each time.
 *
 * Errors: `OPTION_INVALID`, `INVENTORY_INVALID`, `INVENTORY_EXISTS` (invalid: `copyOf`, and there is one), `INVENTORY_FULL` (busy),
 * those of the database.
 *
 * @example
 * const inventory = await openInventory(db);
 * const xid = inventory.begin();
 * await inventory.commit(xid, { durability: 'disk' });
 */
export async function openInventory(
  db: Database,
  options: StoredInventoryOptions = {},
): Promise<TransactionInventory> {
  checkObject('options', options);
  checkSlots(options.slots ?? SLOTS_DEFAULT);
  const known = inventories.get(db);
  if (known !== undefined) {
    if (options.copyOf === undefined) return known;
    throw inventoryExists();
  }
  const made = makeInventory(db, options);
  inventories.set(db, made);
  try {
    return await made;
  } catch (error) {
    inventories.delete(db);
    throw error;
  }
}

async function makeInventory(
  db: Database,
  { slots = SLOTS_DEFAULT, buffer, copyOf }: StoredInventoryOptions,
): Promise<TransactionInventory> {
  const attached = isAttached(db);
  if (attached !== (buffer !== undefined)) {
    const message = attached
      ? "another thread has opened the database: give its inventory's buffer"
      : 'buffer is for threads that have attached the database';
    throw invalid('OPTION_INVALID', message, { option: 'buffer' });
  }
  if (copyOf !== undefined && !(copyOf instanceof TransactionInventory)) {
    throw invalid('OPTION_INVALID', 'copyOf must be a TransactionInventory', { option: 'copyOf' });
  }
  const records: Records = db.keyspace(KEYSPACE, LASTING);
  if (buffer !== undefined) {
    const words = wordsOf(buffer);
    return new TransactionInventory(words, new Store(db, records, words));
  }
  const isNew = records.get(RESERVED) === undefined;
  if (copyOf !== undefined && !isNew) throw inventoryExists();
  // Left of a copy that was cut short: they say nothing of the transactions to come.
  if (isNew) unlessReadOnly(() => dropCommits(records));
  const words = copyOf === undefined ? load(records, slots) : await copy(records, copyOf, slots);
  unlessReadOnly(() => dropNumbered(db, records));
  return new TransactionInventory(words, new Store(db, records, words));
}

function inventoryExists(): Error {
  return invalid('INVENTORY_EXISTS', 'the database has an inventory already', {});
}

function dropCommits(records: Records): void {
  const range = { gte: commitKey(0), lt: Uint8Array.of(COMMIT + 1) };
  if (
    records
      .range({ ...range, limit: 1 })
      .keys()
      [Symbol.iterator]()
      .next().done === true
  )
    return;
  records.deleteRange(range);
}

/**
 * Names under which earlier releases kept indexes of other databases: with a number that meant something to one process. No more is
 * known of them, nor of an index of this database that is not there.
 */
function dropNumbered(db: Database, records: Records): void {
  const stored = db.keyspaces().includes(RECORDS) ? recordsOf(db) : undefined;
  for (const key of records.range({ prefix: utf8.encode(HOME) }).keys()) {
    if (stored?.get(nameOf(utf8.decode(key))) === undefined) records.delete(key);
  }
}

/** What was active is aborted. */
function load(records: Records, slots: number): InventoryWords {
  const base = numberOf(records.get(BASE)) ?? 1;
  const reserved = Math.max(base, numberOf(records.get(RESERVED)) ?? 1);
  const words = makeWords(roomFor(reserved - base, slots), base);
  const { big, states } = words;
  const mask = words.slots - 1;
  for (let xid = base; xid < reserved; xid++) states[xid & mask] = ABORTED;
  for (const key of records.range({ gte: commitKey(base), lt: commitKey(reserved) }).keys()) {
    states[Number(u64.decode(key.subarray(1))) & mask] = COMMITTED;
  }
  for (const at of [BIG_NEXT, BIG_OLDEST, BIG_RESERVED]) big[at] = BigInt(reserved);
  return words;
}

/** Another inventory's transactions, stored here. */
async function copy(records: Records, from: TransactionInventory, slots: number): Promise<InventoryWords> {
  const source = from.internals.shared;
  const { base, next } = from;
  const words = makeWords(roomFor(next - base, slots), base);
  for (let xid = base, turn = 0; xid < next; xid++, turn++) {
    const state = source.states[xid & (source.slots - 1)]!;
    if (state === COMMITTED || state === COMMITTING) records.put(commitKey(xid), EMPTY);
    words.states[xid & (words.slots - 1)] = state === COMMITTING ? COMMITTED : state;
    if (turn % BLOCK === BLOCK - 1) await new Promise((resolve) => setImmediate(resolve));
  }
  records.put(BASE, u64.encode(base));
  records.put(RESERVED, u64.encode(next));
  words.big[BIG_OLDEST] = BigInt(from.oldestActive);
  words.big[BIG_NEXT] = words.big[BIG_RESERVED] = BigInt(next);
  return words;
}

function roomFor(count: number, slots: number): number {
  let room = slots;
  while (room < count * 2 && room < SLOTS_MAX) room *= 2;
  if (count < room) return room;
  throw busy('INVENTORY_FULL', `${count} transactions are to be remembered, more than ${room}`, { count });
}

class Store implements InventoryStore {
  readonly home: Database;
  readonly #records: Records;
  readonly #words: InventoryWords;

  constructor(db: Database, records: Records, words: InventoryWords) {
    this.home = db;
    this.#records = records;
    this.#words = words;
  }

  *settled(): Generator<[string, Xid]> {
    for (const kind of [HOME, FOREIGN]) {
      for (const [key, value] of this.#records.range({ prefix: utf8.encode(kind) })) {
        yield [utf8.decode(key), numberOf(value)!];
      }
    }
  }

  reserve(xid: Xid): void {
    const { big } = this.#words;
    let known = Atomics.load(big, BIG_RESERVED);
    if (xid < Number(known)) return;
    const wanted = Math.min(xid + BLOCK, Number.MAX_SAFE_INTEGER);
    this.#records.update(RESERVED, (old) => u64.encode(Math.max(wanted, numberOf(old) ?? 0)));
    while (Number(known) < wanted) {
      const was = Atomics.compareExchange(big, BIG_RESERVED, known, BigInt(wanted));
      if (was === known) return;
      known = was;
    }
  }

  commit(xid: Xid): void {
    this.#wrote(this.#records.put(commitKey(xid), EMPTY));
  }

  revoke(xid: Xid): void {
    this.#wrote(this.#records.delete(commitKey(xid)));
  }

  /** What a crash leaves of the transactions is known when this is on disk. */
  #wrote(at: number): void {
    const sequence = BigInt(at);
    const { big } = this.#words;
    for (let known = Atomics.load(big, BIG_COMMITTED_AT); known < sequence; ) {
      const was = Atomics.compareExchange(big, BIG_COMMITTED_AT, known, sequence);
      if (was === known) return;
      known = was;
    }
  }

  isDurable(): boolean {
    return this.home.stats().log.syncedSequence >= Number(Atomics.load(this.#words.big, BIG_COMMITTED_AT));
  }

  async reached(durability: 'os' | 'disk'): Promise<void> {
    await this.home.sync(durability);
  }

  trim(base: Xid): void {
    // The base first: what is missing below it has committed.
    this.#records.put(BASE, u64.encode(base));
    this.#records.deleteRange({ gte: commitKey(0), lt: commitKey(base) });
  }

  settle(id: string, horizon: Xid | undefined): void {
    const key = utf8.encode(id);
    if (horizon === undefined) this.#records.delete(key);
    else this.#records.put(key, u64.encode(horizon));
  }

  isRunning(id: number): boolean {
    return isRunning(this.home, id);
  }

  async durable(take: () => FrozenInventory): Promise<FrozenInventory> {
    const copied = take();
    await this.home.sync('disk');
    return copied;
  }
}

function commitKey(xid: Xid): Bytes {
  const key = new Uint8Array(9);
  key[0] = COMMIT;
  key.set(u64.encode(xid), 1);
  return key;
}

function numberOf(value: Bytes | undefined): number | undefined {
  return value === undefined ? undefined : Number(u64.decode(value));
}
