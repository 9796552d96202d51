/**
 * The hot structures of the engine, one operation each: what they cost when nothing else is in the way. Sizes are those
 * that the engine meets: a memtable of 100,000 entries, blocks of 4 KiB, a filter of 1 M keys.
 *
 * Each prepares its structure once and gives a function that performs `operations` operations, since one alone is shorter
 * than a reading of the clock.
 */
import {
  BlockBuilder,
  BlockCache,
  BlockView,
  crc32c,
  type EntryIterator,
  Filter,
  FilterBuilder,
  hashHigh,
  hashKey,
  KIND_PUT,
  makeMemtable,
  type Memtable,
  type MemtableType,
  mergeIterators,
  PointResult,
  SegmentPool,
} from 'varve/internals';
import { KeyBuffer, scatterStep } from '../keys.ts';
import { Random } from '../random.ts';

export interface Micro {
  readonly name: string;
  /** Operations of one call. */
  readonly operations: number;
  /** The result of a call is used, so that nothing is optimized away. */
  prepare(): () => number;
}

const KEY_BYTES = 16;
const VALUE = new Uint8Array(100).fill(118);
const ENTRIES = 100_000;
const CALLS = 10_000;
const FILTER_KEYS = 1_000_000;
const BLOCK_BYTES = 4096;
const SEQUENCE_MAX = Number.MAX_SAFE_INTEGER;
const POOL_BYTES = 64 * 2 ** 20;

function fill(memtable: Memtable, indexOf: (i: number) => number): Memtable {
  const key = new KeyBuffer(KEY_BYTES);
  memtable.reserve(ENTRIES * 400, ENTRIES);
  for (let i = 0; i < ENTRIES; i++) {
    key.set(indexOf(i));
    memtable.add(i + 1, KIND_PUT, key.bytes, 0, KEY_BYTES, VALUE, 0, VALUE.length);
  }
  return memtable;
}

const scattered = (i: number): number => (i * scatterStep(ENTRIES)) % ENTRIES;

function memtableAdd(type: MemtableType, indexOf: (i: number) => number): Micro['prepare'] {
  return () => {
    const pool = new SegmentPool(POOL_BYTES);
    return () => {
      const memtable = fill(makeMemtable(type, pool), indexOf);
      const { entries } = memtable;
      memtable.release();
      return entries;
    };
  };
}

function memtableGet(type: MemtableType, missing: boolean): Micro['prepare'] {
  return () => {
    const memtable = fill(makeMemtable(type, new SegmentPool(POOL_BYTES)), scattered);
    const key = new KeyBuffer(KEY_BYTES);
    const bytes = missing ? key.missing : key.bytes;
    const random = new Random(1);
    const out = new PointResult();
    return () => {
      let found = 0;
      for (let i = 0; i < CALLS; i++) {
        key.set(random.below(ENTRIES));
        if (memtable.get(bytes, 0, bytes.length, SEQUENCE_MAX, out)) found++;
      }
      return found;
    };
  };
}

function walk(iterator: EntryIterator): number {
  let bytes = 0;
  for (iterator.first(); iterator.valid; iterator.next()) bytes += iterator.valueEnd - iterator.valueStart;
  return bytes;
}

/** A block of 4 KiB of neighbouring keys. */
function oneBlock(): { bytes: Uint8Array; entries: number } {
  const builder = new BlockBuilder();
  const key = new KeyBuffer(KEY_BYTES);
  const last = new KeyBuffer(KEY_BYTES);
  let entries = 0;
  for (; ; entries++) {
    key.set(entries);
    const { bytes } = key;
    let shared = 0;
    while (shared < KEY_BYTES && bytes[shared] === last.bytes[shared]) shared++;
    if (
      !builder.addWithin(BLOCK_BYTES, shared, bytes, 0, KEY_BYTES, entries, KIND_PUT, VALUE, 0, VALUE.length)
    )
      break;
    last.set(entries);
  }
  const bytes = new Uint8Array(BLOCK_BYTES);
  builder.finish(bytes, 0);
  return { bytes, entries };
}

function probeFilter(): () => number {
  const builder = new FilterBuilder(10, Number.POSITIVE_INFINITY);
  const key = new KeyBuffer(KEY_BYTES);
  for (let i = 0; i < FILTER_KEYS; i++) {
    key.set(i);
    const low = hashKey(key.bytes, 0, KEY_BYTES);
    builder.add(low, hashHigh[0]!);
  }
  const bytes = builder.finish()!;
  const filter = Filter.decode(bytes, 0, bytes.length, 'micro', 0);
  const random = new Random(1);
  return () => {
    let maybe = 0;
    for (let i = 0; i < CALLS; i++) if (filter.mayContain(random.u32(), random.u32())) maybe++;
    return maybe;
  };
}

function lookUpBlocks(): () => number {
  const cache = new BlockCache(POOL_BYTES);
  const blocks = Math.floor(POOL_BYTES / BLOCK_BYTES / 2);
  const content = new Uint8Array(BLOCK_BYTES);
  for (let i = 0; i < blocks; i++) cache.insert(1, i * BLOCK_BYTES, content, 0, BLOCK_BYTES);
  const random = new Random(1);
  return () => {
    let found = 0;
    for (let i = 0; i < CALLS; i++) if (cache.lookup(1, random.below(blocks) * BLOCK_BYTES) >= 0) found++;
    return found;
  };
}

const types = ['btree', 'skiplist'] as const satisfies readonly MemtableType[];

export const micros: readonly Micro[] = [
  ...types.flatMap((type) => [
    { name: `memtable-add-${type}`, operations: ENTRIES, prepare: memtableAdd(type, scattered) },
    { name: `memtable-append-${type}`, operations: ENTRIES, prepare: memtableAdd(type, (i) => i) },
    { name: `memtable-get-${type}`, operations: CALLS, prepare: memtableGet(type, false) },
    { name: `memtable-miss-${type}`, operations: CALLS, prepare: memtableGet(type, true) },
    {
      name: `memtable-scan-${type}`,
      operations: ENTRIES,
      prepare: () => {
        const memtable = fill(makeMemtable(type, new SegmentPool(POOL_BYTES)), scattered);
        return () => walk(memtable.iterator());
      },
    },
  ]),
  {
    name: 'merge-2-memtables',
    operations: 2 * ENTRIES,
    prepare: () => {
      const even = fill(makeMemtable('btree', new SegmentPool(POOL_BYTES)), (i) => 2 * scattered(i));
      const odd = fill(makeMemtable('btree', new SegmentPool(POOL_BYTES)), (i) => 2 * scattered(i) + 1);
      return () => walk(mergeIterators([even.iterator(), odd.iterator()]));
    },
  },
  {
    name: 'block-search',
    operations: CALLS,
    prepare: () => {
      const { bytes, entries } = oneBlock();
      const view = new BlockView();
      const key = new KeyBuffer(KEY_BYTES);
      const random = new Random(1);
      return () => {
        let sum = 0;
        for (let i = 0; i < CALLS; i++) {
          key.set(random.below(entries));
          view.open(bytes, 0);
          sum += view.search(key.bytes, 0, KEY_BYTES, SEQUENCE_MAX);
        }
        return sum;
      };
    },
  },
  { name: 'filter-probe', operations: CALLS, prepare: probeFilter },
  { name: 'cache-lookup', operations: CALLS, prepare: lookUpBlocks },
  {
    name: 'key-hash',
    operations: CALLS,
    prepare: () => {
      const key = new KeyBuffer(KEY_BYTES);
      return () => {
        let sum = 0;
        for (let i = 0; i < CALLS; i++) {
          key.set(i);
          sum ^= hashKey(key.bytes, 0, KEY_BYTES);
        }
        return sum;
      };
    },
  },
  ...[64, 160, BLOCK_BYTES].map((length) => ({
    name: `crc32c-${length}`,
    operations: 1_000,
    prepare: () => {
      const bytes = new Uint8Array(length).fill(7);
      return () => {
        let sum = 0;
        for (let i = 0; i < 1_000; i++) sum ^= crc32c(bytes);
        return sum;
      };
    },
  })),
];
