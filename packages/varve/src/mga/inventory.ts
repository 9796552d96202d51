/**
 * The inventory of transactions: which xids are active, committed and aborted, in memory that threads share (inventory-words.ts).
 *
 * `begin` claims the slot of the next xid and then moves NEXT past it; whoever finds that slot claimed helps, so a thread that dies in
 * between stops nobody. Readers look at the generation before and behind a state: when a trim came in between they look again, because
 * the slot may be that of a later xid by then. An inventory with a store (stored-inventory.ts) is told of everything before anybody
 * sees it. Any thread, each with an object of its own.
 */
import { busy, invalid } from '../base/errors.ts';
import type { Database } from '../index.ts';
import {
  ABORTED,
  ACTIVE,
  BIG_BASE,
  BIG_CLEARED,
  BIG_NEXT,
  BIG_OLDEST,
  COMMITTED,
  COMMITTING,
  FREE,
  type InventoryWords,
  isSlots,
  makeWords,
  SLOTS_MAX,
  SLOTS_MIN,
  WORD_CHANGES,
  WORD_GENERATION,
  WORD_TRIM_LOCK,
  wordsOf,
} from './inventory-words.ts';
import type { CommitWait, FrozenInventory, Inventory, Xid, XidState } from './types.ts';
import { checkXid, notActive, unknownXid } from './xids.ts';

const SLOTS_DEFAULT = 2 ** 20;
const UNKNOWN = -1;

/** Where an inventory is kept: all calls come before the change that they tell of can be seen. */
export interface InventoryStore {
  /** That xids up to `xid` are in use. */
  reserve(xid: Xid): void;
  commit(xid: Xid): void;
  reached(durability: 'os' | 'disk'): Promise<void>;
  /** That all below `base` are settled. */
  trim(base: Xid): void;
  /** How far which index is settled, of every index that there is; and what changes of it. */
  readonly settled: Map<string, Xid>;
  settle(index: string, horizon: Xid | undefined): void;
  readonly home: Database;
  /** Is every commit on disk that anybody has seen before this call? */
  isDurable(): boolean;
  /** A frozen copy of which every commit is on disk. */
  durable(take: () => FrozenInventory): Promise<FrozenInventory>;
}

export interface InventoryOptions {
  /** Transactions between the oldest that an entry may carry and the newest; a power of two. 1,048,576. */
  slots?: number;
  /** The first xid. 1. */
  first?: Xid;
}

/**
 * Transactions of a host that has none of its own, or that hands its own numbers out through this.
 *
 * @example
 * const inventory = TransactionInventory.create();
 * const xid = inventory.begin();
 * index.put(key, tid, xid);
 * inventory.commit(xid);
 */
export class TransactionInventory implements Inventory {
  readonly #shared: InventoryWords;
  readonly #mask: number;
  readonly #store: InventoryStore | undefined;
  readonly #settled: Map<string, Xid>;
  #generation = 0;
  #base = 0;
  #next = 0;
  /** A frozen copy that is good for collections that begin by themselves. */
  #safe: FrozenInventory | undefined;

  /** Not for users: `create`, `from` and `openInventory` make them. */
  constructor(shared: InventoryWords, store?: InventoryStore) {
    this.#shared = shared;
    this.#mask = shared.slots - 1;
    this.#store = store;
    this.#settled = store?.settled ?? new Map<string, Xid>();
    this.#lookAgain();
  }

  /** One in memory. @throws invalid `OPTION_INVALID`, `XID_INVALID` */
  static create(options: InventoryOptions = {}): TransactionInventory {
    const { slots = SLOTS_DEFAULT, first = 1 } = options;
    checkSlots(slots);
    checkXid(first);
    return new TransactionInventory(makeWords(slots, first));
  }

  /** The same inventory in another thread, by its `buffer`. @throws invalid `INVENTORY_INVALID` */
  static from(buffer: SharedArrayBuffer): TransactionInventory {
    return new TransactionInventory(wordsOf(buffer));
  }

  /** For other threads: `TransactionInventory.from`, or `openInventory` when it is stored. */
  get buffer(): SharedArrayBuffer {
    return this.#shared.buffer;
  }

  get next(): Xid {
    this.#next = this.#big(BIG_NEXT);
    return this.#next;
  }

  get oldestActive(): Xid {
    return this.#big(BIG_OLDEST);
  }

  /** All xids below count as committed: no entry carries another one of them. */
  get base(): Xid {
    return this.#big(BIG_BASE);
  }

  /**
   * Begins a transaction.
   *
   * Errors: `INVENTORY_FULL` (busy): no room for another xid until a `vacuum` of every index has let the inventory forget the oldest.
   */
  begin(): Xid {
    const { big, states, slots } = this.#shared;
    for (;;) {
      const next = Atomics.load(big, BIG_NEXT);
      const xid = Number(next);
      if (xid - this.#big(BIG_CLEARED) >= slots) this.#refuseFull(xid);
      this.#store?.reserve(xid);
      const slot = this.#slot(xid);
      const isClaimed = Atomics.compareExchange(states, slot, FREE, ACTIVE) === FREE;
      Atomics.compareExchange(big, BIG_NEXT, next, next + 1n);
      if (!isClaimed) continue;
      // Unless this thread slept while the slots went round once: it has claimed the slot of a later xid, and gives it back.
      if (this.#big(BIG_BASE) <= xid) return xid;
      Atomics.compareExchange(states, slot, ACTIVE, FREE);
    }
  }

  /**
   * Everything that the transaction did becomes visible to later ones. With a durability, a promise for it; others see the commit
   * before it is kept.
   *
   * Errors: `XID_INVALID`, `XID_UNKNOWN`, `XID_NOT_ACTIVE` (invalid); those of a write when the inventory is stored.
   */
  commit(xid: Xid): void;
  commit(xid: Xid, wait: CommitWait): Promise<void>;
  commit(xid: Xid, wait?: CommitWait): void | Promise<void> {
    if (wait === undefined) {
      this.#commit(xid);
      return undefined;
    }
    return this.#commitAwaited(xid, wait);
  }

  async #commitAwaited(xid: Xid, wait: CommitWait): Promise<void> {
    const { durability } = wait;
    if (!['memory', 'os', 'disk'].includes(durability)) {
      const wanted = "'memory', 'os' or 'disk'";
      throw invalid('OPTION_INVALID', `durability must be ${wanted}`, { option: 'durability', wanted });
    }
    this.#commit(xid);
    if (durability === 'os' || durability === 'disk') await this.#store?.reached(durability);
  }

  #commit(xid: Xid): void {
    this.#end(xid, COMMITTING);
    try {
      this.#store?.commit(xid);
    } catch (error) {
      Atomics.store(this.#shared.states, this.#slot(xid), ACTIVE);
      throw error;
    }
    Atomics.store(this.#shared.states, this.#slot(xid), COMMITTED);
    this.#advance(xid);
  }

  /** Nothing that the transaction did counts. Errors as `commit`. */
  abort(xid: Xid): void {
    this.#end(xid, ABORTED);
    this.#advance(xid);
  }

  /** @throws invalid `XID_INVALID`, `XID_UNKNOWN` */
  stateOf(xid: Xid): XidState {
    if (!Number.isSafeInteger(xid) || xid < 1) checkXid(xid);
    switch (this.#codeOf(xid)) {
      case COMMITTED:
        return 'committed';
      case ABORTED:
        return 'aborted';
      case UNKNOWN:
        throw unknownXid(xid, this.next);
      default:
        return 'active';
    }
  }

  frozen(): FrozenInventory {
    const { states } = this.#shared;
    const oldestActive = this.oldestActive;
    const aborted: Xid[] = [];
    for (let xid = this.base; xid < oldestActive; xid++) {
      if (Atomics.load(states, this.#slot(xid)) === ABORTED) aborted.push(xid);
    }
    return { oldestActive, aborted };
  }

  /**
   * Forgets the states of all xids below `base`, which count as committed from then on. `vacuum` does it for the indexes that this
   * thread has opened; whoever calls it says that no entry anywhere carries an aborted xid below.
   *
   * Errors: `XID_INVALID`, `TRIM_INVALID` (invalid): above the oldest active transaction.
   */
  trim(base: Xid): void {
    checkXid(base);
    const { big, words, states } = this.#shared;
    const oldest = this.oldestActive;
    if (base > oldest) {
      const message = `xids can be forgotten up to the oldest active one, ${oldest}; got ${base}`;
      throw invalid('TRIM_INVALID', message, { got: base, oldestActive: oldest });
    }
    const from = this.base;
    if (base <= from) return;
    this.#store?.trim(base);
    Atomics.store(big, BIG_BASE, BigInt(base));
    Atomics.add(words, WORD_GENERATION, 1);
    for (let xid = from; xid < base; xid++) Atomics.store(states, this.#slot(xid), FREE);
    Atomics.store(big, BIG_CLEARED, BigInt(base));
  }

  /** @internal Of vacuum and rebuilds. */
  get internals(): InventoryInternals {
    return {
      shared: this.#shared,
      settled: this.#settled,
      home: this.#store?.home,
      base: () => this.base,
      enroll: (index, horizon) => {
        this.#store?.settle(index, horizon);
        this.#settled.set(index, horizon);
      },
      settle: (index, horizon) => this.#settle(index, horizon),
      durable: () => this.#durable(),
      safe: () => this.#safeCopy(),
    };
  }

  /** How far an index is settled; undefined: it is no more. Forgets what no index needs. */
  #settle(index: string, horizon: Xid | undefined): void {
    this.#store?.settle(index, horizon);
    if (horizon === undefined) this.#settled.delete(index);
    else this.#settled.set(index, horizon);
    const lowest = Math.min(...this.#settled.values());
    if (Number.isFinite(lowest) && lowest > this.base) this.trim(lowest);
  }

  async #durable(): Promise<FrozenInventory> {
    const take = (): FrozenInventory => this.frozen();
    this.#safe = this.#store === undefined ? take() : await this.#store.durable(take);
    return this.#safe;
  }

  /** For a collection that begins now: the present if a crash leaves it as it is, else what was on disk before. */
  #safeCopy(): FrozenInventory {
    const copied = this.frozen();
    if (this.#store === undefined || this.#store.isDurable()) {
      this.#safe = copied;
      return copied;
    }
    // For the next one. Nobody waits for it: a database that can not write any more says so to those who write.
    void Promise.resolve()
      .then(() => this.#durable())
      .catch(() => {});
    return this.#safe ?? { oldestActive: this.base, aborted: [] };
  }

  #end(xid: Xid, to: number): void {
    checkXid(xid);
    const code = this.#codeOf(xid);
    if (code === UNKNOWN) throw unknownXid(xid, this.next);
    if (
      code !== ACTIVE ||
      Atomics.compareExchange(this.#shared.states, this.#slot(xid), ACTIVE, to) !== ACTIVE
    ) {
      throw notActive(xid, this.stateOf(xid));
    }
  }

  /** Moves OLDEST past what has ended. */
  #advance(ended: Xid): void {
    const { big, states } = this.#shared;
    if (this.#big(BIG_OLDEST) !== ended) return;
    for (;;) {
      const oldest = Atomics.load(big, BIG_OLDEST);
      const from = Number(oldest);
      const next = this.#big(BIG_NEXT);
      let xid = from;
      for (; xid < next; xid++) {
        const state = Atomics.load(states, this.#slot(xid));
        if (state !== COMMITTED && state !== ABORTED) break;
      }
      // Whoever ended the xid at which this stops, before it was stored, has seen an older OLDEST: hence another look.
      if (xid === from) return;
      Atomics.compareExchange(big, BIG_OLDEST, oldest, BigInt(xid));
    }
  }

  #codeOf(xid: Xid): number {
    const { words, states } = this.#shared;
    for (;;) {
      const generation = Atomics.load(words, WORD_GENERATION);
      if (generation !== this.#generation) this.#lookAgain();
      if (xid < this.#base) return COMMITTED;
      if (!(xid < this.#next) && !(xid < this.next)) return UNKNOWN;
      const code = Atomics.load(states, xid & this.#mask);
      if (Atomics.load(words, WORD_GENERATION) === generation) return code;
    }
  }

  #lookAgain(): void {
    this.#generation = Atomics.load(this.#shared.words, WORD_GENERATION);
    this.#base = this.#big(BIG_BASE);
    this.#next = this.#big(BIG_NEXT);
  }

  #slot(xid: Xid): number {
    return xid & this.#mask;
  }

  #big(at: number): number {
    return Number(Atomics.load(this.#shared.big, at));
  }

  #refuseFull(next: Xid): never {
    const { slots } = this.#shared;
    const context = { slots, next, base: this.base, oldestActive: this.oldestActive };
    const message = `the inventory holds ${slots} transactions, from ${context.base} on: vacuum its indexes so that it can forget the oldest, or end transaction ${context.oldestActive}`;
    throw busy('INVENTORY_FULL', message, context);
  }
}

/** What the parts of an index that collect garbage use of an inventory. */
export interface InventoryInternals {
  readonly shared: InventoryWords;
  readonly settled: ReadonlyMap<string, Xid>;
  /** The database that it is stored in. */
  readonly home: Database | undefined;
  base(): Xid;
  enroll(index: string, horizon: Xid): void;
  settle(index: string, horizon: Xid | undefined): void;
  /** A frozen copy of the present, once it would survive a crash. */
  durable(): Promise<FrozenInventory>;
  /** One that would survive a crash, at once. */
  safe(): FrozenInventory;
}

/** @throws invalid `OPTION_INVALID` */
export function checkSlots(slots: unknown): asserts slots is number {
  if (isSlots(slots)) return;
  const message = `slots is a power of two from ${SLOTS_MIN} to ${SLOTS_MAX}; got ${String(slots)}`;
  throw invalid('OPTION_INVALID', message, { option: 'slots', got: slots });
}

/** Tells every index object of every thread to look at what is stored of its index. */
export function tellIndexes({ words }: InventoryWords): void {
  Atomics.add(words, WORD_CHANGES, 1);
}

/** Takes the right to vacuum. @throws busy `VACUUM_BUSY` when another thread that `runs` has it */
export function lockTrim({ words }: InventoryWords, own: number, runs: (id: number) => boolean): () => void {
  for (;;) {
    const holder = Atomics.compareExchange(words, WORD_TRIM_LOCK, 0, own + 1);
    if (holder === 0) return () => Atomics.store(words, WORD_TRIM_LOCK, 0);
    if (runs(holder - 1)) {
      throw busy('VACUUM_BUSY', `thread ${holder - 1} is vacuuming already`, { threadId: holder - 1 });
    }
    Atomics.compareExchange(words, WORD_TRIM_LOCK, holder, 0);
  }
}
