/**
 * The descriptor of a B+tree (memtable/descriptor.ts) with what a reader of a tree that is written no more needs.
 *
 *   word      field
 *   d + 10    NODE, d + 11 HEIGHT, d + 12 INNERS, d + 13 FIRST_LEAF, d + 14 LAST_LEAF: a BTreeRoot
 *   d + 16    BYTES, as a number of 8 bytes
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import type { BTreeRoot } from './btree-node.ts';
import {
  COMMON_WORDS,
  ENTRIES,
  FIRST_SEQUENCE,
  LAST_SEQUENCE,
  loadSequence,
  NEWEST_RANGE_DELETE,
  storeSequence,
  TYPE,
  TYPE_BTREE,
} from './descriptor.ts';

const NODE: number = COMMON_WORDS;
const HEIGHT: number = NODE + 1;
const INNERS: number = NODE + 2;
const FIRST_LEAF: number = NODE + 3;
const LAST_LEAF: number = NODE + 4;
const BYTES: number = NODE + 6;
export const BTREE_DESCRIPTOR_BYTES: number = 4 * (BYTES + 2);

/** All that another thread needs of a tree. */
export interface BTreeState {
  readonly root: BTreeRoot;
  readonly newestRangeDelete: number;
  readonly entries: number;
  readonly bytes: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** Clears what the engine stores in a descriptor. */
export function clearDescriptor(pool: SegmentPool, d: number): void {
  pool.words.fill(0, d, d + BTREE_DESCRIPTOR_BYTES / 4);
}

export function writeDescriptor(pool: SegmentPool, d: number, state: BTreeState): void {
  const { words } = pool;
  const { root } = state;
  words[d + TYPE] = TYPE_BTREE;
  storeSequence(pool, d + FIRST_SEQUENCE, state.firstSequence);
  storeSequence(pool, d + LAST_SEQUENCE, state.lastSequence);
  words[d + ENTRIES] = state.entries;
  words[d + NEWEST_RANGE_DELETE] = state.newestRangeDelete;
  words[d + NODE] = root.node;
  words[d + HEIGHT] = root.height;
  words[d + INNERS] = root.inners;
  words[d + FIRST_LEAF] = root.firstLeaf;
  words[d + LAST_LEAF] = root.lastLeaf;
  pool.numbers[(d + BYTES) >>> 1] = state.bytes;
}

export function readDescriptor(pool: SegmentPool, d: number): BTreeState {
  const { words } = pool;
  return {
    root: {
      node: words[d + NODE]!,
      height: words[d + HEIGHT]!,
      inners: words[d + INNERS]!,
      firstLeaf: words[d + FIRST_LEAF]!,
      lastLeaf: words[d + LAST_LEAF]!,
    },
    newestRangeDelete: words[d + NEWEST_RANGE_DELETE]!,
    entries: words[d + ENTRIES]!,
    bytes: pool.numbers[(d + BYTES) >>> 1]!,
    firstSequence: loadSequence(pool, d + FIRST_SEQUENCE),
    lastSequence: loadSequence(pool, d + LAST_SEQUENCE),
  };
}
