/**
 * Opens and makes indexes. What is stored of them lies in the keyspace `varve.mga`, under their names; their entries each in one of
 * their own, with a number that a reindex raises. Keyspaces of other numbers are left of a rebuild that did not come to its end, and
 * are dropped by the owner's open.
 */
import { threadId } from 'node:worker_threads';
import { invalid } from '../base/errors.ts';
import { bytes, type Bytes, type Database, json, type KeyCodec, utf8 } from '../index.ts';
import { indexId } from './index-id.ts';
import {
  type IndexParts,
  type IndexRecord,
  type IndexRecords,
  IndexState,
  keyspaceName,
  keyspacePrefix,
} from './index-state.ts';
import { MgaIndex } from './mga-index.ts';
import type { Prepared } from './rebuild.ts';
import type { Inventory, MgaIndexOptions } from './types.ts';

const RECORDS = 'varve.mga';
const NAME_LENGTH_MAX = 100;
const KEY_BYTES_MAX = 65_000;

/**
 * Opens the index `name`, making it when there is none. The same name gives the same object. In a thread that has attached the
 * database the index has to be there.
 *
 * Errors: `NAME_INVALID`, `OPTION_INVALID`, `INDEX_OPTIONS` (invalid: stored with another codec, `unique` or `keyBytes`),
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
    const index = await known.index;
    if (known.inventory !== options.inventory) {
      throw invalid('INDEX_OPEN', `index '${name}' is open with another inventory`, { index: name });
    }
    return index as MgaIndex<K>;
  }
  const index = (async () => (await prepareIndex(db, name, options, false)).publish())();
  open.set(name, { index: index as Promise<MgaIndex<unknown>>, inventory: options.inventory });
  try {
    return await index;
  } catch (error) {
    open.delete(name);
    throw error;
  }
}

interface Opened {
  readonly index: Promise<MgaIndex<unknown>>;
  readonly inventory: Inventory;
}

const databases = new WeakMap<Database, Map<string, Opened>>();

function opened(db: Database): Map<string, Opened> {
  let open = databases.get(db);
  if (open === undefined) databases.set(db, (open = new Map()));
  return open;
}

/** Whether this thread uses a database that another one has opened. */
export function isAttached(db: Database): boolean {
  return db.stats().threads.some((thread) => thread.threadId === threadId && !thread.isOwner);
}

/** @param isMoved it must not be there yet, and gets entries before it is published */
async function prepareIndex<K>(
  db: Database,
  name: string,
  options: MgaIndexOptions<K>,
  isMoved: boolean,
): Promise<Prepared<K, MgaIndex<K>>> {
  const attached = isAttached(db);
  const records: IndexRecords = db.keyspace(RECORDS, { key: utf8, value: json<IndexRecord>() });
  const stored = records.get(name);
  if (stored !== undefined && isMoved) {
    throw invalid('INDEX_EXISTS', `the database has an index '${name}' already`, { index: name });
  }
  if (stored === undefined && attached) {
    const message = `index '${name}' is not there: the thread that has opened the database makes it`;
    throw invalid('INDEX_NOT_FOUND', message, { index: name });
  }
  const codec = options.key ?? (bytes as unknown as KeyCodec<K>);
  const { unique = stored?.unique ?? false, keyBytes = stored?.keyBytes } = options;
  const wanted: IndexRecord = { format: 1, generation: 1, codec: codec.name, unique, keyBytes };
  if (stored !== undefined) checkStored(name, stored, wanted);
  if (!attached) await dropLeftovers(db, name, stored?.generation);
  // A rebuild that was going on when the database was closed is none any more.
  const { busy: _busy, ...settled } = stored ?? wanted;
  const record = attached ? stored! : settled;
  const parts: IndexParts<K> = { db, name, records, codec, options, isAttached: attached };
  const state = new IndexState<K>(parts, record);
  const origin = {
    left: (): void => void opened(db).delete(name),
    prepare: (there: Database, inventory: Inventory): Promise<Prepared<K, MgaIndex<K>>> =>
      prepareIndex(there, name, { ...options, inventory, unique, ...keyBytesOption(keyBytes) }, true),
  };
  return {
    state,
    publish: () => {
      if (!attached) {
        enroll(state, stored === undefined && !isMoved);
        if (stored === undefined || stored.busy !== undefined) state.change(record);
      }
      const index = new MgaIndex<K>(state, origin);
      if (isMoved) {
        const entry = { index: Promise.resolve(index as MgaIndex<unknown>), inventory: options.inventory };
        opened(db).set(name, entry);
      }
      return index;
    },
    abandon: () => db.dropKeyspace(state.store.keyspace.name),
  };
}

function keyBytesOption(keyBytes: number | undefined): { keyBytes?: number } {
  return keyBytes === undefined ? {} : { keyBytes };
}

/** The inventory forgets nothing that the index may need. A new one has no entries yet. */
function enroll<K>(state: IndexState<K>, isEmpty: boolean): void {
  const { internals, inventory } = state;
  if (internals === undefined || internals.settled.has(indexId(state))) return;
  internals.enroll(indexId(state), isEmpty ? inventory.oldestActive : internals.base());
}

async function dropLeftovers(db: Database, name: string, generation: number | undefined): Promise<void> {
  const current = generation === undefined ? undefined : keyspaceName(name, generation);
  for (const keyspace of db.keyspaces()) {
    const number = keyspace.slice(keyspacePrefix(name).length);
    const isOfIndex = keyspace.startsWith(keyspacePrefix(name)) && /^\d+$/.test(number);
    if (isOfIndex && keyspace !== current) await db.dropKeyspace(keyspace);
  }
}

function checkStored(name: string, stored: IndexRecord, wanted: IndexRecord): void {
  if (stored.format !== 1) {
    const message = `index '${name}' is of format ${String(stored.format)}, which this release does not know`;
    throw invalid('INDEX_OPTIONS', message, { index: name, expected: 1, got: stored.format });
  }
  for (const member of ['codec', 'unique', 'keyBytes'] as const) {
    if (stored[member] === wanted[member]) continue;
    const expected = String(stored[member]);
    const got = String(wanted[member]);
    const message = `index '${name}' has ${member} ${expected}; it was opened with ${got}`;
    throw invalid('INDEX_OPTIONS', message, { index: name, member, expected, got });
  }
}

const members = ['inventory', 'key', 'unique', 'keyBytes', 'thresholds', 'settings'];
const thresholdMembers = ['level0Files', 'bytes', 'deletedShare'];

function checkOptions<K>(name: unknown, options: MgaIndexOptions<K>): void {
  if (typeof name !== 'string' || name.length === 0 || name.length > NAME_LENGTH_MAX) {
    const message = `an index name is a string of 1 to ${NAME_LENGTH_MAX} characters`;
    throw invalid('NAME_INVALID', message, { got: typeof name });
  }
  const refuse = (option: string, wanted: string, got: unknown): never => {
    throw invalid('OPTION_INVALID', `${option} must be ${wanted}`, { option, wanted, got: typeof got });
  };
  if (typeof options !== 'object' || options === null) refuse('options', 'an object', options);
  const other = Object.keys(options).find((each) => !members.includes(each));
  if (other !== undefined) refuse(other, `none of the options, which are ${members.join(', ')}`, other);
  const { inventory, key, unique, keyBytes, thresholds = {} } = options;
  if (!isInventory(inventory)) {
    refuse('inventory', 'a TransactionInventory or { next, oldestActive, stateOf, frozen }', inventory);
  }
  if (key !== undefined && (typeof key?.encode !== 'function' || typeof key.decode !== 'function')) {
    refuse('key', 'a key codec', key);
  }
  if (unique !== undefined && typeof unique !== 'boolean') refuse('unique', 'true or false', unique);
  if (keyBytes !== undefined && !(Number.isInteger(keyBytes) && keyBytes >= 1 && keyBytes <= KEY_BYTES_MAX)) {
    refuse('keyBytes', `a whole number from 1 to ${KEY_BYTES_MAX}`, keyBytes);
  }
  if (typeof thresholds !== 'object' || thresholds === null) refuse('thresholds', 'an object', thresholds);
  for (const [threshold, value] of Object.entries(thresholds)) {
    if (!thresholdMembers.includes(threshold)) refuse(`thresholds.${threshold}`, 'left out', value);
    if (typeof value !== 'number' || !(value >= 0)) refuse(`thresholds.${threshold}`, '0 or more', value);
  }
}

function isInventory(inventory: unknown): boolean {
  if (typeof inventory !== 'object' || inventory === null) return false;
  const { next, oldestActive, stateOf, frozen } = inventory as Record<string, unknown>;
  return (
    typeof next === 'number' &&
    typeof oldestActive === 'number' &&
    typeof stateOf === 'function' &&
    typeof frozen === 'function'
  );
}
