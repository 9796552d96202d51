/**
 * The database's own clock: the system's, but one that never runs back, not when the system's clock is set back and not over
 * a reopening. What expires is judged by it and nothing else (CONTRACT 5).
 *
 * It shows the later of the system's clock and the latest time that it ever showed, in whole milliseconds since 1970. What
 * it showed is on disk in the timestamps of the log and in the manifest (`storedTime`, clock-keeper.ts), from which open
 * raises it. The threads of a shared database raise one word together: what one of them has seen expire has expired for all.
 *
 * One object a thread. `last` never falls; whoever takes `now()` as the time of a job has published it then: a reader who
 * registers and finds `last` still at its own time is seen by every job with a later one (snapshot-register.ts).
 */
import type { Clock } from '../base/clock.ts';

/** Shared memory that a clock takes. */
export const CLOCK_BYTES = 8;

export class StoredClock {
  readonly #clock: Clock;
  #last = 0;
  /** Where the threads of a shared database keep `#last`. */
  #shared: BigInt64Array | undefined;
  /** When `#passed` is to be called; it sets the next time. */
  #mark: number = Number.POSITIVE_INFINITY;
  #passed: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    this.raise(Math.floor(this.#clock.now()));
    const last = this.#last;
    if (last >= this.#mark) {
      this.#mark = Number.POSITIVE_INFINITY;
      this.#passed();
    }
    return last;
  }

  /** The latest time that was shown. */
  get last(): number {
    return this.#shared === undefined ? this.#last : Number(Atomics.load(this.#shared, 0));
  }

  /** It is at least `time`; what is no time leaves it as it is, as one that once was endless would stay so for good. */
  raise(time: number): void {
    if (!Number.isSafeInteger(time)) return;
    const shared = this.#shared;
    if (shared === undefined) {
      if (time > this.#last) this.#last = time;
      return;
    }
    let last = Number(Atomics.load(shared, 0));
    while (time > last) {
      const seen = Number(Atomics.compareExchange(shared, 0, BigInt(last), BigInt(time)));
      last = seen === last ? time : seen;
    }
    this.#last = last;
  }

  /** Calls `passed` once when the clock is asked and shows `time` or more. */
  callAt(time: number, passed: () => void): void {
    this.#mark = time;
    this.#passed = passed;
  }

  /** Other threads show and raise the same time from now on. */
  share(memory: SharedArrayBuffer): void {
    const last = this.#last;
    this.#shared = new BigInt64Array(memory);
    this.raise(last);
  }
}
