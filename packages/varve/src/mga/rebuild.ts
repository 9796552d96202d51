/**
 * Building an index anew beside the one that is read meanwhile: from entries of the host (`reindex`), or in another database
 * (`moveTo`). What is stored of the index says so first, and every change that has begun before ends, so that none is lost; one write
 * then puts the new one in the place of the old. Until that write nothing of the new one counts: whoever opens the index drops it.
 * Owner's thread.
 */
import { invalid } from '../base/errors.ts';
import type { Bytes } from '../index.ts';
import { HEAD, type Life, overflowKey, type StoredEntry } from './entry-format.ts';
import { type EntryStore, isRowOf } from './entry-store.ts';
import { indexId } from './index-id.ts';
import type { IndexRecord, IndexState } from './index-state.ts';
import { NO_PAYLOAD, uniqueState } from './rows.ts';
import type { Inventory, MgaSourceEntry, Tid, Xid } from './types.ts';
import { changesEnded } from './writer-slots.ts';
import { checkedTid, checkXid, unknownXid } from './xids.ts';

const TURN_ENTRIES = 256;

/** An index that nobody can open yet. */
export interface Prepared<K, I> {
  readonly state: IndexState<K>;
  /** It is one from here on. */
  publish(): I;
  /** It is to be none. */
  abandon(): Promise<void>;
}

export async function reindex<K>(
  state: IndexState<K>,
  source: Iterable<MgaSourceEntry<K>> | AsyncIterable<MgaSourceEntry<K>>,
): Promise<{ entries: number }> {
  const { record } = state;
  const restore = await beginRebuild(state, 'reindex', 'reindex');
  let entries = 0;
  let store: EntryStore | undefined;
  try {
    store = state.openGeneration(record.generation + 1);
    for await (const entry of source) {
      addEntry(state, store, entry, entries);
      entries++;
      if (entries % TURN_ENTRIES === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    state.change({ ...record, generation: record.generation + 1 });
  } catch (error) {
    restore();
    if (store !== undefined) await state.db.dropKeyspace(store.keyspace.name);
    throw error;
  }
  await state.replaceStore(store);
  return { entries };
}

export async function move<K, I>(
  state: IndexState<K>,
  inventory: Inventory,
  prepare: () => Promise<Prepared<K, I>>,
): Promise<I> {
  const { next } = state.inventory;
  if (inventory.next < next) {
    const message = `the inventory of the other database knows transactions below ${inventory.next}, entries may be of any below ${next}; openInventory takes them over by copyOf`;
    throw invalid('INVENTORY_BEHIND', message, { next: inventory.next, wanted: next });
  }
  const restore = await beginRebuild(state, 'move', 'moveTo');
  let moved: I;
  try {
    const prepared = await prepare();
    try {
      const there = prepared.state;
      await there.db.ingest<Bytes, Bytes>(there.store.keyspace, state.store.keyspace.range());
      moved = prepared.publish();
      await there.db.sync('disk');
    } catch (error) {
      await prepared.abandon();
      throw error;
    }
  } catch (error) {
    restore();
    throw error;
  }
  state.change(undefined);
  state.internals?.settle(indexId(state), undefined);
  await state.retire(state.store);
  return moved;
}

/** No writes from here on; gives the call that takes them again. */
async function beginRebuild<K>(
  state: IndexState<K>,
  what: 'reindex' | 'move',
  method: string,
): Promise<() => void> {
  state.checkOwner(method);
  state.checkWritable();
  const record: IndexRecord = state.record;
  state.change({ ...record, busy: what });
  const restore = (): void => state.change(record);
  try {
    if (state.internals !== undefined) await changesEnded(state.internals.shared, state.isRunning);
  } catch (error) {
    restore();
    throw error;
  }
  return restore;
}

function addEntry<K>(
  state: IndexState<K>,
  store: EntryStore,
  entry: MgaSourceEntry<K>,
  position: number,
): void {
  const { key, xmin = 0, xmax = 0, payload = NO_PAYLOAD } = checked(state, entry, position);
  const tid = checkedTid(entry.tid);
  const head = state.encodeKey(key);
  const { judge } = state;
  // What was rolled back would be there again once the inventory has forgotten it.
  if (judge.isAborted(xmin)) return;
  const life: Life = { xmin, xmax: judge.isAborted(xmax) ? 0 : xmax, payload };
  const first = store.read(head);
  const isInHead = first === undefined || isRowOf(first, tid);
  store.change(isInHead ? head : overflowKey(head, tid), (old) => withLife(old, tid, life, isInHead));
  if (isInHead && (first === undefined || !state.record.unique)) return;
  if (!isInHead) store.markMore(head, tid);
  if (!state.record.unique || life.xmax !== 0) return;
  const found = uniqueState(store, judge, head, Number.MAX_SAFE_INTEGER, tid);
  if (found.state !== 'taken') return;
  throw entryInvalid(position, `row ${String(found.tid)} has the key of row ${String(tid)}`);
}

function withLife(old: StoredEntry | undefined, tid: Tid, life: Life, isHead: boolean): StoredEntry {
  if (old === undefined) return { flags: isHead ? HEAD : 0, tid, lives: [life] };
  const at = old.lives.findIndex(({ xmin }) => xmin <= life.xmin);
  old.lives.splice(at < 0 ? old.lives.length : at, 0, life);
  return old;
}

function checked<K>(state: IndexState<K>, entry: MgaSourceEntry<K>, position: number): MgaSourceEntry<K> {
  if (typeof entry !== 'object' || entry === null) throw entryInvalid(position, `got ${typeof entry}`);
  const { tid, xmin = 0, xmax = 0, payload = NO_PAYLOAD } = entry;
  const { next } = state.inventory;
  try {
    checkedTid(tid);
    for (const xid of [xmin, xmax] as Xid[]) {
      if (xid === 0) continue;
      checkXid(xid);
      if (xid >= next) throw unknownXid(xid, next);
    }
  } catch (error) {
    throw entryInvalid(position, error instanceof Error ? error.message : 'it is none', error);
  }
  if (xmax !== 0 && xmax < xmin) throw entryInvalid(position, `xmax ${xmax} is below xmin ${xmin}`);
  if (!(payload instanceof Uint8Array)) throw entryInvalid(position, 'its payload is no Uint8Array');
  return entry;
}

function entryInvalid(position: number, why: string, cause?: unknown): Error {
  return invalid('ENTRY_INVALID', `entry ${position} of the source: ${why}`, { position }, cause);
}
