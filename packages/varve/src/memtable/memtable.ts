/**
 * What the engine asks of a memtable: the newest writes of one keyspace, in memory, in internal order (base/entry.ts).
 *
 * Two structures, memtable/btree.ts and memtable/skiplist.ts; both pass the same suite (memtable.suite.ts). A memtable that
 * is written no more may be read by any thread through its handle, in place. A skiplist may be written by any thread too, one
 * at a time over all memtables of the pool (a write lock), while others read: objects that are attached to one list see each
 * other's changes at once. A thread may die in the middle of a write. The next one to write reserves again and adds the whole
 * batch again, same sequence and same operations in order, and the list is as if nothing had happened.
 */
import { SegmentPool } from '../arena/segment-pool.ts';
import type { Run } from '../arena/segment-pool.ts';
import { assert } from '../base/assert.ts';
import type { EntryIterator, PointResult } from '../base/entry.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { SkipList } from './skiplist.ts';
import { BTree } from './btree.ts';
import { TYPE, TYPE_BTREE, TYPE_SKIPLIST } from './descriptor.ts';
import type { MemtableHandle } from './memtable-handle.ts';

export type { MemtableHandle };

/**
 * The structures: `skiplist` stays right after every single store, for readers beside the writer; `btree` is faster where one
 * thread has the memtable to itself while it is written.
 */
export type MemtableType = 'skiplist' | 'btree';

export interface Memtable {
  /** Point entries (versions, not keys) and range tombstones; 0 means that it holds nothing. */
  readonly entries: number;
  /** Pool memory that it holds, in bytes: exactly what `release` gives back. */
  readonly bytes: number;
  /** Lowest and highest sequence that was added; 0 when nothing was. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /**
   * Makes sure that the next `ops` adds, with keys and values of up to `bytes` in all, can not fail. False when the pool
   * has no room; nothing has changed then.
   */
  reserve(bytes: number, ops: number): boolean;
  /**
   * Adds an operation; the bytes are copied. The same key and sequence again replaces kind and value: within a batch the
   * last operation wins. With KIND_RANGE_DELETE, key is the start and value the end of a range: entries of lower sequences
   * are covered by it, earlier ones of the same sequence become deletes (the adds of one sequence come in a row).
   *
   * @throws busy `MEMTABLE_MEMORY` when nothing was reserved and the pool is exhausted
   */
  add(
    sequence: number,
    kind: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void;
  /** True when the key has an entry at or below `sequence`; the newest such, possibly a delete, is lent through `out`. */
  get(key: Uint8Array, keyStart: number, keyEnd: number, sequence: number, out: PointResult): boolean;
  /** `isWhole`: it will be walked from end to end, so what lies ahead may be fetched early. */
  iterator(isWhole?: boolean): EntryIterator;
  /** All range tombstones; undefined when there are none. */
  rangeTombstones(): FragmentedTombstones | undefined;
  /** Of these the highest sequence at or below `sequence` over the key, 0 for none: what a point read asks, at less cost. */
  coveringSequence(key: Uint8Array, keyStart: number, keyEnd: number, sequence: number): number;
  /** Word index of its descriptor in the pool (memtable/descriptor.ts), 0 while it has no memory. */
  readonly descriptor: number;
  /** The descriptor, up to date: a skiplist's always is, a B+tree's until the next add. Needs no memory. */
  describe(): number;
  /** For `attachMemtable` in another thread; of a B+tree only when no more is added. */
  handle(): MemtableHandle;
  /** What it holds of the pool, for `SegmentPool.sweep`. */
  runs(): readonly Run[];
  /**
   * Gives the memory back. Nothing may read the memtable, its iterators or what they lent any more, on any thread. A
   * skiplist is released through any object that is attached to it; other ones are of no use then.
   */
  release(): void;
}

/** An empty memtable, which takes no memory from the pool until it is written. */
export function makeMemtable(type: MemtableType, pool: SegmentPool): Memtable {
  return type === 'btree' ? new BTree(pool) : new SkipList(pool);
}

/** An empty skiplist that has its descriptor, for several threads; undefined when the pool is exhausted. */
export function makeSharedMemtable(pool: SegmentPool): Memtable | undefined {
  return SkipList.create(pool);
}

/** The memtable of a handle, in place: a B+tree to read only. */
export function attachMemtable(handle: MemtableHandle): Memtable {
  return attachMemtableAt(SegmentPool.attach(handle.pool), handle.descriptor);
}

/** The memtable of a descriptor, in place. With 0 an empty one, of the caller's own. */
export function attachMemtableAt(pool: SegmentPool, descriptor: number): Memtable {
  if (descriptor === 0) return new SkipList(pool);
  const type = pool.words[descriptor + TYPE];
  assert(type === TYPE_SKIPLIST || type === TYPE_BTREE, 'a descriptor says which structure it is of');
  return type === TYPE_BTREE ? BTree.attach(pool, descriptor) : SkipList.attach(pool, descriptor);
}
