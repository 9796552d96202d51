/** The owner's end of reads of the past: what it holds for a thread until that has registered, or has died. */
import { expect, test } from 'vitest';
import type { Core } from '../core.ts';
import { answerPast } from './attached-past.ts';

test('what is held for a thread is let go of once, by the thread or after a while, and no timer stays behind', () => {
  const point = { sequence: 5, time: 1000 };
  const timers = new Set<() => void>();
  let registered = 0;
  const answers = answerPast({
    past: { at: () => (registered++, point) },
    register: { remove: () => registered-- },
    scheduler: {
      after: (_ms: number, task: () => void) => {
        timers.add(task);
        return { cancel: () => timers.delete(task) };
      },
    },
  } as unknown as Core) as unknown as {
    pastAt(target: number): { hold: number };
    pastTaken(hold: number): void;
  };
  const taken = answers.pastAt(5);
  answers.pastAt(5);
  expect([registered, timers.size]).toEqual([2, 2]);
  answers.pastTaken(taken.hold);
  answers.pastTaken(taken.hold);
  expect([registered, timers.size]).toEqual([1, 1]);
  for (const task of timers) task();
  expect(registered).toBe(0);
});
