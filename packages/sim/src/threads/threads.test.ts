/**
 * A short slice of what `npm run sim -- threads` does, and the history that it stands on.
 */
import { expect, test } from 'vitest';
import { apply, emptyModel, operationAt, type RangeModel } from './history.ts';
import { runKills, runSessions } from './rounds.ts';

test('threads that share a database lose nothing when others of them are terminated', async () => {
  const counts = await runSessions(7, 4, 2, false);
  expect(counts.terminations).toBe(4);
  expect(counts.operations).toBeGreaterThan(0);
}, 120_000);

test('what threads were promised is there after their process was killed', async () => {
  const counts = await runKills(7, 1, 2, false);
  expect(counts.kills).toBe(1);
}, 120_000);

test('the history of a life is the same every time, and another one in another life', () => {
  const after = (life: number): RangeModel => {
    const model = emptyModel();
    for (let i = 0; i < 500; i++) apply(model, operationAt(1, life, 0, i));
    return model;
  };
  expect(after(1)).toEqual(after(1));
  expect(after(1)).not.toEqual(after(2));
});
