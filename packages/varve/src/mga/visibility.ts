/**
 * Who sees what. A reader of transaction `xid` sees a life when
 *
 *   xmin = xid, or xmin < xid and xmin has committed; and
 *   xmax = 0, or xmax is neither xid nor a transaction below xid that has committed.
 *
 * So a transaction sees what those before it have committed, at the moment in which it looks, and its own changes. Reading is a walk
 * over the stored bytes without making anything of them. One thread.
 */
import { corruption } from '../base/errors.ts';
import { HEAD, MORE, NO_ROW, TID_BYTES } from './entry-format.ts';
import { type Outcomes, settledBy } from './lives.ts';
import type { FrozenInventory, Inventory, Xid } from './types.ts';
import { checkXid, notActive, unknownXid } from './xids.ts';

export class Judge implements Outcomes {
  readonly inventory: Inventory;
  /**
   * A commit that the inventory tells of may be lost by a crash that leaves the entries: what it has removed is needed then. So
   * writers take out what was rolled back, and leave the rest to collections, which go by what a crash leaves.
   */
  readonly isLossy: boolean;
  readonly #frozen: () => FrozenInventory;
  /** Of an inventory in this process: that something has begun since then does not matter. */
  #next = 0;
  /** A commit is for good: many entries in a row carry the same xid. */
  #committed = 0;

  /** @param frozen of one that is lossy: what a crash leaves */
  constructor(inventory: Inventory, frozen?: () => FrozenInventory) {
    this.inventory = inventory;
    this.isLossy = frozen !== undefined;
    this.#frozen = frozen ?? (() => inventory.frozen());
  }

  /** Below it, writers take out what has been removed. */
  get oldestActive(): Xid {
    return this.isLossy ? 0 : this.inventory.oldestActive;
  }

  /** What a crash leaves. */
  settled(): Outcomes {
    return settledBy(this.#frozen());
  }

  isCommitted(xid: Xid): boolean {
    if (xid === 0 || xid === this.#committed) return true;
    if (this.inventory.stateOf(xid) !== 'committed') return false;
    this.#committed = xid;
    return true;
  }

  isAborted(xid: Xid): boolean {
    return xid !== 0 && this.inventory.stateOf(xid) === 'aborted';
  }

  /** @throws invalid `XID_INVALID`, `XID_UNKNOWN` */
  checkReader(xid: Xid): void {
    checkXid(xid);
    if (xid < this.#next) return;
    this.#next = this.inventory.next;
    if (xid >= this.#next) throw unknownXid(xid, this.#next);
  }

  /** @throws invalid `XID_INVALID`, `XID_UNKNOWN`, `XID_NOT_ACTIVE` */
  checkWriter(xid: Xid): void {
    this.checkReader(xid);
    const state = this.inventory.stateOf(xid);
    if (state !== 'active') throw notActive(xid, state);
  }
}

/** An entry as a reader has found it: positions in the bytes that were looked at. */
export class EntryView {
  flags = 0;
  /** Of the row id of a head; -1 when it has none. */
  tidAt = -1;
  payloadStart = 0;
  payloadEnd = 0;
  #at = 0;

  get isHead(): boolean {
    return (this.flags & HEAD) !== 0;
  }

  get hasMore(): boolean {
    return (this.flags & MORE) !== 0;
  }

  /** Does the transaction see the row of the value in [start, end)? */
  look(bytes: Uint8Array, start: number, end: number, xid: Xid, judge: Judge): boolean {
    const flags = bytes[start]!;
    let at = start + 1;
    this.flags = flags;
    this.tidAt = -1;
    if ((flags & (HEAD | NO_ROW)) === HEAD) {
      this.tidAt = at;
      at += TID_BYTES;
    }
    while (at < end) {
      let xmin = bytes[at++]!;
      if (xmin >= 128) {
        xmin = this.#rest(bytes, at, xmin);
        at = this.#at;
      }
      let xmax = bytes[at++]!;
      if (xmax >= 128) {
        xmax = this.#rest(bytes, at, xmax);
        at = this.#at;
      }
      let length = bytes[at++]!;
      if (length >= 128) {
        length = this.#rest(bytes, at, length);
        at = this.#at;
      }
      const from = at;
      at += length;
      if (at > end) break;
      if (xmin !== 0 && xmin !== xid && !(xmin < xid && judge.isCommitted(xmin))) continue;
      if (xmax !== 0 && (xmax === xid || (xmax < xid && judge.isCommitted(xmax)))) continue;
      this.payloadStart = from;
      this.payloadEnd = at;
      return true;
    }
    // Also what is no number.
    if (at !== end) {
      throw corruption('an entry of an MGA index ends in the middle of a life', { bytes: end - start });
    }
    return false;
  }

  /** A number (base/varint.ts) that goes on behind its first byte; `#at` is behind it then. */
  #rest(bytes: Uint8Array, from: number, first: number): number {
    let at = from;
    let value = first & 127;
    let scale = 128;
    let byte: number;
    do {
      byte = bytes[at++]!;
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128);
    this.#at = at;
    return value;
  }
}
