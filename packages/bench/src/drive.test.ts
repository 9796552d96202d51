import { expect, test } from 'vitest';
import { drive } from './drive.ts';
import { Histogram } from './histogram.ts';
import type { Step } from './store.ts';

/** Counts calls; has `available` operations to do. */
function counting(available: number): Step & { done: number } {
  return {
    done: 0,
    run(from, to) {
      expect(from).toBe(this.done);
      const can = Math.min(to, available) - from;
      this.done += can;
      return can;
    },
  };
}

test('every operation runs once, in order, and is counted once in the latencies', async () => {
  for (const clockNs of [0, 1e6]) {
    const step = counting(10_500);
    const latencies = new Histogram();
    const timing = await drive(step, 10_500, 1_000, latencies, clockNs);
    expect(timing.operations).toBe(10_500);
    expect(step.done).toBe(10_500);
    expect(latencies.count).toBe(10_500);
  }
});

test('with a dear clock few operations are timed, with a free one all', async () => {
  expect((await drive(counting(10_000), 10_000, 1_000, new Histogram(), 0)).timed).toBe(10_000);
  expect((await drive(counting(10_000), 10_000, 1_000, new Histogram(), 1e6)).timed).toBe(1_000 + 9 * 4);
});

test.each([0, 1, 999, 1_000, 1_001, 3_333])(
  'a step that ends after %i operations ends the run',
  async (available) => {
    for (const clockNs of [0, 1e6]) {
      const step = counting(available);
      const timing = await drive(step, 10_000, 1_000, new Histogram(), clockNs);
      expect(timing.operations).toBe(available);
      expect(step.done).toBe(available);
    }
  },
);
