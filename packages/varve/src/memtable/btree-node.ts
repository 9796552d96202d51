/**
 * What a B+tree is made of in the pool: entries (memtable/entry-record.ts) and nodes that order them. A node is 128 words, 512
 * bytes, at a multiple of 64; it is named by its first word, 0 is none.
 *
 *   node       word      field
 *              n + 0     SIZE        slots in use
 *              n + 1     BOUND       leaf: the entry whose key is the upper bound (exclusive), inner: the lower bound; 0: none
 *              n + 8     CODES       of each slot how its key departs from the one before (base/offset-value.ts); the first
 *                                    slot's from the lower bound of the node, or from the empty key where there is none;
 *                                    CODE_MAX behind the last slot
 *   leaf       n + 2     NEXT, n + 3 PREV  the leaves beside it, 0 at the ends
 *              n + 4     CHANGES     rises when slots move: who stands in the leaf looks for its entry again
 *              n + 68    ENTRIES     of each slot the newest version of a key
 *   inner      n + 47    CHILDREN    one more than slots
 *              n + 86    SEPARATORS  of each slot the entry whose key bounds child i above (exclusive), child i + 1 below
 *   entry      e - 2     OLDER       the next older version of the key; 0 at the oldest
 *              e - 1     NEWER       the next newer one; 0 at the newest. The sign bit: there are two words more,
 *              e - 3     SKIP        a version further down the chain, e - 4 DEPTH (memtable/versions.ts)
 *
 * A search goes through the codes of a node, which lie close together, and to the key of an entry only where codes are equal:
 * a few times on the whole way down, whatever prefixes the keys share.
 *
 * Invariants: (1) keys in slots ascend; (2) no leaf is empty, but that of a tree whose first add found no memory; (3) nodes
 * are never freed or merged.
 * One thread writes and reads, never one in the middle of the other; other threads read what is written no more.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { codeOfNext } from './entry-codes.ts';

export const NODE_BYTES = 512;
export const SIZE = 0;
export const BOUND = 1;
export const NEXT = 2;
export const PREV = 3;
export const CHANGES = 4;
export const HEADER_WORDS = 8;
export const CODES = 8;
export const ENTRIES = 68;
export const LEAF_MAX = 59;
export const CHILDREN = 47;
export const SEPARATORS = 86;
export const INNER_MAX = 38;

export const OLDER = -2;
export const NEWER = -1;

/** Where searches begin. */
export interface BTreeRoot {
  /** The topmost node; 0: the tree is empty and has no memory. */
  node: number;
  /** Levels, the leaves counted. */
  height: number;
  /** Nodes above the leaves. */
  inners: number;
  /** The ends of the chain of leaves. */
  firstLeaf: number;
  lastLeaf: number;
}

/**
 * Puts an entry into a slot; `slots` is ENTRIES or SEPARATORS, `code` that of its key against the one before. The node has
 * room.
 */
export function insertSlot(
  pool: SegmentPool,
  node: number,
  slots: number,
  slot: number,
  entry: number,
  code: number,
): void {
  const { words } = pool;
  const size = words[node + SIZE]!;
  const codes = node + CODES;
  const entries = node + slots;
  words[codes + size + 1] = words[codes + size]!;
  for (let i = size; i > slot; i--) {
    words[codes + i] = words[codes + i - 1]!;
    words[entries + i] = words[entries + i - 1]!;
  }
  words[codes + slot] = code;
  words[entries + slot] = entry;
  words[node + SIZE] = size + 1;
  if (slot < size) {
    const next = codes + slot + 1;
    words[next] = codeOfNext(pool, entry, words[entries + slot + 1]!, code, words[next]!);
  }
}
