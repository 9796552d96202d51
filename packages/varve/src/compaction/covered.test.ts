/** From when on range tombstones cover all of a span of keys. */
import { expect, test } from 'vitest';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { bytesOfText } from '../manifest/samples.suite.ts';
import { coverOfSpan } from './covered.ts';

const tombstones = (...of: readonly [start: string, end: string, sequence: number][]): FragmentedTombstones =>
  FragmentedTombstones.build(
    of.map(([start, end, sequence]) => ({ start: bytesOfText(start), end: bytesOfText(end), sequence })),
  );

const span = { smallestKey: bytesOfText('b'), largestKey: bytesOfText('k'), largestExclusive: false };

test('a reader between the tombstones of two parts still sees one of them: the later counts', () => {
  // With 9 for the whole, a reader at 10 would be taken to see nothing, and misses what lies from f on.
  expect(coverOfSpan(tombstones(['a', 'f', 9], ['f', 'z', 12]), span, 5)).toBe(12);
});

test('of several over one part the first that is late enough counts', () => {
  expect(coverOfSpan(tombstones(['a', 'z', 3], ['a', 'z', 8], ['a', 'z', 20]), span, 5)).toBe(8);
});

test('a gap, or a part with early ones only, is no cover', () => {
  expect(coverOfSpan(tombstones(['a', 'f', 9], ['g', 'z', 12]), span, 5)).toBe(0);
  expect(coverOfSpan(tombstones(['a', 'f', 9], ['f', 'z', 4]), span, 5)).toBe(0);
  expect(coverOfSpan(tombstones(['a', 'k', 9]), span, 5)).toBe(0);
});
