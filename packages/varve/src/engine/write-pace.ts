/**
 * How fast writes may go on while something fills up: memtable memory, or level 0. The room that is left is spread over the
 * time until the next relief (an installed flush, a compaction of level 0). So writes slow down evenly and do not run into
 * the stop, where each would wait for as long as a whole compaction takes.
 *
 *   rate = haste * room / max(usual time between two reliefs, time since the last one)
 *
 * A haste above 1 uses more of the room before the relief is due, for what is relieved often: meeting the stop is short then.
 * While no relief comes, the room shrinks ever more slowly and is never used up; in the long run it settles where one
 * relief frees what is written until the next. No rate of the disk has to be guessed.
 */

/** Taken as the usual time before any was seen. */
const FIRST_MS = 1000;
const LEAST_MS = 1;

/** One thing that fills up. */
export class Filling {
  #usualMs = FIRST_MS;
  /** When the last relief was, or when it got tight after a calm time. */
  #since = Number.NEGATIVE_INFINITY;
  #level = 0;
  #isTight = false;
  readonly #haste: number;

  constructor(haste: number) {
    this.#haste = haste;
  }

  /** There is room enough: after a time in which there was not, that is the relief. */
  eased(now: number): void {
    if (!this.#isTight) return;
    this.#isTight = false;
    this.#relieved(now);
  }

  /**
   * Bytes a millisecond that may be written.
   * @param level how full it is, in any unit: when it has fallen, that was a relief
   * @param room bytes that are left
   * @param now milliseconds
   */
  rate(level: number, room: number, now: number): number {
    if (!this.#isTight) {
      this.#isTight = true;
      // A calm that is longer than the time between two reliefs says nothing about that.
      if (now - this.#since > this.#usualMs) this.#since = now;
    } else if (level < this.#level) this.#relieved(now);
    this.#level = level;
    return (this.#haste * room) / Math.max(this.#usualMs, now - this.#since);
  }

  #relieved(now: number): void {
    this.#usualMs = Math.max(LEAST_MS, (this.#usualMs + now - this.#since) / 2);
    this.#since = now;
  }
}

/** What may be written ahead of the rate, so that a late timer does not cost throughput. */
const BURST_MS = 5;
/** A write waits at most so long for what was written just before it, however much that was. */
const DEBT_MS_MAX = 200;

/** What was written and is not yet paid for at the rate of the moment. */
export class WriteDebt {
  #bytes = 0;
  #at = 0;

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Milliseconds until the next write may go, at `rate` bytes a millisecond; none at Infinity, Infinity at 0. */
  owedMs(rate: number, now: number): number {
    const passed = now - this.#at;
    this.#at = now;
    if (rate === Number.POSITIVE_INFINITY || rate <= 0) {
      this.#bytes = 0;
      return rate > 0 ? 0 : Number.POSITIVE_INFINITY;
    }
    this.#bytes = Math.min(rate * DEBT_MS_MAX, Math.max(-rate * BURST_MS, this.#bytes - rate * passed));
    return Math.max(0, this.#bytes / rate);
  }
}
