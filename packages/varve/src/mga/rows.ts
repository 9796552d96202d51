/**
 * Changes of single rows: which stored entry has them (entry-format.ts), and what they become (lives.ts). Each change of an entry is
 * one step for other threads too. The order of the steps makes what lies between them harmless: a row is stored before the head says
 * that there is one, and a head that somebody has made for the same row meanwhile takes it over.
 */
import { EMPTY } from '../base/bytes.ts';
import { VarveError } from '../base/errors.ts';
import { HEAD, type Life, MORE, overflowKey, type StoredEntry } from './entry-format.ts';
import { type EntryStore, isRowOf } from './entry-store.ts';
import { notFound, prune, putLife, removeLife } from './lives.ts';
import type { Tid, UniqueState, Xid } from './types.ts';
import type { Judge } from './visibility.ts';

/** Lives of a row that are not looked at a second time. */
const LIVES_MANY = 16;

export interface RowPut {
  readonly head: Uint8Array;
  readonly tid: Tid;
  readonly xid: Xid;
  readonly payload: Uint8Array;
  readonly unique: boolean;
}

export function putRow(store: EntryStore, judge: Judge, put: RowPut): void {
  const { head, tid, xid, unique } = put;
  const fresh = store.encodeFresh(tid, xid, put.payload);
  for (;;) {
    // A key without a head has no rows.
    if (store.keyspace.putIfAbsent(head, fresh)) {
      store.reuse(fresh);
      return;
    }
    if (unique) checkUnique(store, judge, put);
    const first = store.read(head);
    if (first === undefined) continue;
    if (isRowOf(first, tid)) {
      if (putInHead(store, judge, put)) break;
      continue;
    }
    const key = overflowKey(head, tid);
    store.change(key, (old) => withLife(old, judge, put, 0));
    // Looked at behind the row, so that a vacuum which has found none before says so again.
    if ((store.flagsOf(head) & MORE) !== 0 || store.markMore(head, tid)) break;
    // Somebody has made the head of the same row: that is where it belongs.
    store.change(key, (old) => withoutLife(old, xid));
  }
  if (unique) confirmUnique(store, judge, put);
}

/** False: the head is of another row by now. */
function putInHead(store: EntryStore, judge: Judge, put: RowPut): boolean {
  let isHere = true;
  store.change(put.head, (old) => {
    isHere = old === undefined || isRowOf(old, put.tid);
    return isHere ? withLife(old, judge, put, HEAD) : 'keep';
  });
  return isHere;
}

function withLife(
  old: StoredEntry | undefined,
  judge: Judge,
  { tid, xid, payload }: RowPut,
  flags: number,
): StoredEntry | 'keep' {
  if (old === undefined) return { flags, tid, lives: [{ xmin: xid, xmax: 0, payload }] };
  const { lives } = old;
  const hasPruned = pruneForWriter(lives, judge);
  return putLife(lives, tid, xid, payload, judge) || hasPruned ? old : 'keep';
}

/** A row that changes all the time must not grow for that: now and then its lives are looked at as a collection would. */
function pruneForWriter(lives: Life[], judge: Judge): boolean {
  const hasPruned = prune(lives, judge, false);
  if (!judge.isLossy || lives.length === 0 || lives.length % LIVES_MANY !== 0) return hasPruned;
  return prune(lives, judge.settled(), false) || hasPruned;
}

function withoutLife(old: StoredEntry | undefined, xid: Xid): StoredEntry | 'keep' | undefined {
  if (old === undefined) return 'keep';
  const lives = old.lives.filter(({ xmin }) => xmin !== xid);
  return emptied({ ...old, lives });
}

/** What stays of an entry that may have no lives any more. */
export function emptied(entry: StoredEntry): StoredEntry | undefined {
  return entry.lives.length > 0 || (entry.flags & MORE) !== 0 ? entry : undefined;
}

export function removeRow(store: EntryStore, judge: Judge, head: Uint8Array, tid: Tid, xid: Xid): void {
  for (;;) {
    const first = store.read(head);
    if (first === undefined) throw notFound(tid, xid);
    const isInHead = isRowOf(first, tid);
    let isHere = true;
    store.change(isInHead ? head : overflowKey(head, tid), (old) => {
      isHere = !isInHead || (old !== undefined && isRowOf(old, tid));
      if (!isHere) return 'keep';
      if (old === undefined) throw notFound(tid, xid);
      pruneForWriter(old.lives, judge);
      removeLife(old.lives, tid, xid, judge);
      return emptied(old);
    });
    if (isHere) return;
  }
}

/** Who has the key, but for the row `except`. */
export function uniqueState(
  store: EntryStore,
  judge: Judge,
  head: Uint8Array,
  xid: Xid,
  except: Tid | undefined,
): UniqueState {
  let doubt: UniqueState | undefined;
  for (const { tid, lives } of store.entriesOf(head)) {
    if (tid === except) continue;
    const by = holderOf(lives, xid, judge);
    if (by === 0) return { state: 'taken', tid };
    if (by !== undefined) doubt ??= { state: 'in-doubt', tid, by };
  }
  return doubt ?? { state: 'free' };
}

/** 0: the row has the key for `xid`; a transaction on which that depends; undefined: it has it not. */
function holderOf(lives: readonly Life[], xid: Xid, judge: Judge): Xid | undefined {
  for (const { xmin, xmax } of lives) {
    if (judge.isAborted(xmin)) continue;
    if (xmin !== xid && !judge.isCommitted(xmin)) return xmin;
    if (xmax === 0 || judge.isAborted(xmax)) return 0;
    return xmax === xid || judge.isCommitted(xmax) ? undefined : xmax;
  }
  return undefined;
}

function checkUnique(store: EntryStore, judge: Judge, { head, tid, xid }: RowPut): void {
  const found = uniqueState(store, judge, head, xid, tid);
  if (found.state === 'free') return;
  const isTaken = found.state === 'taken';
  const code = isTaken ? 'UNIQUE_VIOLATION' : 'UNIQUE_IN_DOUBT';
  const why = isTaken ? 'has the key' : `may have the key: transaction ${found.by} is active`;
  const context = { tid, xid, by: isTaken ? undefined : found.by, holder: found.tid };
  const message = `row ${String(found.tid)} ${why}, which row ${String(tid)} was to get`;
  throw new VarveError('conflict', code, message, context);
}

/** Threads that have put rows at the same time see each other's now: those that do take them back. */
function confirmUnique(store: EntryStore, judge: Judge, put: RowPut): void {
  try {
    checkUnique(store, judge, put);
  } catch (error) {
    const { head, tid, xid } = put;
    try {
      removeRow(store, judge, head, tid, xid);
    } catch {
      // It was there before, and stays.
    }
    throw error;
  }
}

/** The payload that is stored for none. */
export const NO_PAYLOAD: Uint8Array = EMPTY;
