/** Checks of transaction numbers and row ids that callers give, and the errors that refuse them. Any thread. */
import { invalid, VarveError } from '../base/errors.ts';
import type { Tid, Xid, XidState } from './types.ts';

/** @throws invalid `XID_INVALID` for what is no number of a transaction */
export function checkXid(xid: unknown): asserts xid is Xid {
  if (Number.isSafeInteger(xid) && (xid as number) >= 1) return;
  const got = typeof xid === 'number' || typeof xid === 'bigint' ? String(xid) : typeof xid;
  throw invalid('XID_INVALID', `an xid is a whole number from 1 to 2^53-1; got ${got}`, { got });
}

export function unknownXid(xid: Xid, next: Xid): VarveError {
  const message = `transaction ${xid} has not begun: the next one is ${next}`;
  return invalid('XID_UNKNOWN', message, { xid, next });
}

export function exhausted(xid: Xid): VarveError {
  const message = `there is no xid beyond ${xid}: an xid is below 2^53-1`;
  return invalid('XIDS_EXHAUSTED', message, { next: xid });
}

export function notActive(xid: Xid, state: XidState): VarveError {
  const what = state === 'active' ? 'is being committed' : `is not active but ${state}`;
  return invalid('XID_NOT_ACTIVE', `transaction ${xid} ${what}`, { xid, state });
}

/** An entry is in the way of another transaction. */
export function entryConflict(what: string, tid: unknown, xid: Xid, by: Xid): VarveError {
  const message = `transaction ${xid} can not change the entry of row ${String(tid)}: it was ${what} by transaction ${by}`;
  return new VarveError('conflict', 'ENTRY_CONFLICT', message, { tid, xid, by });
}

const TID_MAX = 0xffff_ffff_ffff_ffffn;

/** @throws invalid `TID_INVALID` */
function checkTid(tid: unknown): asserts tid is Tid {
  if (typeof tid === 'number' ? Number.isSafeInteger(tid) && tid >= 0 : isWide(tid)) return;
  const got = typeof tid === 'number' || typeof tid === 'bigint' ? String(tid) : typeof tid;
  const message = `a row id is a whole number from 0 to 2^53-1 or a bigint from 0 to 2^64-1; got ${got}`;
  throw invalid('TID_INVALID', message, { got });
}

function isWide(tid: unknown): boolean {
  return typeof tid === 'bigint' && tid >= 0n && tid <= TID_MAX;
}

/** A row id as it comes back and is compared: 17n is the row 17. @throws invalid `TID_INVALID` */
export function checkedTid(tid: Tid): Tid {
  checkTid(tid);
  return typeof tid === 'bigint' && tid <= Number.MAX_SAFE_INTEGER ? Number(tid) : tid;
}
