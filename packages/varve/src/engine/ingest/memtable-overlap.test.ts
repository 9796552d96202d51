import { expect, test } from 'vitest';
import { SegmentPool } from '../../arena/segment-pool.ts';
import { compareBytes } from '../../base/bytes.ts';
import { KIND_DELETE, KIND_PUT, KIND_RANGE_DELETE } from '../../base/kinds.ts';
import { Random } from '../../base/random.ts';
import { makeMemtable } from '../../memtable/memtable.ts';
import { memtableOverlaps, type TableRange } from './memtable-overlap.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const table = (smallest: string, largest: string): TableRange => ({
  smallestKey: bytes(smallest),
  largestKey: bytes(largest),
});

function memtableOf(...operations: (readonly [kind: number, key: string, value?: string])[]) {
  const memtable = makeMemtable('btree', new SegmentPool(1 << 20));
  operations.forEach(([kind, key, value = ''], i) => {
    const [k, v] = [bytes(key), bytes(value)];
    memtable.add(i + 1, kind, k, 0, k.length, v, 0, v.length);
  });
  return memtable;
}

test('a key in one of the ranges overlaps, keys between them do not', () => {
  const memtable = memtableOf([KIND_PUT, 'b'], [KIND_DELETE, 'm'], [KIND_PUT, 'x']);
  expect(memtableOverlaps(memtable, [table('c', 'l'), table('n', 'w')])).toBe(false);
  expect(memtableOverlaps(memtable, [table('c', 'm'), table('n', 'w')])).toBe(true);
  expect(memtableOverlaps(memtable, [table('c', 'd'), table('x', 'x')])).toBe(true);
  expect(memtableOverlaps(memtable, [table('', 'az')])).toBe(false);
  expect(memtableOverlaps(memtable, [table('y', 'z')])).toBe(false);
  expect(memtableOverlaps(memtableOf(), [table('', 'z')])).toBe(false);
});

test('a range tombstone overlaps up to its end, which it does not cover', () => {
  const memtable = memtableOf([KIND_RANGE_DELETE, 'd', 'g']);
  expect(memtableOverlaps(memtable, [table('g', 'k')])).toBe(false);
  expect(memtableOverlaps(memtable, [table('a', 'c')])).toBe(false);
  expect(memtableOverlaps(memtable, [table('a', 'd')])).toBe(true);
  expect(memtableOverlaps(memtable, [table('f', 'k')])).toBe(true);
});

test('it is what comparing every key with every range gives', () => {
  const random = new Random(5);
  for (let round = 0; round < 300; round++) {
    const name = (number: number): string => String(number).padStart(3, '0');
    const keys = Array.from({ length: random.below(12) }, () => name(random.below(200)));
    const bounds = [...new Set(Array.from({ length: 2 * random.below(8) }, () => random.below(200)))].sort(
      (a, b) => a - b,
    );
    const tables: TableRange[] = [];
    for (let i = 0; i + 1 < bounds.length; i += 2) tables.push(table(name(bounds[i]!), name(bounds[i + 1]!)));
    const expected = keys.some((key) =>
      tables.some(
        ({ smallestKey, largestKey }) =>
          compareBytes(bytes(key), smallestKey) >= 0 && compareBytes(bytes(key), largestKey) <= 0,
      ),
    );
    const memtable = memtableOf(...keys.map((key) => [KIND_PUT, key] as const));
    expect(memtableOverlaps(memtable, tables)).toBe(expected);
  }
});
