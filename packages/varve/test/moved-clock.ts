/** The system's clock and what a test adds to it, in any thread. */
import type { Clock } from 'varve';

export function movedClock(offset: SharedArrayBuffer): Clock {
  const milliseconds = new Int32Array(offset);
  return { now: () => Date.now() + Atomics.load(milliseconds, 0), monotonic: () => performance.now() };
}
