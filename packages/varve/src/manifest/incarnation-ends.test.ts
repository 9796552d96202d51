import { expect, test } from 'vitest';
import { endOf, incarnationOf, withEnd } from './incarnation-ends.ts';

const ends = withEnd(withEnd(withEnd([], 1, 10), 2, 10), 3, 25);

test('an incarnation that added nothing has no entry, and the end of the one before it', () => {
  expect(ends).toEqual([
    { incarnation: 1, sequence: 10 },
    { incarnation: 3, sequence: 25 },
  ]);
  expect([1, 2, 3].map((incarnation) => endOf(ends, incarnation))).toEqual([10, 10, 25]);
});

test('before the first open there was none', () => {
  expect(withEnd([], 0, 0)).toEqual([]);
  expect(endOf(ends, 0)).toBeUndefined();
});

test('what is lost later is lost for all incarnations before', () => {
  const lost = withEnd(ends, 4, 7);
  expect([1, 2, 3, 4].map((incarnation) => endOf(lost, incarnation))).toEqual([7, 7, 7, 7]);
});

test('a sequence is of the first incarnation that ended behind it', () => {
  expect([0, 10, 11, 25, 26].map((sequence) => incarnationOf(ends, sequence, 9))).toEqual([1, 1, 3, 3, 9]);
});

test('of those in whose log feeds can begin all are kept', () => {
  let many = ends;
  for (let incarnation = 4; incarnation < 400; incarnation++)
    many = withEnd(many, incarnation, incarnation * 100, 5000);
  expect(many[0]).toEqual({ incarnation: 50, sequence: 5000 });
  expect(many).toHaveLength(350);
});

test('else only the newest are kept, and of older ones nothing is said', () => {
  let many = ends;
  for (let incarnation = 4; incarnation < 400; incarnation++)
    many = withEnd(many, incarnation, incarnation * 100);
  expect(many).toHaveLength(256);
  expect(endOf(many, 399)).toBe(39_900);
  expect(endOf(many, 3)).toBeUndefined();
});
