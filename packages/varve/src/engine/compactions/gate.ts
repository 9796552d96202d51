/**
 * Whether a compaction may start now: pause and resume, and windows of the day outside of which only what keeps writes going
 * is done. What runs already is not stopped by either.
 */
import type { CompactionPlan } from '../../compaction/plan.ts';

/** A part of the day in local time, as minutes from midnight; `to` below `from` runs over midnight. */
export interface DayWindow {
  readonly from: number;
  readonly to: number;
}

/** The thread that opened the database. */
const OWNER = 'owner';
const DAY_MINUTES = 24 * 60;
const MINUTE_MS = 60_000;
/** From this urgency on a compaction is not put off: level 0 is filling up, or a level is at twice its size. */
const URGENT_SCORE = 2;

export class Gate {
  readonly #windows: readonly DayWindow[];
  /** How many, by who has made them. */
  readonly #pauses = new Map<string, number>();

  constructor(windows: readonly DayWindow[]) {
    this.#windows = windows;
  }

  get isPaused(): boolean {
    return this.#pauses.size > 0;
  }

  /** Each pause needs its own resume. */
  pause(by: string = OWNER): void {
    this.#pauses.set(by, (this.#pauses.get(by) ?? 0) + 1);
  }

  /** Ends a pause: one of `by`, or of somebody else when that has none. */
  resume(by: string = OWNER): void {
    const [of] = this.#pauses.has(by) ? [by] : this.#pauses.keys();
    if (of === undefined) return;
    const left = this.#pauses.get(of)! - 1;
    if (left === 0) this.#pauses.delete(of);
    else this.#pauses.set(of, left);
  }

  /** Ends all pauses of one who is gone. */
  release(by: string): void {
    this.#pauses.delete(by);
  }

  /** @param now milliseconds since 1970 */
  lets(plan: Pick<CompactionPlan, 'kind' | 'reason' | 'score'>, now: number): boolean {
    if (this.isPaused) return false;
    return plan.kind !== 'merge' || isUrgent(plan) || this.isOpen(now);
  }

  /** Milliseconds until the next window begins. */
  opensInMs(now: number): number {
    const date = new Date(now);
    const passedMs = date.getSeconds() * 1000 + date.getMilliseconds();
    const minute = date.getHours() * 60 + date.getMinutes();
    const minutes = this.#windows.map(({ from }) =>
      from > minute ? from - minute : from - minute + DAY_MINUTES,
    );
    return Math.min(...minutes) * MINUTE_MS - passedMs;
  }

  /** Is it the time of day for work that can wait? */
  isOpen(now: number): boolean {
    if (this.#windows.length === 0) return true;
    const date = new Date(now);
    const minute = date.getHours() * 60 + date.getMinutes();
    return this.#windows.some(({ from, to }) =>
      from <= to ? minute >= from && minute < to : minute >= from || minute < to,
    );
  }
}

/** Must it run, or writes will wait? */
export function isUrgent({ reason, score }: Pick<CompactionPlan, 'reason' | 'score'>): boolean {
  return reason === 'level0-files' || score >= URGENT_SCORE;
}

/** What keeps writes going comes first, then what is further beyond its limit. */
export function isBefore(a: CompactionPlan, b: CompactionPlan): boolean {
  if (isUrgent(a) !== isUrgent(b)) return isUrgent(a);
  return a.score > b.score;
}
