/**
 * An inventory that is kept in a database: a keyspace of its own in the same log as the indexes, so that a commit which survives a
 * crash has all its entries, and nothing that it lost is seen.
 *
 *   key              value                 meaning
 *   'b'              u64, big-endian       BASE: all xids below are settled
 *   'r'              u64                   xids below may have been handed out; raised a block at a time
 *   'c', u64         nothing               this transaction has committed
 *   's', name        u64                   how far an index of this database is settled
 *
 * What is neither below the base nor committed was aborted: by `abort`, or because the process ended in the middle of it. What a
 * garbage collection goes by is older than the last fsync: it would otherwise take out what a commit has removed that a crash then
 * undoes. Any thread; the owner's opens it first.
 */
import { EMPTY } from '../base/bytes.ts';
import { busy, invalid } from '../base/errors.ts';
import { type Bytes, type Database, type Keyspace, u64, utf8 } from '../index.ts';
import { checkSlots, type InventoryStore, TransactionInventory } from './inventory.ts';
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
import { isAttached } from './open-index.ts';
import type { FrozenInventory, Xid } from './types.ts';

const KEYSPACE = 'varve.mga.transactions';
const BLOCK = 1024;
const SLOTS_DEFAULT = 2 ** 20;
const BASE = utf8.encode('b');
const RESERVED = utf8.encode('r');
const COMMIT = 0x63;
const SETTLED = 's';

export interface StoredInventoryOptions {
  /** As of `TransactionInventory.create`; more when there are more transactions to remember. */
  slots?: number;
  /** In a thread that has attached the database: the `buffer` of the owner's inventory. */
  buffer?: SharedArrayBuffer;
  /** A new one begins with the transactions of this inventory, which is not to be used any more. */
  copyOf?: TransactionInventory;
}

type Records = Keyspace<Bytes, Bytes>;
const inventories = new WeakMap<Database, TransactionInventory>();

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
  const { slots = SLOTS_DEFAULT, buffer, copyOf } = options;
  checkSlots(slots);
  const known = inventories.get(db);
  if (known !== undefined && copyOf === undefined) return known;
  const records: Records = db.keyspace(KEYSPACE);
  const attached = isAttached(db);
  if (attached !== (buffer !== undefined)) {
    const message = attached
      ? "another thread has opened the database: give its inventory's buffer"
      : 'buffer is for threads that have attached the database';
    throw invalid('OPTION_INVALID', message, { option: 'buffer' });
  }
  if (buffer !== undefined)
    return keep(db, new TransactionInventory(wordsOf(buffer), new Store(db, records, wordsOf(buffer))));
  if (copyOf !== undefined && (known !== undefined || records.get(RESERVED) !== undefined)) {
    throw invalid('INVENTORY_EXISTS', 'the database has an inventory already', {});
  }
  const words = copyOf === undefined ? load(records, slots) : await copy(records, copyOf, slots);
  return keep(db, new TransactionInventory(words, new Store(db, records, words)));
}

function keep(db: Database, inventory: TransactionInventory): TransactionInventory {
  const known = inventories.get(db);
  if (known !== undefined) return known;
  inventories.set(db, inventory);
  return inventory;
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
  readonly settled: Map<string, Xid> = new Map<string, Xid>();
  readonly #records: Records;
  readonly #words: InventoryWords;

  constructor(db: Database, records: Records, words: InventoryWords) {
    this.home = db;
    this.#records = records;
    this.#words = words;
    for (const [key, value] of records.range({ prefix: utf8.encode(SETTLED) })) {
      this.settled.set(utf8.decode(key).slice(SETTLED.length), numberOf(value)!);
    }
  }

  reserve(xid: Xid): void {
    const { big } = this.#words;
    let known = Atomics.load(big, BIG_RESERVED);
    if (xid < Number(known)) return;
    const wanted = xid + BLOCK;
    this.#records.update(RESERVED, (old) => u64.encode(Math.max(wanted, numberOf(old) ?? 0)));
    while (Number(known) < wanted) {
      const was = Atomics.compareExchange(big, BIG_RESERVED, known, BigInt(wanted));
      if (was === known) return;
      known = was;
    }
  }

  commit(xid: Xid): void {
    const sequence = BigInt(this.#records.put(commitKey(xid), EMPTY));
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

  settle(index: string, horizon: Xid | undefined): void {
    const key = utf8.encode(SETTLED + index);
    if (horizon === undefined) this.#records.delete(key);
    else this.#records.put(key, u64.encode(horizon));
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
