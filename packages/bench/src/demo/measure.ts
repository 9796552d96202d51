/**
 * Times one step of the demo: how many operations, how long together, and how long single ones took.
 * Where a step is nothing but operations, it is timed as a whole, and one operation in eight by itself, so that the
 * clock does not slow down what it measures.
 */
import { Histogram } from '../histogram.ts';

const TIMED_EVERY = 8;

export class Measure {
  readonly name: string;
  /** Latencies of the operations timed by themselves; empty for a scan, which is only timed as a whole. */
  readonly latencies: Histogram = new Histogram();
  operations = 0;
  seconds = 0;

  constructor(name: string) {
    this.name = name;
  }

  get perSecond(): number {
    return this.operations / this.seconds;
  }
}

/** Runs one operation, counts it, and in one of eight calls records how long it took. */
export function timed<T>(measure: Measure, operation: () => T): T {
  if (measure.operations++ % TIMED_EVERY !== 0) return operation();
  const start = performance.now();
  const result = operation();
  measure.latencies.record((performance.now() - start) * 1e6);
  return result;
}

/** Runs one operation of a step that does much else, and counts only the operation's own time. */
export function timedAlone<T>(measure: Measure, operation: () => T): T {
  const start = performance.now();
  const result = operation();
  const ms = performance.now() - start;
  measure.latencies.record(ms * 1e6);
  measure.seconds += ms / 1000;
  measure.operations++;
  return result;
}

/** Runs a whole step and records how long it took. */
export async function timedStep<T>(measure: Measure, step: () => Promise<T> | T): Promise<T> {
  const start = performance.now();
  const result = await step();
  measure.seconds += (performance.now() - start) / 1000;
  return result;
}
