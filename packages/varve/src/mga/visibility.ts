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
import type { Outcomes } from './lives.ts';
import type { Inventory, Xid } from './types.ts';
import { checkXid, notActive, unknownXid } from './xids.ts';

export class Judge implements Outcomes {
  readonly inventory: Inventory;
  /** Of an inventory in this process: that something has begun since then does not matter. */
  #next = 0;
  /** A commit is for good: many entries in a row carry the same xid. */
  #committed = 0;

  constructor(inventory: Inventory) {
    this.inventory = inventory;
  }

  get oldestActive(): Xid {
    return this.inventory.oldestActive;
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
  /** Where the next number is read. */
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
    this.flags = flags;
    this.#at = start + 1;
    this.tidAt = -1;
    if ((flags & (HEAD | NO_ROW)) === HEAD) {
      this.tidAt = this.#at;
      this.#at += TID_BYTES;
    }
    while (this.#at < end) {
      const xmin = this.#number(bytes);
      const xmax = this.#number(bytes);
      const length = this.#number(bytes);
      const from = this.#at;
      this.#at = from + length;
      if (this.#at > end) break;
      if (xmin !== xid && !(xmin < xid && judge.isCommitted(xmin))) continue;
      if (xmax !== 0 && (xmax === xid || (xmax < xid && judge.isCommitted(xmax)))) continue;
      this.payloadStart = from;
      this.payloadEnd = from + length;
      return true;
    }
    if (this.#at !== end) {
      throw corruption('an entry of an MGA index ends in the middle of a life', { bytes: end - start });
    }
    return false;
  }

  #number(bytes: Uint8Array): number {
    let byte = bytes[this.#at++]!;
    if (byte < 128) return byte;
    let value = byte & 127;
    let scale = 128;
    do {
      byte = bytes[this.#at++]!;
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128);
    return value;
  }
}
