/**
 * Collecting garbage by hand. A compaction with the filter does most of it; but a filter is not asked about what an open reader may
 * see, so that all of it is done is known only by a walk behind the compaction, which changes what it still finds. Only then may the
 * inventory forget.
 *
 * Order: (1) a frozen copy that would survive a crash; (2) every change that has begun before it ends, so that none brings back what
 * is taken out; (3) compaction; (4) walk; (5) every read that has begun before ends; (6) the index is settled below the copy's oldest
 * active transaction, unless a walk or snapshot is open from before (4), which may still meet what was changed since.
 * Owner's thread.
 */
import { threadId } from 'node:worker_threads';
import { VarveError } from '../base/errors.ts';
import type { Bytes } from '../index.ts';
import {
  decodeEntry,
  HEAD,
  lastOverflowKey,
  MORE,
  NO_ROW,
  type StoredEntry,
  TID_BYTES,
  tidAt,
} from './entry-format.ts';
import type { EntryStore } from './entry-store.ts';
import { frozenOf } from './index-options.ts';
import type { IndexState } from './index-state.ts';
import { BIG_BASE } from './inventory-words.ts';
import { type Outcomes, prune, settledBy } from './lives.ts';
import { emptied } from './rows.ts';
import { lockTrim } from './trim-lock.ts';
import type { FrozenInventory, Tid, Xid } from './types.ts';
import { changesEnded } from './writer-slots.ts';

export interface VacuumReport {
  /** Everything that ended below it is settled: its rows are gone or seen by all. */
  readonly horizon: Xid;
  /** Below it the inventory has forgotten; less than `horizon` while other indexes or open readers need it. */
  readonly base: Xid | undefined;
  /** Stored entries afterwards. */
  readonly entries: number;
  /** Entries that the walk behind the compaction had to change. */
  readonly changed: number;
  /** In tables. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly ms: number;
}

/** Of each inventory: one vacuum after the other. */
const turns = new WeakMap<object, Promise<unknown>>();

export function vacuum<K>(state: IndexState<K>): Promise<VacuumReport> {
  state.checkOwner('vacuum');
  state.checkWritable();
  const run = (): Promise<VacuumReport> => runVacuum(state);
  const before = turns.get(state.inventory);
  const own = before === undefined ? run() : before.then(run, run);
  turns.set(state.inventory, own);
  return own;
}

async function runVacuum<K>(state: IndexState<K>): Promise<VacuumReport> {
  state.checkOwner('vacuum');
  state.checkWritable();
  const { db, inventory, internals, store } = state;
  const started = performance.now();
  const unlock = internals === undefined ? undefined : lockTrim(internals.shared, threadId, state.isRunning);
  // A rebuild that comes in between drops the keyspace when this has ended.
  state.walks++;
  try {
    await state.dropLeftovers();
    const bytesBefore = bytesOf(store);
    const frozen: FrozenInventory = internals === undefined ? frozenOf(inventory) : await internals.durable();
    if (internals !== undefined) await changesEnded(internals.shared, state.isRunning);
    await db.compact({ keyspace: store.keyspace.name });
    const { entries, changed } = await settle(state, settledBy(frozen));
    if (internals !== undefined) {
      const settledAt = db.stats().sequence;
      await changesEnded(internals.shared, state.isRunning);
      // A rebuild that came in between has made another index of it.
      const isSame = state.store === store && !state.isGone && state.record.busy === undefined;
      if (isSame && !hasReaderBefore(state, settledAt)) {
        internals.horizons.settle(state.enrolled, frozen.oldestActive);
        internals.forget();
      }
    }
    return {
      horizon: frozen.oldestActive,
      base: internals === undefined ? undefined : Number(internals.shared.big[BIG_BASE]),
      entries,
      changed,
      bytesBefore,
      bytesAfter: bytesOf(store),
      ms: performance.now() - started,
    };
  } finally {
    state.walkEnded(store);
    unlock?.();
  }
}

/** Changes what the compaction has left. */
async function settle<K>(
  state: IndexState<K>,
  outcomes: Outcomes,
): Promise<{ entries: number; changed: number }> {
  const { db, store } = state;
  let entries = 0;
  let changed = 0;
  // Asking takes as long as there are keyspaces: once a turn of the event loop.
  let isAlone: boolean | undefined;
  const ask = (): boolean => {
    setImmediate(() => (isAlone = undefined));
    return db.stats().threads.length <= 1;
  };
  for await (const [key, value] of store.keyspace.range()) {
    entries++;
    const { flags, lives } = decodeEntry(value);
    const saysMore = (flags & (HEAD | MORE)) === (HEAD | MORE);
    // Not while other threads may be adding a row.
    const isLonely = saysMore && (isAlone ??= ask()) && !hasRows(store, key);
    if (!prune(lives, outcomes, true) && !isLonely) continue;
    state.enter();
    try {
      let isLeft = true;
      store.change(key, (old) => {
        if (old === undefined) return 'keep';
        const hasPruned = prune(old.lives, outcomes, true);
        if (!hasPruned && !isLonely) return 'keep';
        const made = emptied(isLonely ? { ...old, flags: old.flags & ~MORE } : old);
        isLeft = made !== undefined;
        return made;
      });
      changed++;
      if (!isLeft) entries--;
    } finally {
      state.leave();
    }
  }
  return { entries, changed };
}

function hasRows(store: EntryStore, head: Bytes): boolean {
  const cursor = store.keyspace.range({ gt: head, lte: lastOverflowKey(head) }).cursor();
  try {
    return cursor.next();
  } finally {
    cursor.close();
  }
}

/** An open snapshot, transaction or walk that sees less than `sequence`. */
function hasReaderBefore<K>({ db }: IndexState<K>, sequence: number): boolean {
  const { snapshots, threads } = db.stats();
  return [snapshots, ...threads].some(
    ({ oldestSequence }) => oldestSequence !== undefined && oldestSequence < sequence,
  );
}

/** Takes out every entry of the rows. */
export async function removeRows<K>(state: IndexState<K>, rows: ReadonlySet<Tid>): Promise<number> {
  let removed = 0;
  // Another thread may have rebuilt the index since the last call.
  state.enter();
  const { store } = state;
  try {
    state.checkWritable();
    state.walks++;
  } finally {
    state.leave();
  }
  try {
    if (rows.size === 0) return 0;
    for await (const [key, value] of store.keyspace.range()) {
      const tid = rowOf(key, decodeEntry(value));
      if (tid !== undefined && rows.has(tid) && removeRow(state, store, key, rows)) removed++;
    }
  } catch (error) {
    if (error instanceof VarveError && error.code === 'KEYSPACE_DROPPED') refuseRebuilt(state, store);
    throw error;
  } finally {
    state.walkEnded(store);
  }
  return removed;
}

/** @throws busy `INDEX_BUSY` when another thread has rebuilt the index in the middle of a walk */
function refuseRebuilt<K>(state: IndexState<K>, store: EntryStore): void {
  state.enter();
  try {
    state.checkWritable(store);
  } finally {
    state.leave();
  }
}

function removeRow<K>(state: IndexState<K>, store: EntryStore, key: Bytes, rows: ReadonlySet<Tid>): boolean {
  state.enter();
  try {
    state.checkWritable(store);
    let had = false;
    store.change(key, (old) => {
      // The head may be that of another row by now.
      had = old !== undefined && old.lives.length > 0 && rows.has(rowOf(key, old) ?? NONE);
      return old === undefined || !had ? 'keep' : emptied({ ...old, lives: [] });
    });
    return had;
  } finally {
    state.leave();
  }
}

/** No row's id. */
const NONE = -1;

/** The row of a stored entry; undefined: a head that has none. */
function rowOf(key: Bytes, { flags, tid }: StoredEntry): Tid | undefined {
  if ((flags & HEAD) === 0) return tidAt(key, key.length - TID_BYTES);
  return (flags & NO_ROW) === 0 ? tid : undefined;
}

function bytesOf({ db, keyspace }: EntryStore): number {
  return db.stats().keyspaces[keyspace.name]?.bytes ?? 0;
}
