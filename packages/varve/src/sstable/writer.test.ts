import { beforeAll, describe, expect, test } from 'vitest';
import { SEQUENCE_MAX } from '../base/entry.ts';
import { KIND_PUT, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import type { FileHandle } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ready } from './checksum.ts';
import { TableReader } from './reader.ts';
import { buildTable, bytesOf, del, put, randomEntries, smallShape, TABLE_ID } from './table.suite.ts';
import { TableWriter } from './writer.ts';

beforeAll(ready);

test('the summary states what was written', () => {
  const fs = new MemoryFs();
  const tombstones = FragmentedTombstones.build([
    { start: bytesOf('A'), end: bytesOf('C'), sequence: 90 },
    { start: bytesOf('B'), end: bytesOf('D'), sequence: 2 },
  ]);
  const entries = [put('a', 7, 'one'), put('a', 5, 'older'), del('b', 9)];
  const summary = buildTable(fs, '/1.sst', entries, {
    rangeTombstones: tombstones,
    createdMs: 1234,
    compression: 'lz4',
  });
  expect(summary).toEqual({
    entries: 3,
    tombstones: 1,
    rangeTombstones: 4,
    keys: 2,
    rawKeyBytes: 3,
    rawValueBytes: 8,
    smallestSequence: 2,
    largestSequence: 90,
    smallestKey: bytesOf('A'),
    largestKey: bytesOf('b'),
    largestExclusive: false,
    createdMs: 1234,
    dataBlocks: 1,
    indexPartitions: 1,
    filterBitsPerKey: 10,
    filterPrefixBytes: 0,
    comparator: 'bytewise',
    compression: 'lz4',
    bytes: fs.status('/1.sst')!.size,
    uniqueId: TABLE_ID,
  });
  const { bytes: _bytes, uniqueId: _uniqueId, ...properties } = summary;
  expect(TableReader.open({ fs, path: '/1.sst', fileNumber: 1 }).properties).toEqual(properties);
});

test('the upper bound is inclusive when the last key reaches the end of the last range', () => {
  const rangeTombstones = FragmentedTombstones.build([
    { start: bytesOf('b'), end: bytesOf('m'), sequence: 4 },
  ]);
  const bound = (key: string): unknown => {
    const { largestKey, largestExclusive } = buildTable(new MemoryFs(), '/1.sst', [put(key, 1, '')], {
      rangeTombstones,
    });
    return [new TextDecoder().decode(largestKey), largestExclusive];
  };
  expect(bound('lz')).toEqual(['m', true]);
  expect(bound('m')).toEqual(['m', false]);
  expect(bound('z')).toEqual(['z', false]);
});

test('blocks of raw size stay within the limit unless a single entry is larger', () => {
  const fs = new MemoryFs();
  const entries = randomEntries(new Random(3), {
    ...smallShape,
    valueBytesMax: 900,
    sequenceMax: SEQUENCE_MAX,
  });
  buildTable(fs, '/1.sst', entries, { blockBytes: 700 });
  const reader = TableReader.open({ fs, path: '/1.sst', fileNumber: 1 });
  const { loader, top } = reader.internals();
  let single = 0;
  const iterator = reader.iterator();
  const blocks = new Map<number, number>();
  for (iterator.first(); iterator.valid; iterator.next()) {
    blocks.set(iterator.blockOffset, (blocks.get(iterator.blockOffset) ?? 0) + 1);
  }
  const offsets = [...blocks.keys()];
  offsets.forEach((offset, i) => {
    const isSingle = blocks.get(offset) === 1;
    if (isSingle) single++;
    else if (i + 1 < offsets.length) expect(offsets[i + 1]! - offset).toBeLessThanOrEqual(700 + 14 + 714);
  });
  expect(single).toBeGreaterThan(0);
  expect(top.count).toBeGreaterThan(1);
  loader.close();
});

describe('the writer refuses', () => {
  const writer = (): TableWriter =>
    new TableWriter({ file: new MemoryFs().open('/1.sst', 'create'), uniqueId: TABLE_ID });
  const key = bytesOf('k');
  const none = new Uint8Array(0);
  const broken = expect.objectContaining({ kind: 'internal' });

  test('keys or versions out of order', () => {
    const table = writer();
    table.add(key, 0, 1, 5, 1, none, 0, 0);
    expect(() => table.add(key, 0, 1, 5, 1, none, 0, 0)).toThrow(broken);
    expect(() => table.add(key, 0, 1, 6, 1, none, 0, 0)).toThrow(broken);
    expect(() => table.add(bytesOf('a'), 0, 1, 1, 1, none, 0, 0)).toThrow(broken);
    table.add(key, 0, 1, 4, 1, none, 0, 0);
    expect(table.entries).toBe(2);
  });

  test('range deletes and unknown kinds among the point entries', () => {
    expect(() => writer().add(key, 0, 1, 5, KIND_RANGE_DELETE, none, 0, 0)).toThrow(broken);
    expect(() => writer().add(key, 0, 1, 5, 17, none, 0, 0)).toThrow(broken);
  });

  test('an empty table, and use after the end', () => {
    expect(() => writer().finish()).toThrow(broken);
    const table = writer();
    table.abandon();
    table.abandon();
    expect(() => table.add(key, 0, 1, 5, 1, none, 0, 0)).toThrow(broken);
  });
});

test('the file is synced when it is complete, then closed; a failed write leaves it to abandon', () => {
  const inner = new MemoryFs().open('/1.sst', 'create');
  const calls: string[] = [];
  let failing = false;
  const file: FileHandle = {
    path: '/1.sst',
    read: () => 0,
    write: (source, offset, length, position) => {
      if (failing) throw new Error('disk on fire');
      calls.push('write');
      // Short writes are gone on after.
      return inner.write(source, offset, Math.min(length, 100), position);
    },
    size: () => inner.size(),
    truncate: () => undefined,
    sync: () => calls.push(`sync at ${inner.size()}`),
    dataSync: () => undefined,
    close: () => calls.push('close'),
  };
  const table = new TableWriter({ file, uniqueId: TABLE_ID });
  table.add(bytesOf('k'), 0, 1, 5, 1, bytesOf('v'), 0, 1);
  const { bytes } = table.finish();
  expect(bytes).toBeGreaterThan(200);
  expect(calls.slice(-3)).toEqual(['write', `sync at ${bytes}`, 'close']);

  calls.length = 0;
  failing = true;
  const other = new TableWriter({ file, uniqueId: TABLE_ID });
  other.add(bytesOf('k'), 0, 1, 5, 1, bytesOf('v'), 0, 1);
  expect(() => other.finish()).toThrow('disk on fire');
  expect(calls).toEqual([]);
  other.abandon();
  expect(calls).toEqual(['close']);
});

test('the estimate of the size is close to the final size', () => {
  const fs = new MemoryFs();
  const table = new TableWriter({ file: fs.open('/1.sst', 'create'), uniqueId: TABLE_ID });
  const value = new Uint8Array(100);
  for (let i = 0; i < 5000; i++)
    table.add(bytesOf(String(i).padStart(8, '0')), 0, 8, i + 1, 1, value, 0, 100);
  const estimate = table.estimatedBytes;
  const { bytes } = table.finish();
  expect(Math.abs(bytes - estimate) / bytes).toBeLessThan(0.01);
});

test('a table that grows large is synced on the way, and once more at its end', () => {
  const fs = new MemoryFs();
  const inner = fs.open('/1.sst', 'create');
  const synced: number[] = [];
  const file: FileHandle = {
    path: inner.path,
    read: (...args) => inner.read(...args),
    write: (...args) => inner.write(...args),
    size: () => inner.size(),
    truncate: (length) => inner.truncate(length),
    sync: () => void synced.push(inner.size()),
    dataSync: () => void synced.push(inner.size()),
    close: () => inner.close(),
  };
  const writer = new TableWriter({ file, uniqueId: TABLE_ID });
  const value = new Uint8Array(100_000);
  for (let i = 0; i < 300; i++) {
    const key = bytesOf(String(i).padStart(3, '0'));
    writer.add(key, 0, key.length, 1, KIND_PUT, value, 0, value.length);
  }
  const { bytes } = writer.finish();
  expect(synced).toHaveLength(4);
  const steps = synced.map((at, index) => at - (synced[index - 1] ?? 0));
  for (const step of steps.slice(0, -1)) expect(step / 2 ** 20).toBeCloseTo(8, 0);
  expect(synced.at(-1)).toBe(bytes);
});
