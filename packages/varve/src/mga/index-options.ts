/** Checks of what `openMgaIndex` and `moveTo` are given, against what is allowed and against what is stored. */
import { invalid } from '../base/errors.ts';
import type { IndexRecord } from './index-records.ts';
import type { FrozenInventory, Inventory, MgaIndexOptions } from './types.ts';

const NAME_LENGTH_MAX = 100;
const KEY_BYTES_MAX = 65_000;
const members = ['inventory', 'key', 'unique', 'keyBytes', 'thresholds', 'settings'];
const thresholdMembers = ['level0Files', 'bytes', 'deletedShare'];

function refuse(option: string, wanted: string, got: unknown): never {
  const message = `${option} must be ${wanted}`;
  throw invalid('OPTION_INVALID', message, { option, wanted, got: got === null ? 'null' : typeof got });
}

/** @throws invalid `OPTION_INVALID` */
export function checkObject(option: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) refuse(option, 'an object', value);
}

/** @throws invalid `OPTION_INVALID` */
export function checkSource(source: unknown): void {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = Object(source) as Record<
    symbol,
    unknown
  >;
  if (typeof sync !== 'function' && typeof async !== 'function') refuse('source', 'iterable', source);
}

/** @throws invalid `NAME_INVALID`, `OPTION_INVALID` */
export function checkOptions<K>(name: unknown, options: MgaIndexOptions<K>): void {
  if (typeof name !== 'string' || name.length === 0 || name.length > NAME_LENGTH_MAX) {
    const message = `an index name is a string of 1 to ${NAME_LENGTH_MAX} characters`;
    throw invalid('NAME_INVALID', message, { got: typeof name });
  }
  checkObject('options', options);
  const other = Object.keys(options).find((each) => !members.includes(each));
  if (other !== undefined) refuse(other, `none of the options, which are ${members.join(', ')}`, other);
  const { inventory, key, unique, keyBytes, thresholds = {}, settings = {} } = options;
  checkInventory(inventory);
  if (key !== undefined && (typeof key?.encode !== 'function' || typeof key.decode !== 'function')) {
    refuse('key', 'a key codec', key);
  }
  if (unique !== undefined && typeof unique !== 'boolean') refuse('unique', 'true or false', unique);
  if (keyBytes !== undefined && !(Number.isInteger(keyBytes) && keyBytes >= 1 && keyBytes <= KEY_BYTES_MAX)) {
    refuse('keyBytes', `a whole number from 1 to ${KEY_BYTES_MAX}`, keyBytes);
  }
  checkObject('thresholds', thresholds);
  for (const [threshold, value] of Object.entries(thresholds)) {
    if (!thresholdMembers.includes(threshold)) refuse(`thresholds.${threshold}`, 'left out', value);
    if (typeof value !== 'number' || !(value >= 0)) refuse(`thresholds.${threshold}`, '0 or more', value);
  }
  checkObject('settings', settings);
  if (settings.ttlMs !== undefined) {
    refuse(
      'settings.ttlMs',
      'left out: entries of an index go when no transaction sees them',
      settings.ttlMs,
    );
  }
  if (settings.compaction?.strategy === 'fifo') {
    refuse('settings.compaction', "none of strategy 'fifo', which drops entries that are needed", 'fifo');
  }
}

/** @throws invalid `OPTION_INVALID` */
export function checkInventory(inventory: unknown): asserts inventory is Inventory {
  const { next, oldestActive, stateOf, frozen } = Object(inventory) as Record<string, unknown>;
  const isOne =
    typeof next === 'number' &&
    typeof oldestActive === 'number' &&
    typeof stateOf === 'function' &&
    typeof frozen === 'function';
  if (isOne) return;
  refuse('inventory', 'a TransactionInventory or { next, oldestActive, stateOf, frozen }', inventory);
}

/** What a host's inventory gives for a collection of garbage. */
export function isFrozen(data: unknown): data is FrozenInventory {
  const { oldestActive, aborted } = Object(data) as Record<string, unknown>;
  return Number.isSafeInteger(oldestActive) && (oldestActive as number) >= 1 && Array.isArray(aborted);
}

/** @throws invalid `INVENTORY_INVALID` */
export function frozenOf(inventory: Inventory): FrozenInventory {
  const frozen: unknown = inventory.frozen();
  if (isFrozen(frozen)) return frozen;
  const message = 'frozen() of the inventory must give { oldestActive, aborted }: an xid and a list of xids';
  throw invalid('INVENTORY_INVALID', message, { got: frozen === null ? 'null' : typeof frozen });
}

/** @throws invalid `INDEX_OPTIONS` */
export function checkStored(
  name: string,
  stored: IndexRecord,
  wanted: Pick<IndexRecord, 'codec' | 'unique' | 'keyBytes'>,
): void {
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
