/**
 * Does a memtable hold anything in the key ranges of tables that are to be ingested? Readers ask memtables first, and stop at
 * the first version that they find: what lies there hides what the tables hold, which is right only when it is newer.
 */
import { compareRanges, successor } from '../../base/bytes.ts';
import { SEQUENCE_MAX } from '../../base/entry.ts';
import type { FragmentedTombstones } from '../../base/range-tombstones.ts';
import type { Memtable } from '../../memtable/memtable.ts';

/** File metadata of an ingested table has this shape: its largest key is one of its keys. */
export interface TableRange {
  readonly smallestKey: Uint8Array;
  readonly largestKey: Uint8Array;
}

/** @param tables in key order, sharing no key */
export function memtableOverlaps(memtable: Memtable, tables: readonly TableRange[]): boolean {
  if (memtable.entries === 0) return false;
  const tombstones = memtable.rangeTombstones();
  if (tombstones !== undefined && tables.some((table) => covers(tombstones, table))) return true;
  const iterator = memtable.iterator();
  for (let at = 0; at < tables.length; ) {
    const { smallestKey } = tables[at]!;
    iterator.seek(smallestKey, 0, smallestKey.length, SEQUENCE_MAX);
    if (!iterator.valid) return false;
    const { key, keyStart, keyEnd } = iterator;
    const table = firstEndingFrom(tables, at, key, keyStart, keyEnd);
    if (table === tables.length) return false;
    const first = tables[table]!.smallestKey;
    if (compareRanges(first, 0, first.length, key, keyStart, keyEnd) <= 0) return true;
    at = table;
  }
  return false;
}

/** Index of the first table from `from` on that ends at or past the key; their number when all end before it. */
function firstEndingFrom(
  tables: readonly TableRange[],
  from: number,
  key: Uint8Array,
  start: number,
  end: number,
): number {
  let low = from;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { largestKey } = tables[middle]!;
    if (compareRanges(largestKey, 0, largestKey.length, key, start, end) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function covers(tombstones: FragmentedTombstones, { smallestKey, largestKey }: TableRange): boolean {
  return !tombstones.clip(smallestKey, successor(largestKey)).isEmpty;
}
