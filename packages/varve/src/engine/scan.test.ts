import { beforeAll, describe, expect, test } from 'vitest';
import { compareBytes, prefixEnd } from '../base/bytes.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import { Random } from '../base/random.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { ready } from '../sstable/checksum.ts';
import { TableCache } from '../sstable/table-cache.ts';
import { type BuildOptions, buildTable, bytesOf, type Entry, put } from '../sstable/table.suite.ts';
import type { ReadView } from './read-view.ts';
import { type KeyRange, mergedSources, openScan, pinnedBytes } from './scan.ts';

beforeAll(ready);

describe('the bytes that a range pins', () => {
  const of = (lower: number[] | undefined, upper: number[] | undefined): number =>
    pinnedBytes(lower && Uint8Array.from(lower), upper && Uint8Array.from(upper));

  test('are those of a prefix', () => {
    expect(of([1, 2, 3], [1, 2, 4])).toBe(3);
    expect(of([1, 2, 255], [1, 3])).toBe(3);
    expect(of([1, 255, 255], [2])).toBe(3);
    expect(of([255, 255], undefined)).toBe(2);
  });

  test('are those that both bounds share', () => {
    expect(of([1, 2, 3, 9], [1, 2, 3, 11])).toBe(3);
    expect(of([1, 2, 3], [1, 2, 3, 11])).toBe(3);
    expect(of([1, 2, 9, 9], [1, 2, 10, 0])).toBe(2);
  });

  test('are none without a bound or a common beginning', () => {
    expect(of(undefined, undefined)).toBe(0);
    expect(of(undefined, [1])).toBe(0);
    expect(of([1, 2], undefined)).toBe(0);
    expect(of([1, 2], [3])).toBe(0);
    expect(of([], [1])).toBe(0);
  });

  test('are the most for which the range lies inside the prefix', () => {
    const random = new Random(11);
    const bytes = (): Uint8Array =>
      Uint8Array.from({ length: random.below(5) }, () => random.pick([0, 1, 2, 254, 255]));
    for (let round = 0; round < 20_000; round++) {
      const lower = bytes();
      const upper = random.oneIn(4) ? undefined : random.oneIn(3) ? prefixEnd(lower) : bytes();
      if (upper !== undefined && compareBytes(lower, upper) >= 0) continue;
      let most = 0;
      for (let length = 1; length <= lower.length; length++) {
        const end = prefixEnd(lower.slice(0, length));
        if (end === undefined || (upper !== undefined && compareBytes(upper, end) <= 0)) most = length;
      }
      expect(pinnedBytes(lower, upper)).toBe(most);
    }
  });
});

/** A view of tables that were built from the entries, a list of levels. */
function viewOf(levels: readonly (readonly [readonly Entry[], BuildOptions?][])[]): {
  view: ReadView;
  tables: TableCache;
} {
  const fs = new MemoryFs();
  const pathOf = (number: number): string => `/${number}.sst`;
  let number = 0;
  const files = levels.map((level) =>
    level.map(([entries, options = {}]): FileMeta => {
      const summary = buildTable(fs, pathOf(++number), entries, { filterPrefixBytes: 3, ...options });
      return { ...summary, number };
    }),
  );
  const version = { levels: files } as unknown as ReadView['version'];
  const view = { memtable: undefined, immutables: [], version, versionId: 1, fences: [] };
  return { view, tables: new TableCache({ fs, pathOf, openFilesMax: 100 }) };
}

function rangeOf(gte: string, lt: string): KeyRange {
  return { lower: bytesOf(gte), upper: bytesOf(lt) };
}

/** The keys that a scan of the range shows, forwards; backwards must show the same. */
function keysIn(view: ReadView, tables: TableCache, range: KeyRange, sequence = SEQUENCE_MAX): string[] {
  const scan = openScan(mergedSources(view, tables, range), view, tables, range, sequence, 0);
  const text = (): string => new TextDecoder().decode(scan.key.slice(scan.keyStart, scan.keyEnd));
  const keys: string[] = [];
  for (scan.first(); scan.valid; scan.next()) keys.push(text());
  const backwards: string[] = [];
  for (scan.last(); scan.valid; scan.prev()) backwards.push(text());
  expect(backwards.reverse()).toEqual(keys);
  return keys;
}

describe('a range inside one prefix', () => {
  test('leaves out tables of every level that have no key with the prefix', () => {
    const { view, tables } = viewOf([
      [[[put('aaa1', 9, ''), put('ccc1', 9, '')]], [[put('aaa2', 8, ''), put('bbb2', 8, '')]]],
      [[[put('aaa3', 2, ''), put('ccc3', 2, '')]], [[put('ddd3', 3, '')]]],
      [[[put('aaa4', 1, ''), put('bbb4', 1, ''), put('ccc4', 1, '')]]],
    ]);
    expect(keysIn(view, tables, rangeOf('bbb', 'bbc'))).toEqual(['bbb2', 'bbb4']);
    expect(tables.counters.prefixNegatives).toBe(2);
    expect(keysIn(view, tables, rangeOf('bbb3', 'bbb5'))).toEqual(['bbb4']);
    expect(tables.counters.prefixNegatives).toBe(4);
  });

  test('asks each table for as many bytes as its own filter holds', () => {
    const { view, tables } = viewOf([
      [
        [[put('aaa1', 9, ''), put('ccc1', 9, '')], { filterPrefixBytes: 0 }],
        [[put('aaa1', 8, ''), put('ccc1', 8, '')], { filterPrefixBytes: 2 }],
        [[put('aaa1', 7, ''), put('ccc1', 7, '')], { filterPrefixBytes: 5 }],
        [[put('aaa1', 6, ''), put('bbb1', 6, '')], { filterPrefixBytes: 2 }],
      ],
    ]);
    expect(keysIn(view, tables, rangeOf('bbb', 'bbc'))).toEqual(['bbb1']);
    expect(tables.counters.prefixNegatives).toBe(1);
  });

  test('asks nothing when it pins fewer bytes than the filter holds', () => {
    const { view, tables } = viewOf([[[[put('aaa1', 9, ''), put('ccc1', 9, '')]]]]);
    expect(keysIn(view, tables, rangeOf('bb', 'bc'))).toEqual([]);
    expect(tables.counters.prefixNegatives).toBe(0);
  });

  test('counts the range tombstones of a table that it leaves out', () => {
    const rangeTombstones = FragmentedTombstones.build([
      { start: bytesOf('bbb'), end: bytesOf('bbc'), sequence: 9 },
    ]);
    const { view, tables } = viewOf([
      [[[put('aaa1', 8, ''), put('ccc1', 8, '')], { rangeTombstones }]],
      [[[put('bbb1', 1, ''), put('bbb2', 1, '')]]],
    ]);
    expect(keysIn(view, tables, rangeOf('bbb', 'bbc'))).toEqual([]);
    expect(tables.counters.prefixNegatives).toBe(1);
    expect(keysIn(view, tables, rangeOf('bbb', 'bbc'), 8)).toEqual(['bbb1', 'bbb2']);
  });

  test('finds keys that are the prefix itself, and steps over shorter ones', () => {
    const { view, tables } = viewOf([[[[put('bb', 9, ''), put('bbb', 8, ''), put('bbbb', 8, '')]]]]);
    expect(keysIn(view, tables, rangeOf('bbb', 'bbc'))).toEqual(['bbb', 'bbbb']);
    expect(keysIn(view, tables, rangeOf('bbc', 'bbd'))).toEqual([]);
    expect(tables.counters.prefixNegatives).toBe(0);
    const lower = viewOf([[[[put('bb', 9, ''), put('cc', 8, '')]]]]);
    expect(keysIn(lower.view, lower.tables, rangeOf('bbb', 'bbc'))).toEqual([]);
    expect(lower.tables.counters.prefixNegatives).toBe(1);
  });
});
