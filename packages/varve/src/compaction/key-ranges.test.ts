import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { KeyRanges, OverlapMeter, type SizedBounds } from './key-ranges.ts';

const bytes = (n: number): Uint8Array => Uint8Array.of(n);
const range = (low: number, high: number, largestExclusive = false, size = 10): SizedBounds => ({
  smallestKey: bytes(low),
  largestKey: bytes(high),
  largestExclusive,
  bytes: size,
});

describe('key ranges', () => {
  test('answer like the list they were built from', () => {
    const random = new Random(51);
    for (let round = 0; round < 300; round++) {
      const ranges = Array.from({ length: random.below(8) }, () => {
        const low = random.below(60);
        return range(low, low + 1 + random.below(12), random.oneIn(2));
      });
      const holds = (key: number): boolean =>
        ranges.some((r) => {
          const high = r.largestKey[0]!;
          return r.smallestKey[0]! <= key && (r.largestExclusive ? key < high : key <= high);
        });
      const united = new KeyRanges(ranges);
      for (let key = 0; key < 80; key += 1 + random.below(3)) {
        expect(united.contains(bytes(key), 0, 1)).toBe(holds(key));
      }
      for (let i = 0; i < 20; i++) {
        const from = random.below(70);
        const to = from + 1 + random.below(6);
        let expected = false;
        for (let key = from; key < to; key++) expected ||= holds(key);
        expect(united.overlaps(bytes(from), bytes(to))).toBe(expected);
      }
    }
  });
});

describe('the overlap meter', () => {
  test('asks for a cut once the keys have gone past more than the allowed bytes', () => {
    const files = [range(0, 9), range(10, 19), range(20, 29), range(30, 39), range(40, 49)];
    const meter = new OverlapMeter(files, 15);
    const cuts: number[] = [];
    for (let key = 5; key < 50; key++) if (meter.cutsBefore(bytes(key), 0, 1)) cuts.push(key);
    expect(cuts).toEqual([20, 40]);
  });

  test('does not count files before the first key', () => {
    const meter = new OverlapMeter([range(0, 9), range(10, 19)], 5);
    expect(meter.cutsBefore(bytes(30), 0, 1)).toBe(false);
  });
});
