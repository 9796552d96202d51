import { expect, test } from 'vitest';
import { Random } from '../../base/random.ts';
import { LatestCovers, NOT_COVERED } from './latest-covers.ts';

test('of range deletes the last over a key is found', () => {
  const random = new Random(5);
  for (let round = 0; round < 300; round++) {
    const covers = new LatestCovers();
    const latest = new Array<number>(40).fill(NOT_COVERED);
    for (let number = 0; number < 30; number++) {
      const from = random.below(40);
      const to = random.below(41);
      covers.add(Uint8Array.of(from), Uint8Array.of(to), number);
      for (let key = from; key < to; key++) latest[key] = number;
      expect(latest.map((_, key) => covers.over(Uint8Array.of(key)))).toEqual(latest);
    }
    expect(covers.over(new Uint8Array(0))).toBe(NOT_COVERED);
    expect(covers.over(Uint8Array.of(40))).toBe(NOT_COVERED);
  }
});
