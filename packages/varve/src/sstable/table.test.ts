import { beforeAll, describe, expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import { Random } from '../base/random.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { BlockCache } from '../cache/block-cache.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ready } from './checksum.ts';
import { TableReader } from './reader.ts';
import {
  type BuildOptions,
  buildTable,
  bytesOf,
  compareEntries,
  current,
  drain,
  type Entry,
  type EntryShape,
  getEntry,
  modelGet,
  put,
  randomBytes,
  randomEntries,
  sameEntries,
  sameEntry,
  smallShape,
  TABLE_ID,
  walkBackward,
  walkForward,
} from './table.suite.ts';

beforeAll(ready);

interface Setup {
  readonly name: string;
  readonly shape: EntryShape;
  readonly options: BuildOptions;
  /** -1: no cache. */
  readonly cacheBytes: number;
}

const setups: Setup[] = [
  { name: 'small blocks', shape: smallShape, options: { blockBytes: 128 }, cacheBytes: -1 },
  { name: 'small blocks, cached', shape: smallShape, options: { blockBytes: 128 }, cacheBytes: 8 << 20 },
  { name: 'one entry a block', shape: smallShape, options: { blockBytes: 1 }, cacheBytes: 1 << 20 },
  { name: 'large blocks', shape: smallShape, options: { blockBytes: 1 << 20 }, cacheBytes: -1 },
  {
    name: 'no filter',
    shape: smallShape,
    options: { filterBitsPerKey: 0, blockBytes: 512 },
    cacheBytes: 1 << 20,
  },
  {
    name: 'two blooms',
    shape: smallShape,
    options: { filterBitsPerKey: 16, blockBytes: 512 },
    cacheBytes: 1 << 20,
  },
  {
    name: 'a filter in parts, cached',
    shape: { ...smallShape, keys: 9000 },
    options: { filterWholeBytesMax: 0, filterPrefixBytes: 3, blockBytes: 512 },
    cacheBytes: 1 << 20,
  },
  {
    name: 'two blooms in parts, not cached',
    shape: { ...smallShape, keys: 3000 },
    options: { filterWholeBytesMax: 0, filterBitsPerKey: 24, blockBytes: 512 },
    cacheBytes: -1,
  },
  {
    name: 'lz4',
    shape: { ...smallShape, alphabet: 2, valueBytesMax: 200 },
    options: { compression: 'lz4' },
    cacheBytes: 1 << 20,
  },
  {
    name: 'zstd, uncached',
    shape: { ...smallShape, valueBytesMax: 200 },
    options: { compression: 'zstd' },
    cacheBytes: -1,
  },
  {
    name: 'many versions',
    shape: { ...smallShape, keys: 40, versionsMax: 60 },
    options: { blockBytes: 200 },
    cacheBytes: -1,
  },
  {
    name: 'wide sequences',
    shape: { ...smallShape, sequenceMax: SEQUENCE_MAX },
    options: { blockBytes: 300 },
    cacheBytes: 1 << 20,
  },
  {
    name: 'a tiny write buffer',
    shape: smallShape,
    options: { bufferBytes: 100, blockBytes: 150 },
    cacheBytes: -1,
  },
  {
    name: 'values beyond cache slots',
    shape: { ...smallShape, keys: 12, valueBytesMax: 100_000 },
    options: {},
    cacheBytes: 1 << 20,
  },
];

describe.each(setups)('a table with $name', ({ name, shape, options, cacheBytes }) => {
  const random = new Random(name.length * 31);
  const entries = randomEntries(random, shape);
  const fs = new MemoryFs();
  let reader: TableReader;

  beforeAll(() => {
    const summary = buildTable(fs, '/1.sst', entries, options);
    reader = TableReader.open({
      fs,
      path: '/1.sst',
      fileNumber: 1,
      cache: cacheBytes < 0 ? undefined : new BlockCache(cacheBytes),
      uniqueId: summary.uniqueId,
      bytes: summary.bytes,
    });
  });

  const randomKey = (): Uint8Array =>
    random.oneIn(2)
      ? random.pick(entries).key
      : randomBytes(random, random.below(shape.keyBytesMax + 2), shape.alphabet);

  test('is read forwards and backwards, twice', () => {
    const iterator = reader.iterator();
    for (let round = 0; round < 2; round++) {
      expect(sameEntries(walkForward(iterator), entries)).toBe(true);
      expect(sameEntries(walkBackward(iterator), [...entries].reverse())).toBe(true);
    }
  });

  test('gives the newest version at any sequence', () => {
    for (let round = 0; round < 300; round++) {
      const key = randomKey();
      const near = random.pick(entries).sequence;
      const sequence = random.pick([SEQUENCE_MAX, near, near - 1, 0]);
      expect(sameEntry(getEntry(reader, key, sequence), modelGet(entries, key, sequence))).toBe(true);
    }
  });

  test('seeks from both sides and steps on in both directions', () => {
    const iterator = reader.iterator();
    for (let round = 0; round < 250; round++) {
      const key = randomKey();
      const sequence = random.pick([SEQUENCE_MAX, 0, random.pick(entries).sequence]);
      const target = { key, sequence, kind: 0, value: key };
      let at: number;
      if (random.oneIn(2)) {
        iterator.seek(key, 0, key.length, sequence);
        at = entries.findIndex((entry) => compareEntries(entry, target) >= 0);
      } else {
        iterator.seekBefore(key, 0, key.length);
        at = entries.findLastIndex((entry) => compareBytes(entry.key, key) < 0);
      }
      expect(sameEntry(current(iterator), entries[at])).toBe(true);
      for (let step = 0; step < 6 && iterator.valid; step++) {
        if (random.oneIn(2)) {
          iterator.next();
          at++;
        } else {
          iterator.prev();
          at--;
        }
        expect(sameEntry(current(iterator), entries[at])).toBe(true);
      }
    }
  });

  test('passes verify', () => {
    const report = drain(reader.verify());
    expect(report.entries).toBe(entries.length);
    expect(report.bytes).toBe(fs.status('/1.sst')!.size);
  });

  test('offsets of keys rise with the keys', () => {
    let previous = 0;
    for (const { key } of entries) {
      const offset = reader.approximateOffset(key);
      expect(offset).toBeGreaterThanOrEqual(previous);
      previous = offset;
    }
    const past = new Uint8Array(14).fill(255);
    expect(reader.approximateOffset(past)).toBeGreaterThanOrEqual(previous);
    expect(reader.approximateOffset(past)).toBeLessThan(reader.bytes);
  });
});

test('a table of range tombstones alone finds no keys, has bounds and passes verify', () => {
  const fs = new MemoryFs();
  const rangeTombstones = FragmentedTombstones.build([
    { start: bytesOf('b'), end: bytesOf('m'), sequence: 4 },
  ]);
  const summary = buildTable(fs, '/1.sst', [], { rangeTombstones });
  expect(summary).toMatchObject({
    largestExclusive: true,
    smallestKey: bytesOf('b'),
    largestKey: bytesOf('m'),
  });
  expect(summary).toMatchObject({ smallestSequence: 4, largestSequence: 4, entries: 0, rangeTombstones: 1 });
  const reader = TableReader.open({ fs, path: '/1.sst', fileNumber: 1 });
  expect(reader.rangeTombstones!.coveringSequence(bytesOf('c'), 0, 1, 10)).toBe(4);
  expect(getEntry(reader, bytesOf('c'), 10)).toBeUndefined();
  expect(walkForward(reader.iterator())).toEqual([]);
  expect(walkBackward(reader.iterator())).toEqual([]);
  expect(reader.approximateOffset(bytesOf('c'))).toBe(0);
  expect(drain(reader.verify()).entries).toBe(0);
});

test('a value above every buffer is written and read', () => {
  const fs = new MemoryFs();
  const value = new Uint8Array(3_000_000).map((_, i) => i * 31);
  const entries: Entry[] = [put('a', 1, 'x'), { ...put('b', 2, ''), value }, put('c', 3, 'y')];
  buildTable(fs, '/1.sst', entries, { compression: 'none' });
  const reader = TableReader.open({ fs, path: '/1.sst', fileNumber: 1, cache: new BlockCache(2 << 20) });
  expect(compareBytes(getEntry(reader, bytesOf('b'), 9)!.value, value)).toBe(0);
  expect(walkForward(reader.iterator()).map((entry) => entry.value.length)).toEqual([1, 3_000_000, 1]);
  expect(reader.memoryBytes).toBeLessThan(1_200_000);
});

test('opening checks the identity that the manifest states', () => {
  const fs = new MemoryFs();
  const { bytes } = buildTable(fs, '/1.sst', [put('a', 1, 'x')]);
  const open = (expected: object): TableReader =>
    TableReader.open({ fs, path: '/1.sst', fileNumber: 1, ...expected });
  const corrupt = expect.objectContaining({
    kind: 'corruption',
    context: expect.objectContaining({ file: '/1.sst' }),
  });
  expect(() => open({ uniqueId: new Uint8Array(16) })).toThrow(corrupt);
  expect(() => open({ bytes: bytes + 1 })).toThrow(corrupt);
  expect(open({ bytes, uniqueId: TABLE_ID }).uniqueId).toEqual(TABLE_ID);
});

test('a closed table throws closed, a parked one opens its file again', () => {
  const fs = new MemoryFs();
  buildTable(fs, '/1.sst', [put('a', 1, 'x')]);
  const reader = TableReader.open({ fs, path: '/1.sst', fileNumber: 1 });
  reader.park();
  expect(getEntry(reader, bytesOf('a'), 1)).toEqual(put('a', 1, 'x'));
  reader.close();
  reader.close();
  expect(() => getEntry(reader, bytesOf('a'), 1)).toThrow(expect.objectContaining({ kind: 'closed' }));
});

test('a get leaves its value in the cache and reads the file once', () => {
  const fs = new MemoryFs();
  buildTable(fs, '/1.sst', [put('a', 1, 'x'), put('b', 1, 'y')]);
  const reader = TableReader.open({ fs, path: '/1.sst', fileNumber: 1, cache: new BlockCache(1 << 20) });
  getEntry(reader, bytesOf('a'), 1);
  fs.remove('/1.sst');
  reader.park();
  expect(getEntry(reader, bytesOf('b'), 1)).toEqual(put('b', 1, 'y'));
});

test('a walk goes on in the memory of one of another table', () => {
  const fs = new MemoryFs();
  const entries = ['one', 'two'].map((name) =>
    Array.from({ length: 3000 }, (_, i) => put(`${name} ${String(i).padStart(5, '0')}`, 1, name.repeat(9))),
  );
  const tables = entries.map((each, i) => {
    buildTable(fs, `/${i}`, each, { blockBytes: 1024 });
    return TableReader.open({ fs, path: `/${i}`, fileNumber: i });
  });
  const first = tables[0]!.iterator();
  first.first();
  // Far enough for read-ahead, whose bytes are those of the same place in the other file.
  for (let i = 0; i < 500; i++) first.next();
  const second = tables[1]!.iterator({ after: first });
  expect(sameEntries(walkForward(second), entries[1]!)).toBe(true);
  expect(sameEntries(walkForward(tables[0]!.iterator({ after: second })), entries[0]!)).toBe(true);
});
