/**
 * The node of the skiplist and the searches over it: standalone functions over the words and bytes of the pool.
 *
 * A node is named by the index of its first fixed word in the pool's Int32Array; links lie before it, so that the lowest
 * links, the key prefix and the rest share one or two cache lines. All words are signed 32 bits.
 *
 *   word        field
 *   n - 1 - i   link of level i: the next node there, 0 at the end (as many as the node is high, 1 to HEIGHT_MAX)
 *   n + 0       PREFIX_HIGH  key bytes 0..3, big-endian, missing bytes 0, top bit flipped: signed order is key order
 *   n + 1       PREFIX_LOW   key bytes 4..7, the same
 *   n + 2       BACK         a node before this one on level 0, or the head: the nearest but for an insertion in progress
 *   n + 3       VALUE        byte offset of the value record (a multiple of 8) + kind (0..7)
 *   n + 4       SEQUENCE_LOW, n + 5 SEQUENCE_HIGH (21 bits)
 *   n + 6       KEY_LENGTH   in bytes
 *   n + 7       KEY          the key bytes
 *   value record: u32 length, then the bytes; right behind the key unless the value is large or replaced an earlier one
 *
 * The head is a node of full height without key; its BACK is the last node. Order: key ascending, sequence descending.
 * Invariants: (1) a node never moves and is never unlinked; only links, BACK and VALUE change after it is linked.
 * (2) Links are set bottom up by one store each after the node is complete: a reader sees a node whole or not at all.
 * (3) BACK may lag behind while a node is inserted, never point past a node: who walks back goes forward again from there
 * to the direct neighbour. So one word a node makes `prev` cost a step instead of a search, and forward order never
 * depends on it.
 */
import { compareRanges } from '../base/bytes.ts';

export const HEIGHT_MAX = 20;
export const WORD_MIN = -0x80000000;
export const WORD_MAX = 0x7fffffff;

/** Where searches begin. */
export interface ListRoot {
  /** 0: the list is empty and has no memory. */
  head: number;
  /** Highest node so far. */
  height: number;
  /** What most keys begin with: prefixes are taken behind it. */
  base: Uint8Array;
}

export const PREFIX_HIGH = 0;
export const PREFIX_LOW = 1;
export const BACK = 2;
export const VALUE = 3;
export const SEQUENCE_LOW = 4;
export const SEQUENCE_HIGH = 5;
export const KEY_LENGTH = 6;
export const KEY = 7;

/** Most bytes that an entry takes beside key and value: links, fixed words, value length, padding of two records. */
export const ENTRY_OVERHEAD_MAX: number = 4 * (2 * HEIGHT_MAX + KEY + 2) + 16;

/** A key against the base of the list: below all keys that begin with it, one of them, or above them. */
function sideOfBase(base: Uint8Array, key: Uint8Array, start: number, end: number): number {
  const length = base.length;
  const shared = end - start < length ? end - start : length;
  for (let i = 0; i < shared; i++) {
    const difference = key[start + i]! - base[i]!;
    if (difference !== 0) return difference;
  }
  return shared === length ? 0 : -1;
}

/** First word of the key's prefix. */
export function prefixHigh(base: Uint8Array, key: Uint8Array, start: number, end: number): number {
  const side = sideOfBase(base, key, start, end);
  if (side !== 0) return side < 0 ? WORD_MIN : WORD_MAX;
  return wordAt(key, start + base.length, end);
}

/** Second word of the key's prefix. */
export function prefixLow(base: Uint8Array, key: Uint8Array, start: number, end: number): number {
  const side = sideOfBase(base, key, start, end);
  if (side !== 0) return side < 0 ? WORD_MIN : WORD_MAX;
  return wordAt(key, start + base.length + 4, end);
}

/** Four key bytes as a signed word that orders like them; missing bytes are 0. */
function wordAt(key: Uint8Array, at: number, end: number): number {
  if (end - at >= 4) {
    return ((key[at]! << 24) | (key[at + 1]! << 16) | (key[at + 2]! << 8) | key[at + 3]!) ^ WORD_MIN;
  }
  let word = 0;
  for (let i = at, shift = 24; i < end; i++, shift -= 8) word |= key[i]! << shift;
  return word ^ WORD_MIN;
}

/** Sequence of a node. */
export function sequenceOf(words: Int32Array, node: number): number {
  return words[node + SEQUENCE_HIGH]! * 4294967296 + (words[node + SEQUENCE_LOW]! >>> 0);
}

/** Is the node before (key, sequence) in internal order? `high` and `low` are the prefix words of the key. */
export function isBefore(
  words: Int32Array,
  bytes: Uint8Array,
  node: number,
  high: number,
  low: number,
  key: Uint8Array,
  start: number,
  end: number,
  sequence: number,
): boolean {
  const nodeHigh = words[node + PREFIX_HIGH]!;
  if (nodeHigh !== high) return nodeHigh < high;
  const nodeLow = words[node + PREFIX_LOW]!;
  if (nodeLow !== low) return nodeLow < low;
  const from = (node + KEY) * 4;
  const order = compareRanges(bytes, from, from + words[node + KEY_LENGTH]!, key, start, end);
  return order < 0 || (order === 0 && sequenceOf(words, node) > sequence);
}

/**
 * The last node before (key, sequence) in internal order; the head when there is none. Leaves the last such node of every
 * level in `path`, where an insert links its node.
 */
export function findBefore(
  words: Int32Array,
  bytes: Uint8Array,
  root: ListRoot,
  key: Uint8Array,
  start: number,
  end: number,
  sequence: number,
  path: Int32Array,
): number {
  const high = prefixHigh(root.base, key, start, end);
  const low = prefixLow(root.base, key, start, end);
  let node = root.head;
  let bound = 0;
  for (let level = root.height - 1; level >= 0; ) {
    const next = words[node - 1 - 2 * level]!;
    // A node that stopped the level above stops this one too; so does the end. A hint above the prefix stops at once.
    if (next !== bound && words[node - 2 - 2 * level]! <= high) {
      if (isBefore(words, bytes, next, high, low, key, start, end, sequence)) {
        node = next;
        continue;
      }
      bound = next;
    }
    path[level] = node;
    level--;
  }
  return node;
}

/** The node straight before `node` on level 0, or the head; see invariant 3. `node` 0 stands for the end. */
export function stepBack(words: Int32Array, head: number, node: number): number {
  let at = words[(node === 0 ? head : node) + BACK]!;
  for (let next = words[at - 1]!; next !== node; next = words[at - 1]!) at = next;
  return at;
}

/** Is the node's entry that of (key, any sequence)? */
export function hasKey(
  words: Int32Array,
  bytes: Uint8Array,
  node: number,
  key: Uint8Array,
  start: number,
  end: number,
): boolean {
  const length = end - start;
  if (words[node + KEY_LENGTH] !== length) return false;
  const from = (node + KEY) * 4;
  for (let i = 0; i < length; i++) if (bytes[from + i] !== key[start + i]) return false;
  return true;
}
