import { expect, test } from 'vitest';
import { Random } from './random.ts';

test('the first values of a seed are fixed: a seed must replay a run forever', () => {
  const first = (seed: number): number[] => {
    const random = new Random(seed);
    return [random.u32(), random.u32(), random.u32(), random.u32()];
  };
  expect(first(0)).toEqual([2899526011, 769844623, 220372281, 4270301181]);
  expect(first(1)).toEqual([2420951833, 2513034076, 3847892949, 4064752930]);
  expect(first(42)).toEqual([1959603763, 2423114712, 2466933512, 4144396390]);
  expect(first(-1)).toEqual([2300869303, 3917632794, 3726809994, 1136427174]);
});

test('neighbouring seeds share nothing', () => {
  const seen = new Set<number>();
  for (let seed = 0; seed < 1000; seed++) seen.add(new Random(seed).u32());
  expect(seen.size).toBe(1000);
});

test('below is even over its range and never reaches the bound', () => {
  const random = new Random(9);
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < 70_000; i++) counts[random.below(7)]!++;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  for (let i = 0; i < 100; i++) expect(random.below(1)).toBe(0);
  for (let i = 0; i < 1000; i++) expect(random.below(2 ** 32)).toBeLessThan(2 ** 32);
});

test('fraction, oneIn and pick follow from it', () => {
  const random = new Random(10);
  let sum = 0;
  let hits = 0;
  const picked = new Set<string>();
  for (let i = 0; i < 10_000; i++) {
    const fraction = random.fraction();
    expect(fraction >= 0 && fraction < 1).toBe(true);
    sum += fraction;
    if (random.oneIn(4)) hits++;
    picked.add(random.pick(['a', 'b', 'c']));
  }
  expect(Math.abs(sum - 5000)).toBeLessThan(150);
  expect(Math.abs(hits - 2500)).toBeLessThan(200);
  expect(picked).toEqual(new Set(['a', 'b', 'c']));
});
