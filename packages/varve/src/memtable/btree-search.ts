/**
 * Searching a B+tree: from the root down to a slot in a leaf, by the codes of memtable/btree-node.ts.
 *
 * `code` is always the code of the searched key against the last key that was passed, or the lower bound of the node. A
 * slot's code below it: go on. Above it: stop. Equal: the keys decide, from the byte on up to which they are known to be equal.
 * Standalone functions over typed arrays without allocation; the result goes into a BTreePlace that the caller owns.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { KEY, KEY_LENGTH } from './entry-record.ts';
import { CHILDREN, CODES, ENTRIES, SEPARATORS, SIZE } from './btree-node.ts';
import type { BTreeRoot } from './btree-node.ts';
import { CODE_MAX, codeBehind, codeFromHead, codeOf, sharedBytes, sharedOf } from '../base/offset-value.ts';

/** Where a search ended. */
export class BTreePlace {
  leaf = 0;
  /** The first slot whose key is not below the searched one; behind the last when there is none. */
  slot = 0;
  /** Is the key in that slot the searched one? */
  isSameKey = false;
  /** Code of the searched key against the one before the slot. */
  code = 0;
  /** Bytes that the last two compared keys share. */
  shared = 0;
}

/** Finds the place of a key. The tree must have a root. */
export function findPlace(
  pool: SegmentPool,
  root: BTreeRoot,
  key: Uint8Array,
  start: number,
  end: number,
  place: BTreePlace,
): void {
  const { words } = pool;
  place.code = codeFromHead(key, start, end);
  let node = root.node;
  for (let level = root.height; level > 1; level--) {
    let child = findSlot(pool, node, SEPARATORS, key, start, end, place);
    if (place.isSameKey) {
      child++;
      place.code = 0;
    }
    node = words[node + CHILDREN + child]!;
  }
  place.leaf = node;
  place.slot = findSlot(pool, node, ENTRIES, key, start, end, place);
}

/**
 * The first slot whose key is not below the searched one. `place.code` is that of the key against the lower bound of the node
 * before, against the key before the slot afterwards. `slots` is ENTRIES or SEPARATORS.
 */
export function findSlot(
  pool: SegmentPool,
  node: number,
  slots: number,
  key: Uint8Array,
  start: number,
  end: number,
  place: BTreePlace,
): number {
  const { words } = pool;
  const first = node + CODES;
  let code = place.code;
  let at = first;
  place.isSameKey = false;
  for (;;) {
    // Codes that differ early leave that of the key as it is.
    const floor = code & ~0xffff;
    while (words[at]! < floor) at++;
    const slotCode = words[at]!;
    if (slotCode > code) break;
    if (slotCode < code) code = codeBehind(code, slotCode, key, start, end);
    else {
      // The key begins with three bytes of 0xff.
      if (code === CODE_MAX && at - first === words[node + SIZE]!) break;
      if (code === 0) at = lastAtOrBelow(pool, slots, at, key, start, end);
      const entry = words[at + slots - CODES]!;
      const order = compareToEntry(pool, entry, key, start, end, sharedOf(code), place);
      if (order <= 0) {
        place.isSameKey = order === 0;
        break;
      }
      code = codeOf(key, start, end, place.shared);
    }
    at++;
  }
  place.code = code;
  return at - first;
}

/** Order of a key against that of an entry, when `known` bytes are known to be equal; leaves `shared` in `place`. */
export function compareToEntry(
  pool: SegmentPool,
  entry: number,
  key: Uint8Array,
  start: number,
  end: number,
  known: number,
  place: BTreePlace,
): number {
  const { bytes } = pool;
  const from = (entry + KEY) * 4;
  const length = pool.words[entry + KEY_LENGTH]!;
  const wanted = end - start;
  const shared = sharedBytes(bytes, from, from + length, key, start, end, known);
  place.shared = shared;
  return shared < length && shared < wanted ? key[start + shared]! - bytes[from + shared]! : wanted - length;
}

/**
 * Where codes tell nothing, because all keys of a run share as much as codes can say: the last slot in it whose key is at or
 * below the searched one, by halving; the first slot of the run when there is none.
 */
function lastAtOrBelow(
  pool: SegmentPool,
  slots: number,
  at: number,
  key: Uint8Array,
  start: number,
  end: number,
): number {
  const { words } = pool;
  let low = at;
  let high = at + 1;
  while (words[high] === 0) high++;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (compareToEntry(pool, words[middle + slots - CODES]!, key, start, end, sharedOf(0), scratch) < 0)
      high = middle;
    else low = middle;
  }
  return low;
}

const scratch = new BTreePlace();
