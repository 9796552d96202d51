import { expect, test } from 'vitest';
import { inRounds, middle } from './rounds.bench.ts';

test('every way runs once a round, the order is reversed every other round, and the first round does not count', async () => {
  const order: string[] = [];
  const results = await inRounds(['a', 'b'], 3, (way) => order.push(way));
  expect(order.join('')).toBe('baabbaab');
  expect(results).toEqual([
    [3, 6, 7],
    [4, 5, 8],
  ]);
});

test('the middle is that of one number of each result', () => {
  expect(middle([{ ns: 5 }, { ns: 1 }, { ns: 2 }], ({ ns }) => ns)).toBe(2);
});
