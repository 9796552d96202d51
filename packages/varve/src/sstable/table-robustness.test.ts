/**
 * A damaged table gives what an undamaged one gives, or `corruption` with file and offset. Never anything else.
 */
import { beforeAll, describe, expect, test } from 'vitest';

import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { readFile } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ready } from './checksum.ts';
import { FOOTER_BYTES } from './format.ts';
import { TableReader } from './reader.ts';
import {
  type BuildOptions,
  buildTable,
  bytesOf,
  drain,
  type Entry,
  getEntry,
  randomEntries,
  replaceFile,
  smallShape,
  TABLE_ID,
  walkBackward,
  walkForward,
} from './table.suite.ts';

beforeAll(ready);

const PATH = '/1.sst';
const rangeTombstones = FragmentedTombstones.build([
  { start: bytesOf('b'), end: bytesOf('m'), sequence: 400 },
  { start: bytesOf('c'), end: bytesOf('d'), sequence: 7 },
]);

/** Everything that a reader can say about a table, as one string. */
function readEverything(fs: MemoryFs, probes: readonly Entry[]): string {
  const reader = TableReader.open({ fs, path: PATH, fileNumber: 1, uniqueId: TABLE_ID });
  const say = (entry: Entry | undefined): string =>
    entry === undefined ? '-' : `${entry.key.join()}@${entry.sequence}:${entry.kind}=${entry.value.join()}`;
  const iterator = reader.iterator();
  const seeks: string[] = [];
  for (const { key, sequence } of probes) {
    seeks.push(say(getEntry(reader, key, sequence)), String(reader.approximateOffset(key)));
    iterator.seek(key, 0, key.length, sequence);
    seeks.push(String(iterator.valid && iterator.sequence));
    iterator.seekBefore(key, 0, key.length);
    seeks.push(String(iterator.valid && iterator.sequence));
  }
  const ranges = [...(reader.rangeTombstones?.fragments() ?? [])].map(
    (f) => `${f.start.join()}-${f.end.join()}:${f.sequences.join()}`,
  );
  return [
    ...walkForward(iterator).map(say),
    ...walkBackward(iterator).map(say),
    ...seeks,
    ...ranges,
    JSON.stringify(reader.properties),
    reader.bytes,
  ].join('\n');
}

/** True: refused as corruption. False: read as if nothing had happened. Anything else fails. */
function isRefused(fs: MemoryFs, probes: readonly Entry[], expected: string): boolean {
  let got: string;
  try {
    got = readEverything(fs, probes);
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    expect(error).toMatchObject({ kind: 'corruption', context: { file: PATH, offset: expect.any(Number) } });
    expect(error.context['offset']).toBeGreaterThanOrEqual(0);
    return true;
  }
  expect(got === expected).toBe(true);
  return false;
}

const variants: [string, BuildOptions][] = [
  ['plain', { blockBytes: 200 }],
  ['lz4', { blockBytes: 600, compression: 'lz4' }],
  ['zstd', { blockBytes: 2000, compression: 'zstd' }],
  ['partitioned', { blockBytes: 200, filterWholeBytesMax: 0, filterBitsPerKey: 20, filterPrefixBytes: 2 }],
];

describe.each(variants)('a damaged %s table', (name, options) => {
  const random = new Random(name.length * 7);
  const entries = randomEntries(random, { ...smallShape, keys: 120, valueBytesMax: 60 });
  const fs = new MemoryFs();
  const probes = Array.from({ length: 12 }, () => random.pick(entries));
  let bytes: Uint8Array;
  let expected: string;

  beforeAll(() => {
    buildTable(fs, PATH, entries, { ...options, rangeTombstones });
    bytes = readFile(fs, PATH);
    expected = readEverything(fs, probes);
  });

  test('gives the same or corruption for any flipped bit', () => {
    let refused = 0;
    const flips = 300;
    for (let round = 0; round < flips; round++) {
      const damaged = bytes.slice();
      damaged[random.below(bytes.length)]! ^= 1 << random.below(8);
      replaceFile(fs, PATH, damaged);
      if (isRefused(fs, probes, expected)) refused++;
    }
    // Every byte of a table is under a checksum and everything was read.
    expect(refused).toBe(flips);
  });

  test('gives corruption for every flipped bit of its footer', () => {
    for (let bit = 0; bit < FOOTER_BYTES * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bytes.length - FOOTER_BYTES + (bit >> 3)]! ^= 1 << (bit & 7);
      replaceFile(fs, PATH, damaged);
      expect(() => TableReader.open({ fs, path: PATH, fileNumber: 1 })).toThrow(
        expect.objectContaining({ kind: 'corruption' }),
      );
    }
  });

  test('gives corruption when it is cut at any length, and when bytes follow it', () => {
    for (let length = 0; length < bytes.length; length += length < bytes.length - 300 ? 13 : 1) {
      replaceFile(fs, PATH, bytes.slice(0, length));
      expect(() => TableReader.open({ fs, path: PATH, fileNumber: 1 })).toThrow(
        expect.objectContaining({ kind: 'corruption', context: expect.objectContaining({ file: PATH }) }),
      );
    }
    const longer = new Uint8Array(bytes.length + 9);
    longer.set(bytes);
    replaceFile(fs, PATH, longer);
    expect(isRefused(fs, probes, expected)).toBe(true);
  });

  test('gives the same or corruption when whole stretches are zeroed, copied or from elsewhere', () => {
    for (let round = 0; round < 100; round++) {
      const damaged = bytes.slice();
      const length = 1 + random.below(512);
      const at = random.below(bytes.length - length);
      if (random.oneIn(2)) damaged.fill(0, at, at + length);
      else damaged.copyWithin(at, random.below(bytes.length - length), at + length);
      replaceFile(fs, PATH, damaged);
      // A stretch of zeros over zeros, or a copy onto itself, changes nothing.
      const isChanged = Buffer.compare(damaged, bytes) !== 0;
      expect(isRefused(fs, probes, expected)).toBe(isChanged);
    }
  });

  test('is found out by verify without any read', () => {
    for (let round = 0; round < 60; round++) {
      const damaged = bytes.slice();
      damaged[random.below(bytes.length)]! ^= 1 << random.below(8);
      replaceFile(fs, PATH, damaged);
      expect(() => drain(TableReader.open({ fs, path: PATH, fileNumber: 1 }).verify())).toThrow(
        expect.objectContaining({ kind: 'corruption' }),
      );
    }
  });
});

test('a block that belongs to another table with the same layout does not pass', () => {
  const fs = new MemoryFs();
  const entries = randomEntries(new Random(1), smallShape);
  buildTable(fs, PATH, entries, { blockBytes: 300 });
  buildTable(fs, '/2.sst', entries, { blockBytes: 300, uniqueId: new Uint8Array(16).fill(3) });
  const mixed = readFile(fs, PATH);
  mixed.set(readFile(fs, '/2.sst').subarray(0, 1000), 0);
  replaceFile(fs, PATH, mixed);
  const reader = TableReader.open({ fs, path: PATH, fileNumber: 1 });
  expect(() => walkForward(reader.iterator())).toThrow(/checksum/);
});

test('an iterator that met damage is not valid and can be positioned anew', () => {
  const fs = new MemoryFs();
  const entries = randomEntries(new Random(1), smallShape);
  buildTable(fs, PATH, entries, { blockBytes: 300 });
  const damaged = readFile(fs, PATH);
  damaged[450]! ^= 4;
  replaceFile(fs, PATH, damaged);
  const iterator = TableReader.open({ fs, path: PATH, fileNumber: 1 }).iterator();
  expect(() => walkForward(iterator)).toThrow(/checksum/);
  expect(iterator.valid).toBe(false);
  iterator.last();
  expect(iterator.valid).toBe(true);
  expect(() => {
    while (iterator.valid) iterator.prev();
  }).toThrow(/checksum/);
  expect(iterator.valid).toBe(false);
});
