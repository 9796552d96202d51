/**
 * Puts the rows of a key into the order of their ids. A key's first row lies in its head, before the others, whatever its id: walking
 * forward a head that has more is held back until a row with a larger id or another key comes; walking back, the head is looked up
 * when the first of its rows comes. One walk.
 */
import { cloneRange, compareRanges, EMPTY } from '../base/bytes.ts';
import { TID_BYTES, tidAt } from './entry-format.ts';
import type { Tid, Xid } from './types.ts';
import { EntryView, type Judge } from './visibility.ts';

/** What is to be done about a stored entry: nothing; show it; show the held row first and ask again. */
export const SKIP = 0;
export const SHOW = 1;
export const SHOW_HELD = 2;

/** A stored entry, lent. */
export interface Stored {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export class RowOrder {
  isHeld = false;
  heldKey: Uint8Array = EMPTY;
  heldTid: Tid = 0;
  heldPayload: Uint8Array = EMPTY;
  readonly #view = new EntryView();
  readonly #xid: Xid;
  readonly #judge: Judge;
  /** Walking back; undefined walking forward. */
  readonly #headOf: ((key: Uint8Array) => Uint8Array | undefined) | undefined;
  /** Walking back: the key whose head was looked up. */
  #group: Uint8Array | undefined;

  constructor(xid: Xid, judge: Judge, headOf?: (key: Uint8Array) => Uint8Array | undefined) {
    this.#xid = xid;
    this.#judge = judge;
    this.#headOf = headOf;
  }

  /** @param view of the entry's value; whether the transaction sees its row is in `isSeen` */
  place(stored: Stored, view: EntryView, isSeen: boolean): number {
    if (view.isHead) return this.#placeHead(stored, view, isSeen);
    const { key } = stored;
    const end = key.length - TID_BYTES;
    if (this.#headOf !== undefined && !isSame(this.#group, key, end)) {
      if (this.isHeld) return SHOW_HELD;
      this.#enter(this.#headOf, cloneRange(key, 0, end));
    }
    if (this.isHeld && !isSame(this.heldKey, key, end)) return SHOW_HELD;
    if (!isSeen) return SKIP;
    return this.isHeld && this.#goesFirst(tidAt(key, end)) ? SHOW_HELD : SHOW;
  }

  #placeHead(stored: Stored, view: EntryView, isSeen: boolean): number {
    if (this.isHeld) return SHOW_HELD;
    if (this.#headOf === undefined) {
      if (!isSeen || !view.hasMore) return isSeen ? SHOW : SKIP;
      this.#hold(stored.key, stored.value);
      return SKIP;
    }
    const wasLookedUp = isSame(this.#group, stored.key, stored.key.length);
    this.#group = undefined;
    return isSeen && !wasLookedUp ? SHOW : SKIP;
  }

  #enter(headOf: (key: Uint8Array) => Uint8Array | undefined, key: Uint8Array): void {
    this.#group = key;
    const value = headOf(key);
    if (value !== undefined) this.#hold(key, value);
  }

  /** If the transaction sees the row of the head. */
  #hold(key: Uint8Array, value: Uint8Array): void {
    const view = this.#view;
    if (!view.look(value, 0, value.length, this.#xid, this.#judge)) return;
    this.heldKey = cloneRange(key, 0, key.length);
    this.heldTid = tidAt(value, view.tidAt);
    this.heldPayload = cloneRange(value, view.payloadStart, view.payloadEnd);
    this.isHeld = true;
  }

  #goesFirst(tid: Tid): boolean {
    return this.#headOf === undefined ? this.heldTid < tid : this.heldTid > tid;
  }
}

function isSame(key: Uint8Array | undefined, other: Uint8Array, end: number): boolean {
  return key !== undefined && compareRanges(key, 0, key.length, other, 0, end) === 0;
}
