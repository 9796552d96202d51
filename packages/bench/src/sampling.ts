/**
 * How often an operation is timed: a clock costs tens of nanoseconds, which is nothing beside a put and as much as
 * a cursor's step. Every operation is timed while the two clock readings cost at most a twentieth of it; otherwise one
 * in 16, or one in 256, each counted for the operations it stands for.
 */

const INTERVALS = [1, 16, 256] as const;
const SHARE_MAX = 0.05;
const READINGS = 20_000;

/** The smallest interval at which timing costs at most 5 % of operations of `operationNs`. */
export function samplingInterval(operationNs: number, clockNs: number): number {
  for (const interval of INTERVALS) {
    if ((2 * clockNs) / interval <= SHARE_MAX * operationNs) return interval;
  }
  return INTERVALS[INTERVALS.length - 1]!;
}

/** Nanoseconds that one reading of `performance.now()` takes here: the best of ten rounds, the first of them a warm-up. */
export function measureClock(): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    const start = performance.now();
    let last = start;
    for (let i = 0; i < READINGS; i++) last = performance.now();
    best = Math.min(best, ((last - start) * 1e6) / READINGS);
  }
  return best;
}
