/**
 * The index object: checks what it is given, and hands over to rows.ts, scan.ts, vacuum.ts, rebuild.ts and statistics.ts.
 */
import { invalid } from '../base/errors.ts';
import type { Bytes, Database, Range } from '../index.ts';
import { lastOverflowKey } from './entry-format.ts';
import { checkInventory, checkObject } from './index-options.ts';
import type { IndexState } from './index-state.ts';
import { move, type Prepared, reindex } from './rebuild.ts';
import { NO_PAYLOAD, putRow, removeRow, uniqueState } from './rows.ts';
import { type MgaCursor, ScanCursor, type ScanSource, walk, walkAsync } from './scan.ts';
import { type MgaStatistics, statistics } from './statistics.ts';
import type { Inventory, MgaEntry, MgaRange, MgaSourceEntry, Tid, UniqueState, Xid } from './types.ts';
import { removeRows, type VacuumReport, vacuum } from './vacuum.ts';
import { checkedTid } from './xids.ts';

export interface MoveOptions {
  /** Of the index there; by default that of here. It has to know the same transactions. */
  inventory?: Inventory;
}

/** What opened an index. */
export interface IndexOrigin<K> {
  /** The object is not used any more. */
  left(): void;
  /** The same index in another database. */
  prepare(db: Database, inventory: Inventory): Promise<Prepared<K, MgaIndex<K>>>;
}

/** The entries of a range that a transaction sees. Iterating twice walks twice; `for await` lets the event loop turn. */
export interface MgaScan<K> extends Iterable<MgaEntry<K>>, AsyncIterable<MgaEntry<K>> {
  cursor(): MgaCursor<K>;
}

/**
 * An index of rows of a host that has transactions of its own. `openMgaIndex` makes it.
 *
 * Errors of all methods: `INDEX_GONE` (invalid), `CLOSED`, and those of the database. Where an xid is taken: `XID_INVALID`,
 * `XID_UNKNOWN` (invalid: it has not begun). Where a key is taken: `KEY_INVALID`, `KEY_TOO_LARGE`.
 */
export class MgaIndex<K = Bytes> {
  readonly #state: IndexState<K>;
  readonly #origin: IndexOrigin<K>;

  /** Not for users: `openMgaIndex` makes them. */
  constructor(state: IndexState<K>, origin: IndexOrigin<K>) {
    this.#state = state;
    this.#origin = origin;
  }

  get name(): string {
    return this.#state.name;
  }

  get unique(): boolean {
    return this.#state.record.unique;
  }

  /**
   * The row `tid` has the key from transaction `xmin` on. Putting it again changes its payload from then on; the same payload changes
   * nothing.
   *
   * Errors: `XID_NOT_ACTIVE`, `TID_INVALID`, `VALUE_INVALID` (invalid); `ENTRY_CONFLICT` (conflict: another active or later
   * transaction has put or removed it); `UNIQUE_VIOLATION`, `UNIQUE_IN_DOUBT` (conflict); `INDEX_BUSY` (busy).
   *
   * @example
   * index.put('ada', 17, xid);
   */
  put(key: K, tid: Tid, xmin: Xid, payload: Bytes = NO_PAYLOAD): void {
    const state = this.#state;
    const row = checkedTid(tid);
    if (!(payload instanceof Uint8Array)) {
      throw invalid('VALUE_INVALID', `a payload is a Uint8Array; got ${typeof payload}`, {
        got: typeof payload,
      });
    }
    const head = state.encodeKey(key);
    const { unique } = state.record;
    state.enter();
    try {
      state.checkWritable();
      state.judge.checkWriter(xmin);
      putRow(state.store, state.judge, { head, tid: row, xid: xmin, payload, unique });
    } finally {
      state.leave();
    }
  }

  /**
   * The row has the key up to transaction `xmax`.
   *
   * Errors: `ENTRY_NOT_FOUND` (invalid): the transaction sees no such entry; the others of `put`.
   */
  remove(key: K, tid: Tid, xmax: Xid): void {
    const state = this.#state;
    const row = checkedTid(tid);
    const head = state.encodeKey(key);
    state.enter();
    try {
      state.checkWritable();
      state.judge.checkWriter(xmax);
      removeRow(state.store, state.judge, head, row, xmax);
    } finally {
      state.leave();
    }
  }

  /** The rows of the key that transaction `xid` sees, in the order of their ids. */
  get(key: K, xid: Xid): Tid[] {
    const state = this.#state;
    const head = state.encodeKey(key);
    state.enter();
    try {
      state.judge.checkReader(xid);
      const { store } = state;
      const isSeen = store.sees(head, xid, false);
      if (!store.view.hasMore) return isSeen ? [store.tid] : [];
      return Array.from(this.#rows(head, xid), ({ tid }) => tid);
    } finally {
      state.leave();
    }
  }

  /** As `get`, with payloads: what an index-only read needs. */
  entries(key: K, xid: Xid): MgaEntry<K>[] {
    const state = this.#state;
    const head = state.encodeKey(key);
    state.enter();
    try {
      state.judge.checkReader(xid);
      const { store } = state;
      const isSeen = store.sees(head, xid, true);
      if (!store.view.hasMore) return isSeen ? [{ key, tid: store.tid, payload: store.payload }] : [];
      return [...this.#rows(head, xid)];
    } finally {
      state.leave();
    }
  }

  #rows(head: Uint8Array, xid: Xid): Iterable<MgaEntry<K>> {
    const open = (): ScanSource<K> =>
      this.#source({ gte: head, lte: lastOverflowKey(head) }, Number.POSITIVE_INFINITY, xid);
    return { [Symbol.iterator]: () => walk(open) };
  }

  /**
   * The entries of a range that transaction `xid` sees, by key and row id. Rows need not be looked at: a transaction sees the entry
   * exactly when it sees the row, and the payload has the included columns.
   *
   * Errors: `RANGE_INVALID` (invalid).
   *
   * @example
   * for (const { key, tid } of index.rangeScan({ gte: 'a', lt: 'b', limit: 10 }, xid)) console.log(key, tid);
   */
  rangeScan(range: MgaRange<K>, xid: Xid): MgaScan<K> {
    const state = this.#state;
    const { stored, limit } = this.#bounds(range);
    state.enter();
    try {
      state.judge.checkReader(xid);
    } finally {
      state.leave();
    }
    const open = (): ScanSource<K> => this.#source(stored, limit, xid);
    return {
      [Symbol.iterator]: () => walk(open),
      [Symbol.asyncIterator]: () => walkAsync(open),
      cursor: () => new ScanCursor(open()),
    };
  }

  /**
   * May the transaction give the key to another row? Looks at what has committed, also later than `xid`, because a unique index has
   * one present. `except`: a row that does not count.
   */
  uniqueCheck(key: K, xid: Xid, except?: Tid): UniqueState {
    const state = this.#state;
    const other = except === undefined ? undefined : checkedTid(except);
    const head = state.encodeKey(key);
    state.enter();
    try {
      state.judge.checkReader(xid);
      return uniqueState(state.store, state.judge, head, xid, other);
    } finally {
      state.leave();
    }
  }

  /**
   * Takes out all entries of rows that the host has given up: nobody sees them, whatever is stored. Resolves with how many there were.
   * Walks the whole index once.
   *
   * Errors: `TID_INVALID` (invalid), `INDEX_BUSY` (busy).
   */
  async removeDeadEntries(tids: Iterable<Tid>): Promise<number> {
    const dead = new Set<Tid>();
    for (const tid of tids) dead.add(checkedTid(tid));
    return removeRows(this.#state, dead);
  }

  /**
   * Collects garbage: compacts the whole index, takes out what no transaction sees any more, freezes what all see, and lets the
   * inventory forget what no index needs.
   *
   * Errors: `VACUUM_BUSY` (busy), `INDEX_BUSY` (busy), `INDEX_ATTACHED` (invalid).
   */
  async vacuum(): Promise<VacuumReport> {
    return vacuum(this.#state);
  }

  /**
   * Builds the index anew from the host's entries, beside the old one, which is read meanwhile and not written. Resolves with how many
   * there were; when the source fails, the old one stays. Several entries of a row under one key are versions of it, in any order: each
   * ends where the next begins.
   *
   * Errors: `OPTION_INVALID`, `ENTRY_INVALID` (invalid, with the position), `INDEX_BUSY`, `INDEX_ATTACHED`, what the source throws.
   */
  reindex(
    source: Iterable<MgaSourceEntry<K>> | AsyncIterable<MgaSourceEntry<K>>,
  ): Promise<{ entries: number }> {
    return reindex(this.#state, source);
  }

  /** Sizes, the share of dead entries by a sample, and what is above its threshold. */
  statistics(): MgaStatistics {
    return statistics(this.#state);
  }

  /**
   * Moves the index to another database, from memory to disk or back. It is read meanwhile and not written; then it is gone here.
   *
   * Errors: `OPTION_INVALID`, `INDEX_EXISTS`, `INVENTORY_BEHIND` (invalid), `INDEX_BUSY`, `INDEX_ATTACHED`.
   */
  async moveTo(db: Database, options: MoveOptions = {}): Promise<MgaIndex<K>> {
    checkObject('options', options);
    const { inventory = this.#state.inventory } = options;
    checkInventory(inventory);
    const moved = await move(this.#state, inventory, () => this.#origin.prepare(db, inventory));
    this.#origin.left();
    return moved;
  }

  /** Takes the index and all its entries away. */
  async drop(): Promise<void> {
    const state = this.#state;
    state.checkOwner('drop');
    state.checkWritable();
    state.change(undefined);
    state.internals?.horizons.forget(state.enrolled);
    state.internals?.forget();
    this.#origin.left();
    await state.retire(state.store);
  }

  /** Ends the use of this object; the index stays. */
  close(): void {
    this.#state.close();
    this.#origin.left();
  }

  #source(stored: Range<Bytes>, limit: number, xid: Xid): ScanSource<K> {
    const state = this.#state;
    state.enter();
    try {
      const { store, judge, decodeKey } = state;
      const common = { limit, xid, judge, decodeKey };
      if (stored.reverse !== true) {
        const range = store.keyspace.range(stored);
        state.walks++;
        const end = (): void => state.walkEnded(store);
        return { ...common, stored: range, headOf: undefined, end };
      }
      const snapshot = store.db.snapshot();
      try {
        const range = snapshot.range(store.keyspace, stored);
        state.walks++;
        const end = (): void => {
          snapshot.close();
          state.walkEnded(store);
        };
        return { ...common, stored: range, headOf: (key) => snapshot.get(store.keyspace, key), end };
      } catch (error) {
        snapshot.close();
        throw error;
      }
    } finally {
      state.leave();
    }
  }

  /** In stored keys. */
  #bounds(range: MgaRange<K>): { stored: Range<Bytes>; limit: number } {
    const refuse = (message: string, got: unknown): never => {
      throw invalid('RANGE_INVALID', message, { got });
    };
    if (typeof range !== 'object' || range === null) {
      return refuse(`a range is an object of ${members.join(', ')}; got ${typeof range}`, typeof range);
    }
    const other = Object.keys(range).find((name) => !members.includes(name));
    if (other !== undefined) refuse(`a range has no member '${other}'`, other);
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = range;
    if (typeof reverse !== 'boolean') refuse('reverse is true or false', reverse);
    if (limit !== Number.POSITIVE_INFINITY && !(Number.isInteger(limit) && limit >= 0)) {
      refuse('limit is a whole number, 0 or more', limit);
    }
    const stored: Range<Bytes> = { reverse };
    const state = this.#state;
    if (range.gte !== undefined) stored.gte = state.encodeKey(range.gte);
    if (range.gt !== undefined) stored.gt = lastOverflowKey(state.encodeKey(range.gt));
    if (range.lt !== undefined) stored.lt = state.encodeKey(range.lt);
    if (range.lte !== undefined) stored.lte = lastOverflowKey(state.encodeKey(range.lte));
    return { stored, limit };
  }
}

const members = ['gte', 'gt', 'lte', 'lt', 'reverse', 'limit'];
