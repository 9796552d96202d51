/**
 * Building an index anew beside the one that is read meanwhile: from entries of the host (`reindex`), or in another database
 * (`moveTo`). What is stored of the index says so first, and every change that has begun before ends, so that none is lost; one write
 * then puts the new one in the place of the old. Until that write nothing of the new one counts: whoever opens the index drops it.
 * Owner's thread.
 */
import { equalBytes } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import type { Bytes, Database } from '../index.ts';
import { HEAD, type Life, overflowKey, type StoredEntry } from './entry-format.ts';
import { type EntryStore, isRowOf } from './entry-store.ts';
import { dropHeld, nextGeneration, releaseKeyspace } from './generations.ts';
import { checkSource } from './index-options.ts';
import { keyspaceName } from './index-records.ts';
import type { IndexState } from './index-state.ts';
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
  checkSource(source);
  const { record } = state;
  await beginRebuild(state, 'reindex', 'reindex');
  let entries = 0;
  let generation: number | undefined;
  let store: EntryStore;
  try {
    generation = nextGeneration(state.db, state.name);
    store = state.openGeneration(generation);
    for await (const entry of source) {
      addEntry(state, store, entry, entries);
      entries++;
      if (entries % TURN_ENTRIES === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // Or somebody may have opened it anew meanwhile.
    state.checkOwner('reindex');
    state.change({ ...record, generation });
  } catch (error) {
    state.restore(record);
    if (generation !== undefined) await discard(state, generation);
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
  const { record } = state;
  await beginRebuild(state, 'move', 'moveTo');
  let moved: I;
  try {
    const prepared = await prepare();
    try {
      const there = prepared.state;
      await there.db.ingest<Bytes, Bytes>(there.store.keyspace, state.store.keyspace.range());
      moved = prepared.publish();
      await there.db.sync('disk');
      state.checkOwner('moveTo');
      state.change(undefined);
    } catch (error) {
      await prepared.abandon();
      throw error;
    }
  } catch (error) {
    state.restore(record);
    throw error;
  }
  state.internals?.horizons.forget(state.enrolled);
  state.internals?.forget();
  // It is there by now: what can not be dropped here is left over.
  await state.retire(state.store).catch(() => {});
  return moved;
}

/** Of a rebuild that failed. A keyspace that can not be dropped now is left over. */
export async function discard(
  { db, name }: { readonly db: Database; readonly name: string },
  generation: number,
): Promise<void> {
  const keyspace = keyspaceName(name, generation);
  try {
    if (db.keyspaces().includes(keyspace)) await dropHeld(db, keyspace);
  } catch {
    // What went wrong before is told.
  }
  releaseKeyspace(db, keyspace);
}

/** No writes from here on, until `restore` or another `change`. */
async function beginRebuild<K>(
  state: IndexState<K>,
  what: 'reindex' | 'move',
  method: string,
): Promise<void> {
  state.checkOwner(method);
  state.checkWritable();
  const { record } = state;
  state.change({ ...record, busy: what });
  void state.dropLeftovers().catch(() => {});
  try {
    if (state.internals !== undefined) await changesEnded(state.internals.shared, state.isRunning);
  } catch (error) {
    state.restore(record);
    throw error;
  }
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
  const ended = judge.isAborted(xmax) ? 0 : xmax;
  // Nobody sees what its own transaction has removed.
  if (xmin !== 0 && ended === xmin) return;
  const life: Life = { xmin, xmax: ended, payload };
  const first = store.read(head);
  const isInHead = first === undefined || isRowOf(first, tid);
  store.change(isInHead ? head : overflowKey(head, tid), (old) =>
    withLife(old, tid, life, isInHead, position),
  );
  if (isInHead && (first === undefined || !state.record.unique)) return;
  if (!isInHead) store.markMore(head, tid);
  if (!state.record.unique || life.xmax !== 0) return;
  const found = uniqueState(store, judge, head, Number.MAX_SAFE_INTEGER, tid);
  if (found.state !== 'taken') return;
  throw entryInvalid(position, `row ${String(found.tid)} has the key of row ${String(tid)}`);
}

/**
 * The lives of a row at a key follow each other: a host that gives each version of a row gives several, and one ends where the next
 * begins, whatever the host says of its end. The same version twice is one.
 */
function withLife(
  old: StoredEntry | undefined,
  tid: Tid,
  life: Life,
  isHead: boolean,
  position: number,
): StoredEntry | 'keep' {
  if (old === undefined) return { flags: isHead ? HEAD : 0, tid, lives: [life] };
  const { lives } = old;
  const found = lives.findIndex(({ xmin }) => xmin <= life.xmin);
  const at = found < 0 ? lives.length : found;
  const older = lives[at];
  const newer = lives[at - 1];
  if (newer !== undefined) endWith(life, newer.xmin);
  if (older?.xmin === life.xmin) {
    if (older.xmax === life.xmax && equalBytes(older.payload, life.payload)) return 'keep';
    const which = life.xmin === 0 ? 'before every transaction' : `by transaction ${life.xmin}`;
    throw entryInvalid(position, `row ${String(tid)} was put under that key ${which} before, otherwise`);
  }
  if (older !== undefined) endWith(older, life.xmin);
  lives.splice(at, 0, life);
  return old;
}

function endWith(life: Life, xid: Xid): void {
  if (life.xmax === 0 || life.xmax > xid) life.xmax = xid;
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
