import { expect, test } from 'vitest';
import { DeadRanges } from './dead-ranges.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const found = (ranges: DeadRanges, key: string, sequence: number, time = 0): string | undefined => {
  const bytes = bytesOf(key);
  const range = ranges.find(bytes, 0, bytes.length, sequence, time);
  if (range === undefined) return undefined;
  const text = (key: Uint8Array | undefined): string =>
    key === undefined ? 'end' : new TextDecoder().decode(key);
  return `${text(range.from)}-${text(range.to)}`;
};

test('a range is there for its keys, and for readers that are late enough', () => {
  const ranges = new DeadRanges(() => 7);
  ranges.add(bytesOf('c'), bytesOf('k'), 7, 50);
  expect(['b', 'c', 'j', 'k'].map((key) => found(ranges, key, 7, 50))).toEqual([
    undefined,
    'c-k',
    'c-k',
    undefined,
  ]);
  expect(found(ranges, 'd', 6, 50)).toBeUndefined();
  expect(found(ranges, 'd', 9, 49)).toBeUndefined();
  expect(found(ranges, 'd', 9, 60)).toBe('c-k');
});

test('what a reader found is not kept when something was written since it began', () => {
  const ranges = new DeadRanges(() => 8);
  ranges.add(bytesOf('c'), bytesOf('k'), 7, 0);
  expect(ranges.isEmpty).toBe(true);
});

test('ranges that meet or overlap become one, for readers late enough for both', () => {
  let visible = 5;
  const ranges = new DeadRanges(() => visible);
  ranges.add(bytesOf('c'), bytesOf('f'), 5, 0);
  ranges.add(bytesOf('x'), undefined, 5, 0);
  visible = 6;
  ranges.add(bytesOf('f'), bytesOf('m'), 6, 0);
  expect(found(ranges, 'd', 6)).toBe('c-m');
  expect(found(ranges, 'd', 5)).toBeUndefined();
  expect(found(ranges, 'z', 5)).toBe('x-end');
  ranges.add(bytesOf('k'), undefined, 6, 0);
  expect(found(ranges, 'd', 6)).toBe('c-end');
});

test('a put takes the range away that it falls into, and no other', () => {
  const ranges = new DeadRanges(() => 5);
  ranges.add(bytesOf('c'), bytesOf('f'), 5, 0);
  ranges.add(bytesOf('m'), bytesOf('p'), 5, 0);
  for (const key of ['b', 'f', 'l']) ranges.wrote(bytesOf(key), 0, 1);
  expect([found(ranges, 'd', 5), found(ranges, 'n', 5)]).toEqual(['c-f', 'm-p']);
  ranges.wrote(bytesOf('d'), 0, 1);
  expect([found(ranges, 'd', 5), found(ranges, 'n', 5)]).toEqual([undefined, 'm-p']);
});

test('memory is bounded: the newest stay', () => {
  const ranges = new DeadRanges(() => 5);
  for (let i = 0; i < 100; i++) ranges.add(Uint8Array.of(2 * i), Uint8Array.of(2 * i + 1), 5, 0);
  const has = (i: number): boolean => ranges.find(Uint8Array.of(2 * i), 0, 1, 5, 0) !== undefined;
  expect([has(0), has(35), has(36), has(99)]).toEqual([false, false, true, true]);
});

test('what a snapshot of an earlier time found does not carry back what had expired only later', () => {
  const ranges = new DeadRanges(() => 7);
  // Expired by 50, and next to it something deleted, found by a snapshot whose time is 10.
  ranges.add(bytesOf('c'), bytesOf('k'), 7, 50);
  ranges.add(bytesOf('k'), bytesOf('p'), 7, 10);
  expect(found(ranges, 'd', 7, 10)).toBeUndefined();
  expect(found(ranges, 'd', 7, 50)).toBe('c-p');
});
