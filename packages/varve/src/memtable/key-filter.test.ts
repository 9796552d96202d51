/**
 * The filter of a large skiplist: it never hides a key, also one that another thread or a dead writer added, and says no of most
 * others.
 */
import { expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { PointResult } from '../base/entry.ts';
import { KIND_PUT } from '../base/kinds.ts';
import { addToFilter, clearFilter, FILTER_BYTES, mayHold } from './key-filter.ts';
import { FILTER } from './node.ts';
import { SkipList } from './skiplist.ts';

const keyOf = (i: number): Uint8Array => new TextEncoder().encode(`key-${(i * 7919) % 1_000_003}`);
const VALUE = new Uint8Array(300);

function put(list: SkipList, i: number, sequence: number): void {
  const key = keyOf(i);
  expect(list.reserve(key.length + VALUE.length, 1)).toBe(true);
  list.add(sequence, KIND_PUT, key, 0, key.length, VALUE, 0, VALUE.length);
}

test('a filter knows every key that was added, and few others', () => {
  const words = new Int32Array(FILTER_BYTES / 4 + 16);
  const filter = clearFilter(words, 8);
  const keys = Array.from({ length: 200_000 }, (_, i) => keyOf(i));
  for (const key of keys) addToFilter(words, filter, key, 0, key.length);
  expect(keys.every((key) => mayHold(words, filter, key, 0, key.length))).toBe(true);
  let wrong = 0;
  for (let i = 0; i < 10_000; i++) {
    const other = new TextEncoder().encode(`other-${i}`);
    if (mayHold(words, filter, other, 0, other.length)) wrong++;
  }
  expect(wrong).toBeLessThan(500);
});

test('a list that becomes large has a filter of all its keys, whichever object added them', () => {
  const pool = new SegmentPool(32 * 1024 * 1024);
  const writers = [SkipList.create(pool)!];
  writers.push(SkipList.attach(pool, writers[0]!.descriptor));
  const total = 12_000;
  for (let i = 0; i < total; i++) put(writers[Math.floor(i / 100) % 2]!, i, i + 1);
  expect(pool.words[writers[0]!.descriptor + FILTER]).not.toBe(0);
  const reader = SkipList.attach(pool, writers[0]!.descriptor);
  const found = new PointResult();
  for (let i = 0; i < total; i++) {
    const key = keyOf(i);
    expect(reader.get(key, 0, key.length, total, found)).toBe(true);
    expect(found.sequence).toBe(i + 1);
  }
  const missing = new TextEncoder().encode('none');
  expect(reader.get(missing, 0, missing.length, total, found)).toBe(false);
  reader.release();
  expect(pool.bytesUsed).toBe(0);
});

test('a list that finds no room for a filter does without', () => {
  const pool = new SegmentPool(2304 * 1024);
  const list = SkipList.create(pool)!;
  let written = 0;
  for (; list.reserve(keyOf(written).length + VALUE.length, 1); written++) {
    const key = keyOf(written);
    list.add(written + 1, KIND_PUT, key, 0, key.length, VALUE, 0, VALUE.length);
  }
  expect(written).toBeGreaterThan(5000);
  const found = new PointResult();
  for (let i = 0; i < written; i++) {
    const key = keyOf(i);
    expect(list.get(key, 0, key.length, written, found)).toBe(true);
  }
});
