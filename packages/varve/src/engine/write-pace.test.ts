/** Pacing in a world of its own: a writer that always has more, and reliefs that come when the test says. */
import { describe, expect, test } from 'vitest';
import { Filling, WriteDebt } from './write-pace.ts';

describe('Filling', () => {
  test('spreads the room over a second until a relief was seen, then over the usual time between two', () => {
    const filling = new Filling(1);
    expect(filling.rate(10, 5000, 100)).toBe(5);
    expect(filling.rate(10, 5000, 600)).toBe(5);
    // The level fell 3 s after it began: half of 1 s and 3 s is the usual time now.
    expect(filling.rate(9, 6000, 3100)).toBe(3);
    expect(filling.rate(9, 4000, 3200)).toBe(2);
  });

  test('with haste goes so many times as fast', () => {
    expect(new Filling(4).rate(10, 5000, 100)).toBe(20);
  });

  test('slows down further while no relief comes', () => {
    const filling = new Filling(1);
    expect([0, 500, 1000, 2000, 4000].map((now) => filling.rate(1, 4000, now))).toEqual([4, 4, 4, 2, 1]);
  });

  test('the time without pressure says nothing about reliefs', () => {
    const filling = new Filling(1);
    filling.rate(5, 1000, 0);
    filling.eased(1000);
    expect(filling.rate(4, 1000, 60_000)).toBe(1);
  });

  test('a relief that leaves room enough counts as one, and the time until it is tight again as part of the next', () => {
    const filling = new Filling(1);
    filling.rate(18, 4000, 0);
    filling.eased(3000);
    filling.eased(3500);
    expect(filling.rate(10, 4000, 4000)).toBe(2);
    filling.eased(9000);
    // Half of 2 s and the 6 s between the two.
    expect(filling.rate(10, 4000, 9100)).toBe(1);
  });
});

describe('WriteDebt', () => {
  test('is paid at the rate of the moment, and is nothing without one', () => {
    const debt = new WriteDebt();
    expect(debt.owedMs(10, 0)).toBe(0);
    debt.add(1000);
    expect(debt.owedMs(10, 0)).toBe(100);
    expect(debt.owedMs(10, 60)).toBe(40);
    expect(debt.owedMs(20, 60)).toBe(20);
    expect(debt.owedMs(0, 60)).toBe(Infinity);
    debt.add(1000);
    expect(debt.owedMs(Infinity, 60)).toBe(0);
    expect(debt.owedMs(10, 60)).toBe(0);
  });

  test('one huge write does not keep the next for longer than 200 ms; a rest earns 5 ms', () => {
    const debt = new WriteDebt();
    debt.owedMs(10, 0);
    debt.add(1e9);
    expect(debt.owedMs(10, 0)).toBe(200);
    expect(debt.owedMs(10, 10_000)).toBe(0);
    debt.add(60);
    expect(debt.owedMs(10, 10_000)).toBe(1);
  });
});

/** A writer of 1,000 bytes after the other against `stepMs`: every so often `step` of what is there goes away. */
function overload(
  capacity: number,
  step: number,
  stepMs: number,
  forMs: number,
): { full: boolean; longestMs: number } {
  const filling = new Filling(1);
  const debt = new WriteDebt();
  let used = 0;
  let wroteAt = 0;
  let longestMs = 0;
  let full = false;
  for (let now = 0; now < forMs; now++) {
    if (now % stepMs === stepMs - 1) used = Math.max(0, used - step);
    for (;;) {
      const soft = used < capacity * 0.5;
      if (soft) filling.eased(now);
      const rate = soft ? 1e4 : filling.rate(Math.floor(used / step), capacity - used, now);
      if (debt.owedMs(rate, now) > 0) break;
      debt.add(1000);
      used += 1000;
      longestMs = Math.max(longestMs, now - wroteAt);
      wroteAt = now;
      full ||= used > capacity;
    }
  }
  return { full, longestMs };
}

describe('an endless writer', () => {
  for (const [step, stepMs] of [
    [1e6, 100],
    [1e6, 3000],
    [2e7, 6000],
    [6e7, 12_000],
  ] as const) {
    test(`never meets the stop, and no write waits long, when ${step} bytes go every ${stepMs} ms`, () => {
      const { full, longestMs } = overload(6.4e7, step, stepMs, 120_000);
      expect(full).toBe(false);
      expect(longestMs).toBeLessThan(300);
    });
  }
});
