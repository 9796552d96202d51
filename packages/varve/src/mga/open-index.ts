/**
 * Opens and makes indexes: what is stored of them (index-records.ts) is checked against what is asked for, and keyspaces that are left
 * of rebuilds that did not come to their end are dropped by the owner's open (generations.ts). A database that is read-only is left as
 * it is.
 */
import { randomUUID } from 'node:crypto';
import { invalid } from '../base/errors.ts';
import { bytes, type Bytes, type Database, type KeyCodec } from '../index.ts';
import { dropLeftovers, nextGeneration, releaseKeyspace } from './generations.ts';
import { hasFiles } from './horizons.ts';
import { checkOptions, checkStored } from './index-options.ts';
import { type IndexRecord, recordsOf } from './index-records.ts';
import { IndexState } from './index-state.ts';
import { MgaIndex } from './mga-index.ts';
import { discard, type Prepared } from './rebuild.ts';
import { isAttached, unlessReadOnly } from './threads.ts';
import type { Inventory, MgaIndexOptions } from './types.ts';

/**
 * Opens the index `name`, making it when there is none. The same name gives the same object. In a thread that has attached the
 * database the index has to be there.
 *
 * Errors: `NAME_INVALID`, `OPTION_INVALID`, `INDEX_OPTIONS` (invalid: it has another codec, `unique` or `keyBytes`),
 * `INDEX_OPEN` (invalid: open with another inventory), `INDEX_NOT_FOUND` (invalid, in attached threads), those of `db.keyspace`.
 *
 * @example
 * const inventory = await openInventory(db);
 * const byName = await openMgaIndex(db, 'by-name', { key: utf8, inventory });
 */
export async function openMgaIndex<K = Bytes>(
  db: Database,
  name: string,
  options: MgaIndexOptions<K>,
): Promise<MgaIndex<K>> {
  checkOptions(name, options);
  const open = opened(db);
  const known = open.get(name);
  if (known !== undefined) {
    const { index, state } = await known.made;
    if (known.inventory !== options.inventory) {
      throw invalid('INDEX_OPEN', `index '${name}' is open with another inventory`, { index: name });
    }
    const { record } = state;
    const { unique = record.unique, keyBytes = record.keyBytes } = options;
    checkStored(name, record, { codec: codecOf(options).name, unique, keyBytes });
    return index as unknown as MgaIndex<K>;
  }
  const made = makeIndex(db, name, options);
  const entry: Opened = { made: made as Promise<unknown> as Opened['made'], inventory: options.inventory };
  open.set(name, entry);
  try {
    return (await made).index;
  } catch (error) {
    if (open.get(name) === entry) open.delete(name);
    throw error;
  }
}

async function makeIndex<K>(db: Database, name: string, options: MgaIndexOptions<K>): Promise<Made<K>> {
  const prepared = await prepareIndex(db, name, options, false);
  try {
    return { index: prepared.publish(), state: prepared.state };
  } catch (error) {
    await prepared.abandon();
    throw error;
  }
}

interface Made<K> {
  readonly index: MgaIndex<K>;
  readonly state: IndexState<K>;
}

interface Opened {
  readonly made: Promise<Made<unknown>>;
  readonly inventory: Inventory;
}

const databases = new WeakMap<Database, Map<string, Opened>>();

function opened(db: Database): Map<string, Opened> {
  let open = databases.get(db);
  if (open === undefined) databases.set(db, (open = new Map()));
  return open;
}

function codecOf<K>({ key }: MgaIndexOptions<K>): KeyCodec<K> {
  return key ?? (bytes as unknown as KeyCodec<K>);
}

/** @param isMoved it must not be there yet, and gets entries before it is published */
async function prepareIndex<K>(
  db: Database,
  name: string,
  options: MgaIndexOptions<K>,
  isMoved: boolean,
): Promise<Prepared<K, MgaIndex<K>>> {
  const attached = isAttached(db);
  const records = recordsOf(db);
  const stored = records.get(name);
  if (stored !== undefined && isMoved) throw indexExists(name);
  if (stored === undefined && attached) {
    const message = `index '${name}' is not there: the thread that has opened the database makes it`;
    throw invalid('INDEX_NOT_FOUND', message, { index: name });
  }
  const codec = codecOf(options);
  const { unique = stored?.unique ?? false, keyBytes = stored?.keyBytes } = options;
  const wanted = { codec: codec.name, unique, keyBytes };
  if (stored !== undefined) checkStored(name, stored, wanted);
  if (!attached) await dropLeftovers(db, records, name);
  const generation = stored?.generation ?? nextGeneration(db, name);
  // A rebuild that was going on when the database was closed is none any more.
  const { busy, ...settled } = stored ?? { format: 1 as const, generation, ...wanted };
  const record = stored !== undefined && (attached || busy === undefined) ? stored : settled;
  const parts = { db, name, records, codec, options, isAttached: attached };
  const makeState = async (): Promise<IndexState<K>> => {
    try {
      return new IndexState<K>(parts, record);
    } catch (error) {
      if (stored === undefined) await discard(parts, generation);
      throw error;
    }
  };
  const state = await makeState();
  /** Its place among the open ones is its own until it is left for the first time. */
  let isOpen = !isMoved;
  const leave = (): void => {
    if (isOpen) opened(db).delete(name);
    isOpen = false;
  };
  const origin = {
    left: leave,
    prepare: (there: Database, inventory: Inventory): Promise<Prepared<K, MgaIndex<K>>> =>
      prepareIndex(there, name, { ...options, inventory, unique, ...keyBytesOption(keyBytes) }, true),
  };
  let isPublished = false;
  return {
    state,
    publish: () => {
      if (!attached) {
        unlessReadOnly(() => {
          // Made by somebody else meanwhile.
          if (stored === undefined && records.get(name) !== undefined) throw indexExists(name);
          const named = withId(state, record);
          if (named !== stored) state.change(named);
          isPublished = true;
          enroll(state, stored === undefined && !isMoved);
        });
        releaseKeyspace(db, state.store.keyspace.name);
      }
      const index = new MgaIndex<K>(state, origin);
      if (isMoved) {
        const made = Promise.resolve({ index, state }) as Promise<unknown> as Opened['made'];
        opened(db).set(name, { made, inventory: options.inventory });
        isOpen = true;
      }
      return index;
    },
    abandon: async () => {
      if (isMoved) leave();
      state.close();
      if (stored !== undefined) return;
      try {
        if (isPublished) state.change(undefined);
      } catch {
        // It can not be written any more: the index stays there as well.
        return;
      }
      state.internals?.horizons.forget(state.enrolled);
      await discard(state, generation);
    },
  };
}

function indexExists(name: string): Error {
  return invalid('INDEX_EXISTS', `the database has an index '${name}' already`, { index: name });
}

function keyBytesOption(keyBytes: number | undefined): { keyBytes?: number } {
  return keyBytes === undefined ? {} : { keyBytes };
}

/** One that an inventory of another database is to know gets a name for it. */
function withId<K>({ db, internals }: IndexState<K>, record: IndexRecord): IndexRecord {
  const home = internals?.home;
  if (home === undefined || home === db || record.id !== undefined || !hasFiles(db)) return record;
  return { ...record, id: randomUUID() };
}

/** The inventory forgets nothing that the index may need. A new one has no entries yet. */
function enroll<K>({ internals, inventory, enrolled }: IndexState<K>, isEmpty: boolean): void {
  if (internals === undefined || internals.horizons.has(enrolled)) return;
  internals.horizons.settle(enrolled, isEmpty ? inventory.oldestActive : internals.base());
}
