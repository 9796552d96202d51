/**
 * The keyspace of an index's entries and what is done to single ones: looked at without a copy, changed in one step. A key that has
 * no head has no entries, so a look at a missing key is one point read. One index in one thread.
 */
import { cloneRange, EMPTY } from '../base/bytes.ts';
import type { Bytes, Database, Keyspace, KeyspaceSettings, ValueCodec } from '../index.ts';
import {
  decodeEntry,
  encodeEntry,
  encodeFresh,
  HEAD,
  MORE,
  NO_ROW,
  overflowKey,
  type StoredEntry,
  TID_BYTES,
  tidAt,
} from './entry-format.ts';
import { filterUrl, mgaFilter } from './filter.ts';
import { ENTRY_CODEC } from './index-records.ts';
import type { FrozenInventory, Tid, Xid } from './types.ts';
import { EntryView, type Judge } from './visibility.ts';

/** Values go in and come out as they are, but for `look`, which is shown where they lie. */
class EntryCodec implements ValueCodec<Bytes> {
  readonly name: string = ENTRY_CODEC;
  look: ((bytes: Uint8Array, start: number, end: number) => void) | undefined;

  encode(value: Bytes): Bytes {
    return value;
  }

  decode(value: Bytes): Bytes {
    return value;
  }

  /** The engine asks this of codecs that have it: bytes are lent (engine/codecs/codec.ts `RangeDecoder`). */
  decodeRange(bytes: Uint8Array, start: number, end: number): Bytes {
    if (this.look === undefined) return cloneRange(bytes, start, end);
    this.look(bytes, start, end);
    return EMPTY;
  }
}

export class EntryStore {
  readonly db: Database;
  readonly keyspace: Keyspace<Bytes, Bytes>;
  readonly view: EntryView = new EntryView();
  /** Of the head that `visibleIn` has looked at, when it sees its row. */
  tid: Tid = 0;
  /** Its payload, if it was asked for. */
  payload: Uint8Array = EMPTY;
  readonly #codec: EntryCodec;
  readonly #judge: Judge;
  #scratch: Uint8Array = EMPTY;
  #xid: Xid = 0;
  #isSeen = false;
  #wantsPayload = false;

  constructor(db: Database, keyspace: Keyspace<Bytes, Bytes>, codec: EntryCodec, judge: Judge) {
    this.db = db;
    this.keyspace = keyspace;
    this.#codec = codec;
    this.#judge = judge;
  }

  /** Does the transaction see the row of the head? `view` says whether there are others; false and no flags: there is no head. */
  sees(head: Uint8Array, xid: Xid, wantsPayload: boolean): boolean {
    this.#xid = xid;
    this.#isSeen = false;
    this.#wantsPayload = wantsPayload;
    this.view.flags = 0;
    this.#codec.look = this.#look;
    try {
      this.keyspace.get(head);
    } finally {
      this.#codec.look = undefined;
    }
    return this.#isSeen;
  }

  readonly #look = (bytes: Uint8Array, start: number, end: number): void => {
    const { view } = this;
    this.#isSeen = view.look(bytes, start, end, this.#xid, this.#judge);
    if (!this.#isSeen) return;
    this.tid = tidAt(bytes, view.tidAt);
    if (this.#wantsPayload) this.payload = cloneRange(bytes, view.payloadStart, view.payloadEnd);
  };

  /** The value of a new head. Values repeat their length, so `reuse` gives it back once it is stored. */
  encodeFresh(tid: Tid, xid: Xid, payload: Uint8Array): Uint8Array {
    const scratch = this.#scratch;
    // Not while a write that waits for room has it: listeners of its events may write too.
    this.#scratch = EMPTY;
    return encodeFresh(tid, xid, payload, scratch);
  }

  reuse(value: Uint8Array): void {
    this.#scratch = value;
  }

  /** Of a head; 0: there is none. */
  flagsOf(head: Uint8Array): number {
    this.sees(head, 0, false);
    return this.view.flags;
  }

  read(key: Uint8Array): StoredEntry | undefined {
    const value = this.keyspace.get(key);
    return value === undefined ? undefined : decodeEntry(value);
  }

  /** Replaces an entry by what `change` makes of it: 'keep' leaves it, undefined takes it out. May run more than once. */
  change(key: Uint8Array, change: (old: StoredEntry | undefined) => StoredEntry | 'keep' | undefined): void {
    try {
      this.keyspace.update(key, (old) => {
        const made = change(old === undefined ? undefined : decodeEntry(old));
        if (made === 'keep') throw KEPT;
        return made === undefined ? undefined : encodeEntry(made);
      });
    } catch (error) {
      if (error !== KEPT) throw error;
    }
  }

  /** Says at the head that there are overflow entries. False: the row is in the head now, which somebody else has written. */
  markMore(head: Uint8Array, tid: Tid): boolean {
    let isElsewhere = true;
    this.change(head, (old) => {
      if (old === undefined) return { flags: HEAD | MORE | NO_ROW, tid: 0, lives: [] };
      isElsewhere = !isRowOf(old, tid);
      if (!isElsewhere || (old.flags & MORE) !== 0) return 'keep';
      return { ...old, flags: old.flags | MORE };
    });
    return isElsewhere;
  }

  /** All entries of a key: the head's, then the others. */
  *entriesOf(head: Uint8Array): Generator<StoredEntry> {
    const first = this.read(head);
    if (first === undefined) return;
    yield first;
    if ((first.flags & MORE) === 0) return;
    for (const [key, value] of this.keyspace.range({ gt: head, lte: overflowKey(head, LAST_TID) })) {
      yield { ...decodeEntry(value), tid: tidAt(key, key.length - TID_BYTES) };
    }
  }
}

/** Ends an update without a write. */
const KEPT = new Error('kept');
const LAST_TID = 0xffff_ffff_ffff_ffffn;

export function isRowOf({ flags, tid }: StoredEntry, wanted: Tid): boolean {
  return (flags & NO_ROW) === 0 && tid === wanted;
}

/**
 * Opens the keyspace. In a thread that has attached the database there is no filter, and the keyspace has to be there.
 *
 * @param data for the filter, undefined in attached threads
 */
export function openStore(
  db: Database,
  name: string,
  judge: Judge,
  data: (() => FrozenInventory) | undefined,
  settings: KeyspaceSettings = {},
): EntryStore {
  const codec = codecOf(db, name);
  const keyspace = db.keyspace<Bytes, Bytes>(name, {
    ...settings,
    value: codec,
    ...(data === undefined ? {} : { compactionFilter: { filter: mgaFilter, url: filterUrl, data } }),
  });
  return new EntryStore(db, keyspace, codec, judge);
}

/** A keyspace keeps the codec that it was opened with first: indexes of one database and name share it. */
const codecs = new WeakMap<Database, Map<string, EntryCodec>>();

function codecOf(db: Database, name: string): EntryCodec {
  let ofDb = codecs.get(db);
  if (ofDb === undefined) codecs.set(db, (ofDb = new Map()));
  let codec = ofDb.get(name);
  if (codec === undefined) ofDb.set(name, (codec = new EntryCodec()));
  return codec;
}
