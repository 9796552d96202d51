/**
 * How urgent a job thread is to the scheduler of the system: background work takes the processors that foreground threads leave,
 * where there are fewer processors than threads. On Linux, which has a priority a thread; elsewhere all are equal.
 */
import { setPriority } from 'node:os';
import { threadNumber } from '../runtime/thread-number.ts';

/** Makes the calling thread less urgent: 0 as it is, up to 19 the least. What the system refuses is left. */
export function lowerPriority(niceness: number): void {
  if (niceness === 0 || process.platform !== 'linux') return;
  try {
    setPriority(threadNumber(), niceness);
  } catch {
    // It runs as it would without.
  }
}
