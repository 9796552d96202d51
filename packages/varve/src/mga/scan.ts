/**
 * Walks over an index: entries by key and row id, as one transaction sees them. Stored entries are those of the moment in which the
 * walk began; which transactions have committed is asked as it goes. One thread.
 */
import { cloneRange, EMPTY } from '../base/bytes.ts';
import type { WalkedCursor } from '../engine/range-view.ts';
import type { Bytes, Disposer, RangeView } from '../index.ts';
import { TID_BYTES, tidAt } from './entry-format.ts';
import { RowOrder, SHOW, SHOW_HELD, SKIP, type Stored } from './row-order.ts';
import type { MgaEntry, Tid, Xid } from './types.ts';
import { EntryView, type Judge } from './visibility.ts';

/** Stored entries to walk over, and what is made of them. */
export interface ScanSource<K> {
  readonly stored: RangeView<Bytes, Bytes>;
  /** Walking back: the value of a key's head in the same state. */
  readonly headOf: ((key: Uint8Array) => Uint8Array | undefined) | undefined;
  readonly limit: number;
  readonly xid: Xid;
  readonly judge: Judge;
  /** The index key in [0, end) of a stored one. */
  decodeKey(stored: Uint8Array, end: number): K;
  /** The walk has ended. */
  end(): void;
}

/** Lends entries one after the other, and makes nothing of them that is not asked for. To be closed. */
export interface MgaCursor<K> extends Disposer {
  /** To the next entry that the transaction sees. */
  next(): boolean;
  /** The caller's own. */
  readonly key: K;
  readonly tid: Tid;
  /** Borrowed: valid until the next move. */
  readonly payload: Bytes;
}

export class ScanCursor<K> implements MgaCursor<K> {
  readonly #source: ScanSource<K>;
  readonly #walked: WalkedCursor;
  readonly #order: RowOrder;
  readonly #view = new EntryView();
  readonly #xid: Xid;
  readonly #judge: Judge;
  #left: number;
  #isOpen = true;
  #hasEnded = false;
  /** Of the stored entry: is it seen, and does it wait for the held row to be shown? */
  #isSeen = false;
  #waits = false;
  /** What is shown is the held row. */
  #showsHeld = false;
  #valueStart = 0;
  #tid: Tid = 0;

  constructor(source: ScanSource<K>) {
    this.#source = source;
    this.#xid = source.xid;
    this.#judge = source.judge;
    this.#left = source.limit;
    this.#order = new RowOrder(source.xid, source.judge, source.headOf);
    // Cursors of the engine have what spares views (engine/range-view.ts).
    try {
      this.#walked = source.stored.cursor() as WalkedCursor;
    } catch (error) {
      source.end();
      throw error;
    }
  }

  readonly #look = (bytes: Uint8Array, start: number, end: number): boolean => {
    const view = this.#view;
    this.#valueStart = start;
    if (!view.look(bytes, start, end, this.#xid, this.#judge)) return false;
    if (view.tidAt >= 0) this.#tid = tidAt(bytes, view.tidAt);
    return true;
  };

  next(): boolean {
    const order = this.#order;
    this.#showsHeld = false;
    if (this.#left <= 0 || this.#hasEnded) return this.#end();
    for (;;) {
      if (this.#waits) this.#waits = false;
      else if (this.#walked.next()) this.#isSeen = this.#walked.readValue(this.#look);
      else if (order.isHeld) return this.#showHeld();
      else return this.#end();
      const view = this.#view;
      // Most entries are heads of a key with one row.
      if (!order.isHeld && view.isHead && !view.hasMore && this.#source.headOf === undefined) {
        if (!this.#isSeen) continue;
        this.#left--;
        return true;
      }
      switch (order.place(this.#walked, view, this.#isSeen)) {
        case SHOW:
          this.#left--;
          return true;
        case SHOW_HELD:
          this.#waits = true;
          return this.#showHeld();
        case SKIP:
          break;
      }
    }
  }

  get key(): K {
    if (this.#showsHeld) return this.#source.decodeKey(this.#order.heldKey, this.#order.heldKey.length);
    const { key } = this.#walked;
    // Before the first move there is no key: it is empty.
    const end = this.#view.isHead ? key.length : Math.max(0, key.length - TID_BYTES);
    return this.#source.decodeKey(key, end);
  }

  get tid(): Tid {
    if (this.#showsHeld) return this.#order.heldTid;
    if (this.#view.isHead) return this.#tid;
    const { key } = this.#walked;
    return key.length === 0 ? 0 : tidAt(key, key.length - TID_BYTES);
  }

  get payload(): Bytes {
    if (this.#showsHeld) return this.#order.heldPayload;
    const { payloadStart, payloadEnd } = this.#view;
    if (payloadStart === payloadEnd) return EMPTY;
    return this.#walked.value.subarray(payloadStart - this.#valueStart, payloadEnd - this.#valueStart);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#hasEnded = true;
    this.#walked.close();
    this.#source.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #showHeld(): boolean {
    this.#order.isHeld = false;
    this.#showsHeld = true;
    this.#left--;
    return true;
  }

  #end(): false {
    this.#hasEnded = true;
    return false;
  }
}

export function* walk<K>(open: () => ScanSource<K>): Generator<MgaEntry<K>, void, undefined> {
  const cursor = new ScanCursor(open());
  try {
    while (cursor.next()) {
      const { payload } = cursor;
      yield { key: cursor.key, tid: cursor.tid, payload: cloneRange(payload, 0, payload.length) };
    }
  } finally {
    cursor.close();
  }
}

/** As `walk`; what comes from files is read ahead by worker threads, and the event loop turns. */
export async function* walkAsync<K>(open: () => ScanSource<K>): AsyncGenerator<MgaEntry<K>, void, undefined> {
  const source = open();
  const { xid, judge, limit } = source;
  const order = new RowOrder(xid, judge, source.headOf);
  const view = new EntryView();
  let left = limit;
  const held = (): MgaEntry<K> => {
    order.isHeld = false;
    left--;
    const { heldKey, heldTid, heldPayload } = order;
    return { key: source.decodeKey(heldKey, heldKey.length), tid: heldTid, payload: heldPayload };
  };
  try {
    if (left <= 0) return;
    for await (const [key, value] of source.stored) {
      const stored: Stored = { key, value };
      const isSeen = view.look(value, 0, value.length, xid, judge);
      for (;;) {
        const what = order.place(stored, view, isSeen);
        if (what === SKIP) break;
        if (what === SHOW_HELD) yield held();
        else {
          left--;
          const end = view.isHead ? key.length : key.length - TID_BYTES;
          const tid = view.isHead ? tidAt(value, view.tidAt) : tidAt(key, end);
          const payload = cloneRange(value, view.payloadStart, view.payloadEnd);
          yield { key: source.decodeKey(key, end), tid, payload };
        }
        if (left <= 0) return;
        if (what === SHOW) break;
      }
    }
    if (order.isHeld) yield held();
  } finally {
    source.end();
  }
}
