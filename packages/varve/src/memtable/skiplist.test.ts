/** The skiplist passes the suites of memtables, also through several objects that take turns. */
import { expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import type { EntryIterator, PointResult } from '../base/entry.ts';
import { KIND_PUT } from '../base/kinds.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { olderMemtable, rotatedAt, setOlderMemtable, setRotatedAt } from './descriptor.ts';
import { memtableManySuite } from './memtable-many.suite.ts';
import { memtableWorkerSuite } from './memtable-worker.suite.ts';
import { addTo, found, memtableSuite } from './memtable.suite.ts';
import { attachMemtable, attachMemtableAt, makeMemtable, makeSharedMemtable } from './memtable.ts';
import type { Memtable, MemtableHandle } from './memtable.ts';

/** A list through three objects: two write batches in turn, one reads. */
class Turns implements Memtable {
  readonly #pool: SegmentPool;
  readonly #writers: Memtable[];
  #reader: Memtable | undefined;

  constructor(pool: SegmentPool) {
    this.#pool = pool;
    this.#writers = [makeMemtable('skiplist', pool)];
  }

  get #read(): Memtable {
    if (this.descriptor === 0) return this.#writers[0]!;
    this.#reader ??= attachMemtableAt(SegmentPool.attach(this.#pool.handle()), this.descriptor);
    return this.#reader;
  }
  get descriptor(): number {
    return this.#writers[0]!.descriptor;
  }
  get entries(): number {
    return this.#read.entries;
  }
  get bytes(): number {
    return this.#read.bytes;
  }
  get firstSequence(): number {
    return this.#read.firstSequence;
  }
  get lastSequence(): number {
    return this.#read.lastSequence;
  }
  reserve(bytes: number, ops: number): boolean {
    return this.#writers[0]!.reserve(bytes, ops);
  }
  add(...args: Parameters<Memtable['add']>): void {
    const turn = (args[0] >>> 1) & 1;
    if (turn === 1 && this.descriptor !== 0) {
      this.#writers[1] ??= attachMemtableAt(SegmentPool.attach(this.#pool.handle()), this.descriptor);
    }
    (this.#writers[turn] ?? this.#writers[0]!).add(...args);
  }
  get(key: Uint8Array, start: number, end: number, sequence: number, out: PointResult): boolean {
    return this.#read.get(key, start, end, sequence, out);
  }
  iterator(): EntryIterator {
    return this.#read.iterator();
  }
  rangeTombstones(): FragmentedTombstones | undefined {
    return this.#read.rangeTombstones();
  }
  coveringSequence(...args: Parameters<Memtable['coveringSequence']>): number {
    return this.#read.coveringSequence(...args);
  }
  describe(): number {
    return this.#read.describe();
  }
  handle(): MemtableHandle {
    return this.#read.handle();
  }
  runs(): ReturnType<Memtable['runs']> {
    return this.#read.runs();
  }
  release(): void {
    this.#writers.length = 1;
    this.#reader = undefined;
    this.#writers[0]!.release();
  }
}

memtableSuite('a skiplist', (pool) => makeMemtable('skiplist', pool), attachMemtable);
memtableSuite('a skiplist that is made for sharing', (pool) => new Turns(pool), attachMemtable);
memtableManySuite('a skiplist that objects write in turn', (pool) => new Turns(pool), attachMemtable);
memtableWorkerSuite('a skiplist', (pool) => makeMemtable('skiplist', pool));

const key = new TextEncoder().encode('a');

test('a shared skiplist has its descriptor at once, unless the pool is exhausted', () => {
  const pool = new SegmentPool(2048);
  const memtable = makeSharedMemtable(pool)!;
  expect([memtable.bytes, memtable.entries]).toEqual([2048, 0]);
  expect(makeSharedMemtable(pool)).toBeUndefined();
  const { descriptor } = memtable;
  setOlderMemtable(pool, descriptor, 42);
  setRotatedAt(pool, descriptor, 2 ** 50 + 1);
  const other = attachMemtable(structuredClone(memtable.handle()));
  expect([olderMemtable(pool, other.descriptor), rotatedAt(pool, other.descriptor)]).toEqual([
    42,
    2 ** 50 + 1,
  ]);
});

test('any object that is attached to a skiplist writes, lists its runs and releases it', () => {
  const pool = new SegmentPool(1 << 20);
  const memtable = makeSharedMemtable(pool)!;
  const other = attachMemtable(structuredClone(memtable.handle()));
  for (let i = 0; i < 500; i++)
    addTo(i % 2 === 0 ? memtable : other, i + 1, KIND_PUT, key, new Uint8Array(99));
  expect(found(memtable, key, 500)).toBe(found(other, key, 500));
  expect(other.runs()).toEqual(memtable.runs());
  pool.allocate(10_000);
  pool.sweep(other.runs());
  expect(pool.bytesUsed).toBe(memtable.bytes);
  other.release();
  expect(pool.bytesUsed).toBe(0);
});
