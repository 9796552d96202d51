import { beforeAll, beforeEach, expect, test, vi } from 'vitest';

import { BlockCache } from '../cache/block-cache.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ready } from './checksum.ts';
import { TableCache } from './table-cache.ts';
import { buildTable, bytesOf, getEntry, put, TABLE_ID } from './table.suite.ts';

beforeAll(ready);

let fs: MemoryFs;
const pathOf = (number: number): string => `/${number}.sst`;
const a = bytesOf('a');

beforeEach(() => {
  fs = new MemoryFs();
  for (let number = 1; number <= 6; number++) buildTable(fs, pathOf(number), [put('a', number, `${number}`)]);
});

test('opens a table once', () => {
  const tables = new TableCache({ fs, pathOf, openFilesMax: 10 });
  const reader = tables.get({ number: 1 });
  expect(tables.get({ number: 1 })).toBe(reader);
  expect(tables.size).toBe(1);
  expect(tables.memoryBytes).toBe(reader.memoryBytes);
});

test('passes on what the manifest says', () => {
  const tables = new TableCache({ fs, pathOf, openFilesMax: 10 });
  expect(() => tables.get({ number: 1, bytes: 5 })).toThrow(expect.objectContaining({ kind: 'corruption' }));
  expect(() => tables.get({ number: 1, uniqueId: new Uint8Array(16) })).toThrow(/another one/);
  expect(tables.size).toBe(0);
  expect(tables.get({ number: 1, uniqueId: TABLE_ID }).uniqueId).toEqual(TABLE_ID);
});

test('keeps to its limit and parks what was not used lately', () => {
  const tables = new TableCache({ fs, pathOf, openFilesMax: 3 });
  const first = tables.get({ number: 1 });
  const second = tables.get({ number: 2 });
  tables.get({ number: 3 });
  tables.get({ number: 4 });
  expect(tables.size).toBe(3);
  tables.get({ number: 2 });
  tables.get({ number: 5 });
  expect(tables.get({ number: 2 })).toBe(second);
  expect(tables.get({ number: 1 })).not.toBe(first);
  for (let number = 1; number <= 6; number++) tables.get({ number });
  expect(tables.size).toBe(3);
});

test('a walk over a table that was parked goes on', () => {
  const tables = new TableCache({ fs, pathOf, openFilesMax: 1 });
  const iterator = tables.get({ number: 1 }).iterator();
  tables.get({ number: 2 });
  tables.get({ number: 3 });
  iterator.first();
  expect(iterator.sequence).toBe(1);
});

test('a walk over a table that was parked leaves no file open', () => {
  let openFiles = 0;
  const open = fs.open.bind(fs);
  vi.spyOn(fs, 'open').mockImplementation((path, mode) => {
    const file = open(path, mode);
    const close = file.close.bind(file);
    openFiles++;
    return Object.assign(file, {
      close: () => {
        openFiles--;
        close();
      },
    });
  });
  const tables = new TableCache({ fs, pathOf, openFilesMax: 1 });
  const iterator = tables.get({ number: 1 }).iterator();
  tables.get({ number: 2 });
  expect(openFiles).toBe(1);
  iterator.first();
  expect(iterator.valid).toBe(true);
  expect(openFiles).toBe(1);
});

test('an evicted table is closed and its blocks leave the cache', () => {
  const cache = new BlockCache(1 << 20);
  const tables = new TableCache({ fs, pathOf, openFilesMax: 3, cache });
  const reader = tables.get({ number: 1 });
  expect(getEntry(reader, a, 9)).toEqual(put('a', 1, '1'));
  expect(cache.lookup(1, 0)).toBeGreaterThanOrEqual(0);
  tables.evict(1);
  tables.evict(1);
  expect(cache.lookup(1, 0)).toBe(-1);
  expect(() => getEntry(reader, a, 9)).toThrow(expect.objectContaining({ kind: 'closed' }));
  expect(tables.size).toBe(0);
});

test('closing closes all tables', () => {
  const tables = new TableCache({ fs, pathOf, openFilesMax: 3 });
  const reader = tables.get({ number: 1 });
  tables.close();
  expect(tables.size).toBe(0);
  expect(() => getEntry(reader, a, 9)).toThrow(expect.objectContaining({ kind: 'closed' }));
});

test('counts what the filters and the file were asked', () => {
  const tables = new TableCache({ fs, pathOf, openFilesMax: 3 });
  const reader = tables.get({ number: 1 });
  // Opening reads filter, top index and properties.
  expect(tables.counters.blocksRead).toBe(3);
  getEntry(reader, a, 9);
  getEntry(reader, bytesOf('zzz'), 9);
  expect(tables.counters).toMatchObject({
    filterNegatives: 1,
    filterPositives: 1,
    filterFalsePositives: 0,
    blocksRead: 5,
  });
});

test('filters in parts are held whole only while the room for them lasts', () => {
  const keys = Array.from({ length: 12_000 }, (_, i) => put(`k${String(i).padStart(5, '0')}`, 1, 'v'));
  for (const number of [7, 8]) buildTable(fs, pathOf(number), keys, { filterWholeBytesMax: 0 });
  const cache = new BlockCache(1 << 20);
  const tables = new TableCache({ fs, pathOf, openFilesMax: 3, cache, filterBytesMax: 20_000 });
  const ask = (number: number): number => {
    const before = tables.memoryBytes;
    for (let i = 0; i < 10; i++) getEntry(tables.get({ number }), bytesOf(`missing${i}`), 9);
    return tables.memoryBytes - before;
  };
  const held = [7, 8].map((number) => {
    tables.get({ number });
    return ask(number);
  });
  expect(held[0]).toBeGreaterThan(15_000);
  expect(held[1]).toBeLessThan(5000);
  tables.evict(7);
  expect(ask(8)).toBeGreaterThan(15_000);
});
