/**
 * What the engine asks of a memtable: the newest writes of one keyspace, in memory, in internal order (base/entry.ts).
 *
 * Two structures, memtable/btree.ts and memtable/skiplist.ts; both pass the same suite (memtable.suite.ts). Owner's thread
 * writes and reads; a memtable that is written no more may be read in a worker through its handle, in place.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import type { EntryIterator, PointResult } from '../base/entry.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { SkipList } from './skiplist.ts';
import type { SkipListHandle } from './skiplist.ts';
import { BTree } from './btree.ts';
import type { BTreeHandle } from './btree.ts';

/**
 * The structures: `skiplist` stays right after every single store, for readers beside the writer; `btree` is faster where one
 * thread has the memtable to itself while it is written.
 */
export type MemtableType = MemtableHandle['type'];

/** A memtable that is written no more, as plain data for a worker. Good until the memtable is released. */
export type MemtableHandle = SkipListHandle | BTreeHandle;

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
  /** For `attachMemtable` in another thread; only when no more is added. */
  handle(): MemtableHandle;
  /** Gives the memory back. Nothing may read the memtable, its iterators or what they lent any more. */
  release(): void;
}

/** An empty memtable, which takes no memory from the pool until it is written. */
export function makeMemtable(type: MemtableType, pool: SegmentPool): Memtable {
  return type === 'btree' ? new BTree(pool) : new SkipList(pool);
}

/** The memtable of a handle, read only, in place. */
export function attachMemtable(handle: MemtableHandle): Memtable {
  return handle.type === 'btree' ? BTree.attach(handle) : SkipList.attach(handle);
}
