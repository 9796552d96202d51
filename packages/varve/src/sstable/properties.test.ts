import { expect, test } from 'vitest';

import { Random } from '../base/random.ts';
import { putVarint } from '../base/varint.ts';
import { decodeProperties, encodeProperties, type TableProperties } from './properties.ts';
import { bytesOf } from './table.suite.ts';

const properties: TableProperties = {
  entries: 10,
  tombstones: 2,
  rangeTombstones: 3,
  keys: 8,
  rawKeyBytes: 160,
  rawValueBytes: 5_000_000_000,
  smallestSequence: 1,
  largestSequence: Number.MAX_SAFE_INTEGER,
  smallestKey: new Uint8Array(0),
  largestKey: bytesOf('zebra'),
  largestExclusive: true,
  createdMs: 1_790_000_000_000,
  dataBlocks: 4,
  indexPartitions: 1,
  filterBitsPerKey: 10.5,
  filterPrefixBytes: 300,
  expiry: { expiring: 4, earliestExpiry: 1_790_000_000_001, latestExpiry: 1_790_000_000_002 },
  comparator: 'bytewise',
  compression: 'lz4',
};

function decode(bytes: Uint8Array): TableProperties {
  return decodeProperties(bytes, 0, bytes.length, 'a.sst', 99);
}

test('properties come back as they were', () => {
  expect(decode(encodeProperties(properties))).toEqual(properties);
  expect(decode(encodeProperties({ ...properties, largestExclusive: false })).largestExclusive).toBe(false);
});

test('a tag of a later release is skipped', () => {
  const bytes = encodeProperties(properties);
  const longer = new Uint8Array(bytes.length + 10);
  longer.set(bytes);
  const at = putVarint(longer, putVarint(longer, bytes.length, 900), 3);
  expect(decode(longer.slice(0, at + 3))).toEqual(properties);
});

test('every truncation is corruption', () => {
  const bytes = encodeProperties(properties);
  for (let length = 0; length < bytes.length; length++) {
    expect(() => decode(bytes.slice(0, length))).toThrow(
      expect.objectContaining({
        kind: 'corruption',
        context: expect.objectContaining({ file: 'a.sst', offset: 99 }),
      }),
    );
  }
});

test('changed bytes decode to something or are refused, and never crash', () => {
  const random = new Random(5);
  for (let round = 0; round < 3000; round++) {
    const bytes = encodeProperties(properties);
    bytes[random.below(bytes.length)] = random.below(256);
    try {
      decode(bytes);
    } catch (error) {
      expect(error).toMatchObject({ name: 'VarveError', context: { file: 'a.sst' } });
    }
  }
});

test('another key order is refused by name', () => {
  expect(() => decode(encodeProperties({ ...properties, comparator: 'reverse' }))).toThrow(
    expect.objectContaining({ kind: 'invalid', code: 'UNSUPPORTED_COMPARATOR' }),
  );
});
