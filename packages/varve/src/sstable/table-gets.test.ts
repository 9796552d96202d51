import { beforeAll, expect, test } from 'vitest';

import { PointResult } from '../base/entry.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { Random } from '../base/random.ts';
import { BlockCache } from '../cache/block-cache.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { TableCounters } from './block-loader.ts';
import { ready } from './checksum.ts';
import { KeyBatch } from './key-batch.ts';
import { TableReader } from './reader.ts';
import { TableGets } from './table-gets.ts';
import { buildTable, bytesOf, type Entry, modelGet, put, randomEntries, smallShape } from './table.suite.ts';

beforeAll(ready);

/** A file system that notes where and how much is read. */
function watched(fs: FileSystem, reads: [position: number, length: number][]): FileSystem {
  const open: FileSystem['open'] = (path, mode) => {
    const inner = fs.open(path, mode);
    return {
      path,
      read(target, offset, length, position) {
        reads.push([position, length]);
        return inner.read(target, offset, length, position);
      },
      write: () => 0,
      size: () => inner.size(),
      truncate: () => undefined,
      sync: () => undefined,
      dataSync: () => undefined,
      close: () => inner.close(),
    };
  };
  return Object.assign(Object.create(fs) as FileSystem, { open });
}

function getAll(table: TableReader, keys: readonly Uint8Array[], sequence: number): (string | undefined)[] {
  const batch = new KeyBatch();
  const gets = new TableGets(batch);
  const found: (string | undefined)[] = keys.map(() => undefined);
  batch.clear();
  for (const key of keys) batch.add(key);
  batch.hash();
  for (let i = 0; i < keys.length; i++) gets.add(i, table);
  gets.run(sequence, {
    found(key: number, { kind, sequence: at, value, valueStart, valueEnd }: PointResult) {
      found[key] = `${kind} ${at} ${Buffer.from(value.subarray(valueStart, valueEnd)).toString('hex')}`;
    },
  });
  return found;
}

const shown = (entry: Entry | undefined): string | undefined =>
  entry && `${entry.kind} ${entry.sequence} ${Buffer.from(entry.value).toString('hex')}`;

test.each([0, 8 * 4096, 4 * 1024 * 1024])(
  'every key of a batch gets what the table holds for it, with %d bytes of cache',
  (cacheBytes) => {
    const random = new Random(7);
    const fs = new MemoryFs();
    for (let round = 0; round < 12; round++) {
      const shape = {
        ...smallShape,
        valueBytesMax: random.pick([10, 500]),
        alphabet: random.pick([2, 4, 200]),
      };
      const entries = randomEntries(random, shape);
      buildTable(fs, `/${round}`, entries, { blockBytes: random.pick([64, 700, 4096]) });
      const cache = cacheBytes === 0 ? undefined : new BlockCache(cacheBytes);
      const table = TableReader.open({ fs, path: `/${round}`, fileNumber: round, cache });
      for (let call = 0; call < 20; call++) {
        const keys = Array.from({ length: 1 + random.below(KeyBatch.KEYS_MAX) }, () => {
          const { key } = entries[random.below(entries.length)]!;
          return random.oneIn(4) ? Uint8Array.of(...key, random.below(3)) : key;
        });
        const sequence = random.below(shape.sequenceMax * 1.2);
        expect(getAll(table, keys, sequence)).toEqual(
          keys.map((key) => shown(modelGet(entries, key, sequence))),
        );
      }
      table.close();
    }
  },
);

test('a block that is not in the cache is read once for all its keys, neighbours by one read', () => {
  const fs = new MemoryFs();
  const name = (i: number): string => `key ${String(i).padStart(5, '0')}`;
  const entries = Array.from({ length: 4000 }, (_, i) => put(name(i), 1, 'v'.repeat(100)));
  buildTable(fs, '/t', entries, { blockBytes: 4096 });
  const reads: [number, number][] = [];
  const table = TableReader.open({
    fs: watched(fs, reads),
    path: '/t',
    fileNumber: 1,
    cache: new BlockCache(1 << 20),
  });
  const near = Array.from({ length: 100 }, (_, i) => bytesOf(name(500 + ((i * 37) % 100))));
  const far = [3000, 3001, 500, 3002].map((i) => bytesOf(name(i)));
  // Unpacks the index.
  getAll(table, [bytesOf(name(3999))], 1);
  reads.length = 0;
  expect(getAll(table, [...near, ...far], 1).every((value) => value !== undefined)).toBe(true);
  expect(reads.length).toBe(2);
  reads.length = 0;
  expect(getAll(table, [...near, ...far], 1).every((value) => value !== undefined)).toBe(true);
  expect(reads).toEqual([]);
  table.close();
});

test('a filter that says no ends it, and is counted once a key', () => {
  const fs = new MemoryFs();
  buildTable(fs, '/t', [put('a', 1, 'x'), put('z', 1, 'y')], {});
  const counters = new TableCounters();
  const table = TableReader.open({ fs, path: '/t', fileNumber: 1, counters });
  expect(getAll(table, ['b', 'c', 'a', 'zz'].map(bytesOf), 1)).toEqual([
    undefined,
    undefined,
    '1 1 78',
    undefined,
  ]);
  expect(counters.filterNegatives).toBe(3);
  expect(counters.filterPositives).toBe(1);
  table.close();
});

test.each([undefined, 8 * 4096])(
  'what a get lends of an expanded block is there after a get of another table, with %s bytes of cache, where it has no place',
  (cacheBytes) => {
    const fs = new MemoryFs();
    const cache = cacheBytes === undefined ? undefined : new BlockCache(cacheBytes);
    const results = ['v', 'w'].map((letter, i) => {
      const entries = Array.from({ length: 400 }, (_, k) => put(`key ${1000 + k}`, 1, letter.repeat(100)));
      buildTable(fs, `/${i}`, entries, { blockBytes: 65_536, compression: 'lz4' });
      const table = TableReader.open({ fs, path: `/${i}`, fileNumber: i, cache });
      const result = new PointResult();
      const key = bytesOf('key 1200');
      const low = hashKey(key, 0, key.length);
      expect(table.get(key, 0, key.length, low, hashHigh[0]!, 1, result)).toBe(true);
      return result;
    });
    expect(
      results.map(({ value, valueStart, valueEnd }) =>
        Buffer.from(value.subarray(valueStart, valueEnd)).toString(),
      ),
    ).toEqual(['v'.repeat(100), 'w'.repeat(100)]);
  },
);
