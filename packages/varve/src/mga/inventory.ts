/**
 * The inventory of transactions: which xids are active, committed and aborted, in memory that threads share (inventory-words.ts).
 *
 * `begin` claims the slot of the next xid and then moves NEXT past it; whoever finds that slot claimed helps, so a thread that dies in
 * between stops nobody. Readers look at the generation before and behind a state: when a trim came in between they look again, because
 * the slot may be that of a later xid by then. An inventory with a store (stored-inventory.ts) is told of everything before anybody
 * sees it. Any thread, each with an object of its own.
 */
import { busy, invalid } from '../base/errors.ts';
import { Horizons } from './horizons.ts';
import { checkObject } from './index-options.ts';
import type { InventoryStore } from './inventory-store.ts';
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
  WORD_GENERATION,
  wordsOf,
} from './inventory-words.ts';
import type { Database } from '../index.ts';
import type { CommitWait, FrozenInventory, Inventory, Xid, XidState } from './types.ts';
import { isAnyChanging, WriterSlot } from './writer-slots.ts';
import { checkXid, exhausted, notActive, unknownXid } from './xids.ts';

const SLOTS_DEFAULT = 2 ** 20;
const UNKNOWN = -1;

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
  readonly #horizons: Horizons;
  /** Of this thread, for commits that are stored. */
  readonly #writer: WriterSlot | undefined;
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
    this.#horizons = new Horizons(store);
    if (store !== undefined) this.#writer = new WriterSlot(shared, (id) => store.isRunning(id));
    this.#lookAgain();
  }

  /** One in memory. @throws invalid `OPTION_INVALID`, `XID_INVALID` */
  static create(options: InventoryOptions = {}): TransactionInventory {
    checkObject('options', options);
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
   * Errors: `INVENTORY_FULL` (busy): no room for another xid until a `vacuum` of every index has let the inventory forget the oldest;
   * `XIDS_EXHAUSTED` (invalid): there is no whole number left.
   */
  begin(): Xid {
    const { big, states, slots } = this.#shared;
    for (;;) {
      const next = Atomics.load(big, BIG_NEXT);
      const xid = Number(next);
      if (xid >= Number.MAX_SAFE_INTEGER) throw exhausted(xid);
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
    checkObject('wait', wait);
    const { durability } = wait;
    if (!['memory', 'os', 'disk'].includes(durability)) {
      const wanted = "'memory', 'os' or 'disk'";
      throw invalid('OPTION_INVALID', `durability must be ${wanted}`, { option: 'durability', wanted });
    }
    this.#commit(xid);
    if (durability === 'os' || durability === 'disk') await this.#store?.reached(durability);
  }

  #commit(xid: Xid): void {
    // So that a commit which ends in the middle, with its thread, is told from one that runs.
    this.#writer?.enter();
    try {
      this.#end(xid, COMMITTING);
      try {
        this.#store?.commit(xid);
      } catch (error) {
        Atomics.store(this.#shared.states, this.#slot(xid), ACTIVE);
        throw error;
      }
      Atomics.store(this.#shared.states, this.#slot(xid), COMMITTED);
    } finally {
      this.#writer?.leave();
    }
    this.#advance(xid);
  }

  /** Nothing that the transaction did counts. Errors as `commit`. */
  abort(xid: Xid): void {
    if (!this.#revoke(xid)) this.#end(xid, ABORTED);
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
      horizons: this.#horizons,
      home: this.#store?.home,
      base: () => this.base,
      forget: () => this.#forget(),
      durable: () => this.#durable(),
      safe: () => this.#safeCopy(),
    };
  }

  #forget(): void {
    const lowest = this.#horizons.lowest();
    if (lowest !== undefined && lowest > this.base) this.trim(lowest);
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

  /**
   * Aborts a transaction whose thread has died in the middle of its commit, which nobody has seen. Its commit record may be stored:
   * it is taken back first.
   */
  #revoke(xid: Xid): boolean {
    const store = this.#store;
    const { states } = this.#shared;
    if (store === undefined || !Number.isSafeInteger(xid) || this.#codeOf(xid) !== COMMITTING) return false;
    if (isAnyChanging(this.#shared, (id) => store.isRunning(id))) return false;
    const slot = this.#slot(xid);
    if (Atomics.load(states, slot) !== COMMITTING) return false;
    store.revoke(xid);
    return Atomics.compareExchange(states, slot, COMMITTING, ABORTED) === COMMITTING;
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
    const { base, oldestActive } = this;
    const index = base < oldestActive ? this.#horizons.holderOf(base) : undefined;
    const why =
      base >= oldestActive
        ? `end transaction ${oldestActive}, and vacuum its indexes`
        : index === undefined
          ? 'vacuum its indexes so that it can forget the oldest'
          : `index '${index}' keeps it from forgetting the oldest: vacuum it, or drop it if it is not used any more`;
    const message = `the inventory holds ${slots} transactions, from ${base} on: ${why}`;
    throw busy('INVENTORY_FULL', message, { slots, next, base, oldestActive, index });
  }
}

/** What the parts of an index that collect garbage use of an inventory. */
export interface InventoryInternals {
  readonly shared: InventoryWords;
  readonly horizons: Horizons;
  /** The database that it is stored in. */
  readonly home: Database | undefined;
  base(): Xid;
  /** Forgets what no index needs. */
  forget(): void;
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
