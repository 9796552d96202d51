/**
 * Key bounds of a table: its point entries and its range tombstones together.
 */
import { compareBytes, EMPTY } from '../base/bytes.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';

export interface TableBounds {
  readonly smallestKey: Uint8Array;
  readonly largestKey: Uint8Array;
  /** The largest key is the exclusive end of a range tombstone, not a key of the table. */
  readonly largestExclusive: boolean;
}

/** Bounds over the point keys [first, last] (undefined: no point entries) and the tombstones; all copies. */
export function tableBounds(
  first: Uint8Array | undefined,
  last: Uint8Array | undefined,
  tombstones: FragmentedTombstones,
): TableBounds {
  const range = tombstones.bounds;
  if (range === undefined) {
    return { smallestKey: first ?? EMPTY, largestKey: last ?? EMPTY, largestExclusive: false };
  }
  const lower = first !== undefined && compareBytes(first, range.start) < 0 ? first : range.start;
  const isPointLast = last !== undefined && compareBytes(last, range.end) >= 0;
  return { smallestKey: lower, largestKey: isPointLast ? last : range.end, largestExclusive: !isPointLast };
}
