/**
 * What the parts of one index object share, and the few things that all of them ask first: is it open, is it still the index that is
 * stored, may it be written. One index, one thread.
 */
import { busy, closed, invalid } from '../base/errors.ts';
import type { Database, KeyCodec, KeyspaceSettings } from '../index.ts';
import { escapeKey, HEAD_BYTES_MAX, unescapeKey } from './entry-format.ts';
import { type EntryStore, openStore } from './entry-store.ts';
import { dropHeld, dropLeftovers, holdKeyspace, releaseKeyspace } from './generations.ts';
import type { Enrolled } from './horizons.ts';
import { frozenOf } from './index-options.ts';
import { entrySettings, type IndexRecord, type IndexRecords, keyspaceName } from './index-records.ts';
import { type InventoryInternals, TransactionInventory } from './inventory.ts';
import { WORD_CHANGES } from './inventory-words.ts';
import { isRunning } from './threads.ts';
import { tellIndexes } from './trim-lock.ts';
import type { FrozenInventory, Inventory, MgaIndexOptions, MgaThresholds } from './types.ts';
import { Judge } from './visibility.ts';
import { changesEnded, WriterSlot } from './writer-slots.ts';

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
  readonly settings: KeyspaceSettings;
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
  /** To be stored as soon as it can be: a write of it has failed. */
  #owed: IndexRecord | undefined;

  constructor({ db, name, records, codec, options, isAttached }: IndexParts<K>, record: IndexRecord) {
    this.db = db;
    this.name = name;
    this.#records = records;
    this.codec = codec;
    this.inventory = options.inventory;
    this.isAttached = isAttached;
    this.thresholds = options.thresholds ?? {};
    this.settings = entrySettings(options.settings, isAttached);
    this.record = record;
    if (options.inventory instanceof TransactionInventory) {
      const { internals } = options.inventory;
      this.#internals = internals;
      this.#slot = new WriterSlot(this.#internals.shared, this.isRunning);
    }
    const home = this.#internals?.home;
    const isLossy = this.#internals === undefined || (home !== undefined && home !== db);
    this.judge = new Judge(options.inventory, isLossy ? this.#frozen : undefined);
    // What is stored is read once more where a rebuild waits for it: a keyspace that was dropped would be made again.
    this.#slot?.enter();
    try {
      if (isAttached) this.record = records.get(name) ?? record;
      this.store = this.openGeneration(this.record.generation);
    } finally {
      this.#slot?.leave();
    }
  }

  /** As what the inventory knows it. */
  get enrolled(): Enrolled {
    return { db: this.db, name: this.name, id: this.record.id };
  }

  get internals(): InventoryInternals | undefined {
    return this.#internals;
  }

  /** Drops what is left of rebuilds that could not be cleared away. */
  dropLeftovers(): Promise<void> {
    return dropLeftovers(this.db, this.#records, this.name);
  }

  /** The keyspace of a generation; with the filter, where compactions ask it. */
  openGeneration(generation: number): EntryStore {
    const name = keyspaceName(this.name, generation);
    return openStore(this.db, name, this.judge, this.isAttached ? undefined : this.#frozen, this.settings);
  }

  /** What a crash leaves of the inventory. */
  readonly #frozen = (): FrozenInventory => this.#internals?.safe() ?? frozenOf(this.inventory);

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
    if (this.#owed !== undefined) this.#payOwed();
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
    this.record = this.#owed ?? stored;
    if (stored.generation === generation) return;
    this.store = this.openGeneration(stored.generation);
    this.walks = 0;
  }

  /** Stores it, for this thread and others; undefined: the index is no more. */
  change(record: IndexRecord | undefined): void {
    if (record === undefined) {
      this.#records.delete(this.name);
      this.#gone = 'was dropped or moved';
      // Until it is dropped, which waits for readers.
      holdKeyspace(this.db, this.store.keyspace.name);
    } else {
      this.#records.put(this.name, record);
      this.record = record;
    }
    this.#owed = undefined;
    const shared = this.#internals?.shared;
    if (shared === undefined) return;
    tellIndexes(shared);
    this.#changes = Atomics.load(shared.words, WORD_CHANGES);
  }

  /** A rebuild has come to nothing: writes are taken again, at once in this thread, in others as soon as that can be stored. */
  restore(record: IndexRecord): void {
    this.record = record;
    this.#owed = record;
    this.#payOwed();
  }

  #payOwed(): void {
    const owed = this.#owed;
    if (owed === undefined) return;
    try {
      const stored = this.#records.get(this.name);
      // Unless another object of the index has done it.
      if (stored?.busy !== undefined && stored.generation === owed.generation) this.change(owed);
      this.#owed = undefined;
    } catch {
      // The disk is full: with the next write. Or the database is closed: then its next open does it.
    }
  }

  /** Reads go to another keyspace. */
  async replaceStore(store: EntryStore): Promise<void> {
    const old = this.store;
    this.store = store;
    holdKeyspace(this.db, old.keyspace.name);
    releaseKeyspace(this.db, store.keyspace.name);
    await this.retire(old).catch(() => {});
  }

  /**
   * Drops the keyspace that was read up to now, which is held, once nobody walks it, or is in the middle of a read in another
   * thread.
   */
  async retire(store: EntryStore): Promise<void> {
    // One more, for the reads of other threads.
    this.#retired.set(store, this.walks + 1);
    this.walks = 0;
    try {
      if (this.#internals !== undefined) await changesEnded(this.#internals.shared, this.isRunning);
    } catch (error) {
      this.#retired.delete(store);
      releaseKeyspace(this.db, store.keyspace.name);
      throw error;
    }
    await this.#leaveRetired(store);
  }

  walkEnded(store: EntryStore): void {
    if (!this.#retired.has(store)) {
      if (store === this.store) this.walks--;
      return;
    }
    // The next open of an index drops it in any case.
    void this.#leaveRetired(store).catch(() => {});
  }

  async #leaveRetired(store: EntryStore): Promise<void> {
    const walks = this.#retired.get(store)! - 1;
    this.#retired.set(store, walks);
    if (walks > 0) return;
    this.#retired.delete(store);
    await dropHeld(this.db, store.keyspace.name);
  }

  close(): void {
    this.#gone ??= 'is closed';
  }

  get isGone(): boolean {
    return this.#gone !== undefined;
  }

  /** Does a thread have the database open? */
  readonly isRunning = (id: number): boolean => isRunning(this.db, id);

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
