import { beforeAll, expect, test } from 'vitest';

import { Random } from '../base/random.ts';
import { digest, ready, xxh64 } from './checksum.ts';

beforeAll(ready);

function hash(bytes: Uint8Array, start = 0, end = bytes.length, low = 0, high = 0): string {
  xxh64(bytes, start, end, low, high);
  return digest[1]!.toString(16).padStart(8, '0') + digest[0]!.toString(16).padStart(8, '0');
}

test('gives the published XXH64 values', () => {
  expect(hash(new Uint8Array(0))).toBe('ef46db3751d8e999');
  expect(hash(new TextEncoder().encode('a'))).toBe('d24ec4f1a98c6e5b');
  expect(hash(new TextEncoder().encode('abc'))).toBe('44bc2cf5ad770999');
});

test('hashes only the given range', () => {
  const bytes = new TextEncoder().encode('xxabcyy');
  expect(hash(bytes, 2, 5)).toBe('44bc2cf5ad770999');
});

test('both halves of the seed count', () => {
  const bytes = new TextEncoder().encode('abc');
  const values = new Set([
    hash(bytes),
    hash(bytes, 0, 3, 1, 0),
    hash(bytes, 0, 3, 0, 1),
    hash(bytes, 0, 3, -1, 0),
  ]);
  expect(values.size).toBe(4);
  expect(hash(bytes, 0, 3, -1, 0)).toBe(hash(bytes, 0, 3, 0xffffffff, 0));
});

test('a long range that is streamed has the checksum of one that is not', () => {
  const random = new Random(1);
  const bytes = Uint8Array.from({ length: 700_001 }, () => random.u32());
  // Published property: streaming equals one shot. The one-shot value of the same bytes comes from a fresh instance.
  const whole = hash(bytes);
  return import('xxhash-wasm').then(async ({ default: create }) => {
    const other = await create();
    expect(whole).toBe(other.h64Raw(bytes, 0n).toString(16).padStart(16, '0'));
  });
});

test('reads shared memory', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(16));
  shared.set(new TextEncoder().encode('abc'));
  expect(hash(shared, 0, 3)).toBe('44bc2cf5ad770999');
});
