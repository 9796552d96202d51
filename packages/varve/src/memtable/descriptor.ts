/**
 * What names a memtable in the pool: a descriptor, words that any thread finds everything else from. It lies in the memtable's
 * own memory and is released with it. A descriptor is named by a word index, an even one; 0 is none.
 *
 *   word      field                  stored by
 *   d + 0     TYPE                   1 skiplist, 2 btree
 *   d + 1     OLDER                  the engine: descriptor of the next older immutable memtable of the keyspace
 *   d + 2     ROTATED_AT             the engine: a sequence, as a number of 8 bytes like the next two
 *   d + 4     FIRST_SEQUENCE         lowest sequence that was added, before its first entry is linked; 0 when none was
 *   d + 6     LAST_SEQUENCE          the highest one
 *   d + 8     ENTRIES                raised before an entry is linked: too high after a writer died, never too low
 *   d + 9     NEWEST_RANGE_DELETE    memtable/range-deletes.ts
 *   d + 10    what the structure adds: memtable/node.ts and btree-descriptor.ts
 *
 * A skiplist works on its descriptor; a B+tree writes one when it is asked to (`describe`), for a tree that is written no more.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';

export const TYPE = 0;
const OLDER = 1;
const ROTATED_AT = 2;
export const FIRST_SEQUENCE = 4;
export const LAST_SEQUENCE = 6;
export const ENTRIES = 8;
export const NEWEST_RANGE_DELETE = 9;
export const COMMON_WORDS = 10;

export const TYPE_SKIPLIST = 1;
export const TYPE_BTREE = 2;

/** A sequence in a descriptor. Numbers of 8 bytes are loaded and stored whole. */
export function loadSequence(pool: SegmentPool, at: number): number {
  return pool.numbers[at >>> 1]!;
}

export function storeSequence(pool: SegmentPool, at: number, sequence: number): void {
  pool.numbers[at >>> 1] = sequence;
}

/** Descriptor of the next older memtable of the same keyspace, 0 for none. */
export function olderMemtable(pool: SegmentPool, descriptor: number): number {
  return Atomics.load(pool.words, descriptor + OLDER);
}

export function setOlderMemtable(pool: SegmentPool, descriptor: number, older: number): void {
  Atomics.store(pool.words, descriptor + OLDER, older);
}

/** The sequence at which the engine rotated the memtable, 0 before it did. */
export function rotatedAt(pool: SegmentPool, descriptor: number): number {
  return loadSequence(pool, descriptor + ROTATED_AT);
}

export function setRotatedAt(pool: SegmentPool, descriptor: number, sequence: number): void {
  storeSequence(pool, descriptor + ROTATED_AT, sequence);
}
