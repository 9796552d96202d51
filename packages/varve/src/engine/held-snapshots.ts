/**
 * The snapshots that this thread has open, with who made them: for `db.stats()`, and for telling who has lost one.
 *
 * Holds what is known of a snapshot and not the snapshot itself, or a lost one would never be found lost. A stack costs some
 * microseconds, so of many snapshots a second only the first get one; who loses snapshots does it more than once.
 */
import type { Clock } from '../base/clock.ts';

export interface HeldSnapshot {
  readonly sequence: number;
  /** Monotonic milliseconds. */
  readonly since: number;
  /** Where it was made; undefined when many were made in that second. */
  readonly stack: string | undefined;
}

/** A snapshot as `db.stats()` shows it. */
export interface HeldSnapshotStats {
  sequence: number;
  ageMs: number;
  /** Batches written since, of which the old versions are kept for it. */
  batchesSince: number;
  /** Where it was made, a frame a line; left out when more than STACKS_A_SECOND were made in that second. */
  stack?: string;
}

const STACKS_A_SECOND = 200;
const FRAMES = 8;
const SHOWN_MAX = 100;
const SECOND_MS = 1000;

export class HeldSnapshots {
  readonly #clock: Clock;
  /** In the order in which they were made. */
  readonly #held = new Set<HeldSnapshot>();
  #second = 0;
  #stacks = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param made its caller is where the stack begins */
  add(sequence: number, made: (...args: never[]) => unknown): HeldSnapshot {
    const since = this.#clock.monotonic();
    const held = { sequence, since, stack: this.#mayTrace(since) ? stackOf(made) : undefined };
    this.#held.add(held);
    return held;
  }

  remove(held: HeldSnapshot): void {
    this.#held.delete(held);
  }

  /** The oldest, oldest first. */
  stats(visible: number): HeldSnapshotStats[] {
    const now = this.#clock.monotonic();
    return [...this.#held].slice(0, SHOWN_MAX).map(({ sequence, since, stack }) => ({
      sequence,
      ageMs: now - since,
      batchesSince: visible - sequence,
      ...(stack === undefined ? {} : { stack }),
    }));
  }

  #mayTrace(now: number): boolean {
    if (now - this.#second >= SECOND_MS) {
      this.#second = now;
      this.#stacks = 0;
    }
    return this.#stacks++ < STACKS_A_SECOND;
  }
}

function stackOf(made: (...args: never[]) => unknown): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const trace = { stack: '' };
  Error.captureStackTrace(trace, made);
  Error.stackTraceLimit = before;
  // As text at once: frames that are kept would keep what they were called on.
  return trace.stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .join('\n');
}
