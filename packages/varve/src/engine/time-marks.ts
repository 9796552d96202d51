/**
 * Sampled pairs of (time, sequence): what reads of the past and retention by time will look up (CONTRACT 5).
 *
 * At most one a second, monotonic in both, taken when an edit is made; marks that were not stored yet go with the next one.
 */
import type { TimeMark } from '../manifest/version-edit.ts';

const SPACING_MS = 1000;

export class TimeMarks {
  readonly #enabled: boolean;
  #lastTime = 0;
  #pending: TimeMark[] = [];

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  /** Notes that `sequence` was current at `time`. */
  sample(time: number, sequence: number): void {
    if (!this.#enabled || time < this.#lastTime + SPACING_MS) return;
    this.#lastTime = time;
    this.#pending.push({ time, sequence });
  }

  /** The marks since the last call, for an edit to store. */
  take(): TimeMark[] {
    return this.#pending.splice(0);
  }
}
