/**
 * What the parts of one index object share, and the few things that all of them ask first: is it open, is it still the index that is
 * stored, may it be written. One index, one thread.
 */
import { threadId } from 'node:worker_threads';
import { busy, closed, invalid } from '../base/errors.ts';
import type { Database, KeyCodec, Keyspace, KeyspaceSettings } from '../index.ts';
import { escapeKey, HEAD_BYTES_MAX, unescapeKey } from './entry-format.ts';
import { type EntryStore, openStore } from './entry-store.ts';
import { type InventoryInternals, tellIndexes, TransactionInventory } from './inventory.ts';
import { WORD_CHANGES } from './inventory-words.ts';
import type { Inventory, MgaIndexOptions, MgaThresholds } from './types.ts';
import { Judge } from './visibility.ts';
import { changesEnded, WriterSlot } from './writer-slots.ts';

/** What is stored of an index, under its name. */
export interface IndexRecord {
  readonly format: 1;
  /** Of the keyspace that has its entries. */
  readonly generation: number;
  readonly codec: string;
  readonly unique: boolean;
  readonly keyBytes: number | undefined;
  /** Writes are refused meanwhile. */
  readonly busy?: 'reindex' | 'move';
}

export type IndexRecords = Keyspace<string, IndexRecord>;

/** One that is read where the database was attached has no filter and collects nothing. */
export interface IndexParts<K> {
  readonly db: Database;
  readonly name: string;
  readonly records: IndexRecords;
  readonly codec: KeyCodec<K>;
  readonly options: MgaIndexOptions<K>;
  readonly isAttached: boolean;
}

export class IndexState<K> {
  readonly db: Database;
  readonly name: string;
  readonly inventory: Inventory;
  readonly judge: Judge;
  readonly isAttached: boolean;
  readonly thresholds: MgaThresholds;
  readonly settings: KeyspaceSettings | undefined;
  readonly codec: KeyCodec<K>;
  record: IndexRecord;
  store: EntryStore;
  /** Walks that are open on `store`. */
  walks = 0;
  /** Keyspaces of before a reindex, each dropped when the walks on it have ended. */
  readonly #retired = new Map<EntryStore, number>();
  readonly #records: IndexRecords;
  readonly #internals: InventoryInternals | undefined;
  readonly #slot: WriterSlot | undefined;
  /** Of the inventory, when this last looked at what is stored; it has not since it was made. */
  #changes = -1;
  #gone: string | undefined;

  constructor({ db, name, records, codec, options, isAttached }: IndexParts<K>, record: IndexRecord) {
    this.db = db;
    this.name = name;
    this.#records = records;
    this.codec = codec;
    this.inventory = options.inventory;
    this.judge = new Judge(options.inventory);
    this.isAttached = isAttached;
    this.thresholds = options.thresholds ?? {};
    this.settings = options.settings;
    this.record = record;
    if (options.inventory instanceof TransactionInventory) {
      this.#internals = options.inventory.internals;
      this.#slot = new WriterSlot(this.#internals.shared);
    }
    // What is stored is read once more where a rebuild waits for it: a keyspace that was dropped would be made again.
    this.#slot?.enter();
    try {
      if (isAttached) this.record = records.get(name) ?? record;
      this.store = this.openGeneration(this.record.generation);
    } finally {
      this.#slot?.leave();
    }
  }

  get internals(): InventoryInternals | undefined {
    return this.#internals;
  }

  /** The keyspace of a generation; with the filter, where compactions ask it. */
  openGeneration(generation: number): EntryStore {
    const internals = this.#internals;
    const data = (): ReturnType<Inventory['frozen']> =>
      internals === undefined ? this.inventory.frozen() : internals.safe();
    const name = keyspaceName(this.name, generation);
    return openStore(this.db, name, this.judge, this.isAttached ? undefined : data, this.settings);
  }

  /** The head's key. @throws invalid `KEY_INVALID`, `KEY_TOO_LARGE` */
  encodeKey(key: K): Uint8Array {
    const bytes: unknown = this.codec.encode(key);
    if (!(bytes instanceof Uint8Array)) {
      throw invalid('KEY_INVALID', `codec ${this.codec.name} gave no Uint8Array`, { codec: this.codec.name });
    }
    const { keyBytes } = this.record;
    if (keyBytes === undefined) {
      const head = escapeKey(bytes);
      if (head.length > HEAD_BYTES_MAX) throw this.#keyTooLarge(head.length);
      return head;
    }
    if (bytes.length === keyBytes) return bytes;
    const message = `index '${this.name}' has keys of ${keyBytes} bytes; got ${bytes.length}`;
    throw invalid('KEY_INVALID', message, { index: this.name, expected: keyBytes, got: bytes.length });
  }

  /** The index key in [0, end) of a stored one. */
  readonly decodeKey = (stored: Uint8Array, end: number): K =>
    this.codec.decode(this.record.keyBytes === undefined ? unescapeKey(stored, end) : stored.slice(0, end));

  /**
   * Begins a read or a change: no vacuum forgets anything that it may meet before `leave`.
   *
   * @throws closed `CLOSED`
   */
  enter(): void {
    this.#slot?.enter();
    try {
      if (this.#gone !== undefined) throw this.#closed();
      const words = this.#internals?.shared.words;
      if (words !== undefined && Atomics.load(words, WORD_CHANGES) !== this.#changes) this.lookAgain();
    } catch (error) {
      this.#slot?.leave();
      throw error;
    }
  }

  leave(): void {
    this.#slot?.leave();
  }

  /** @throws busy `INDEX_BUSY` while it is rebuilt or moved, or when `store` is what it was before that */
  checkWritable(store: EntryStore = this.store): void {
    const what = this.record.busy ?? (store === this.store ? undefined : 'reindex');
    if (what === undefined) return;
    const message = `index '${this.name}' takes no writes during its ${what}`;
    throw busy('INDEX_BUSY', message, { index: this.name, during: what });
  }

  /** @throws invalid `INDEX_ATTACHED` */
  checkOwner(what: string): void {
    if (this.#gone !== undefined) throw this.#closed();
    if (!this.isAttached) return;
    const message = `${what} of index '${this.name}' is for the thread that has opened the database`;
    throw invalid('INDEX_ATTACHED', message, { index: this.name, method: what });
  }

  /** Takes over what is stored of the index now. */
  lookAgain(): void {
    if (this.#internals !== undefined) {
      this.#changes = Atomics.load(this.#internals.shared.words, WORD_CHANGES);
    }
    const stored = this.#records.get(this.name);
    if (stored === undefined) {
      this.#gone = 'was dropped or moved';
      throw this.#closed();
    }
    const { generation } = this.record;
    this.record = stored;
    if (stored.generation === generation) return;
    this.store = this.openGeneration(stored.generation);
    this.walks = 0;
  }

  /** Stores it, for this thread and others; undefined: the index is no more. */
  change(record: IndexRecord | undefined): void {
    if (record === undefined) {
      this.#records.delete(this.name);
      this.#gone = 'was dropped or moved';
    } else {
      this.#records.put(this.name, record);
      this.record = record;
    }
    const shared = this.#internals?.shared;
    if (shared === undefined) return;
    tellIndexes(shared);
    this.#changes = Atomics.load(shared.words, WORD_CHANGES);
  }

  /** Reads go to another keyspace. */
  async replaceStore(store: EntryStore): Promise<void> {
    const old = this.store;
    this.store = store;
    await this.retire(old);
  }

  /** Drops the keyspace that was read up to now, once nobody walks it, or is in the middle of a read in another thread. */
  async retire(store: EntryStore): Promise<void> {
    if (this.#internals !== undefined) await changesEnded(this.#internals.shared, this.isRunning);
    const { walks } = this;
    this.walks = 0;
    if (walks > 0) this.#retired.set(store, walks);
    else await this.db.dropKeyspace(store.keyspace.name);
  }

  walkEnded(store: EntryStore): void {
    const retired = this.#retired.get(store);
    if (retired === undefined) {
      if (store === this.store) this.walks--;
      return;
    }
    this.#retired.set(store, retired - 1);
    if (retired > 1) return;
    this.#retired.delete(store);
    // The next open of the index drops it in any case.
    void this.db.dropKeyspace(store.keyspace.name).catch(() => {});
  }

  close(): void {
    this.#gone ??= 'is closed';
  }

  get isGone(): boolean {
    return this.#gone !== undefined;
  }

  /** Does a thread have the database open? */
  readonly isRunning = (id: number): boolean =>
    id === threadId || this.db.stats().threads.some((thread) => thread.threadId === id);

  /** The first row of a key has the room of all others: one that fits alone would refuse the second. */
  #keyTooLarge(got: number): Error {
    const message = `a key of index '${this.name}' is stored in at most ${HEAD_BYTES_MAX} bytes; this one takes ${got} (zero bytes count twice, and 2 for the end)`;
    return invalid('KEY_TOO_LARGE', message, { index: this.name, got, max: HEAD_BYTES_MAX });
  }

  #closed(): Error {
    if (this.#gone === 'is closed') return closed(`index '${this.name}'`, { index: this.name });
    return invalid('INDEX_GONE', `index '${this.name}' ${this.#gone!}`, { index: this.name });
  }
}

export function keyspaceName(index: string, generation: number): string {
  return `${keyspacePrefix(index)}${generation}`;
}

export function keyspacePrefix(index: string): string {
  return `varve.mga/${index}/`;
}
