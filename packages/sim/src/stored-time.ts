/**
 * The database's clock as the simulation holds it against what is promised: it never runs back and is never behind the
 * system's; after a reopening it is at least where the life before has stored it for sure.
 */
import type { Database } from 'varve';
import { Violation } from './check.ts';
import type { Model, Point } from './model.ts';

export class StoredTime {
  /** What it showed last, in any life. */
  #last = 0;
  /** The next life must find at least this. */
  #promised = 0;
  /** This life has met entries that expire: a clean close stores where the clock stands. */
  #matters = false;
  /** Batches of this life whose time is stored with them. */
  #written: Point[] = [];

  get last(): number {
    return this.#last;
  }

  /** What the clock shows now. */
  now(db: Database, wall: number): number {
    const { timeMs } = db.stats();
    if (timeMs < this.#last) throw new Violation(`the clock ran back from ${this.#last} to ${timeMs}`);
    if (timeMs < wall) throw new Violation(`the clock shows ${timeMs} when it is ${wall}`);
    this.#last = timeMs;
    return timeMs;
  }

  /** A point that sees everything now. */
  point(db: Database, wall: number, model: Model): Point {
    return { sequence: model.latest, time: this.now(db, wall) };
  }

  /** A database was opened: its clock may be behind what was shown of it before, but not behind what was promised. */
  opened(db: Database, wall: number): void {
    const { timeMs, sequence } = db.stats();
    const newest = this.#written.findLast((each) => each.sequence <= sequence)?.time ?? 0;
    const least = Math.max(this.#promised, newest);
    if (timeMs < least) {
      throw new Violation(`opened with the clock at ${timeMs}, which had been stored at ${least}`);
    }
    this.#last = 0;
    this.#matters = false;
    this.#written = [];
    // The manifest of this open has it.
    this.#promised = this.now(db, wall);
  }

  /** A batch was written, with its time in the log when that has timestamps. */
  wrote({ sequence, time }: Point, expires: boolean, hasTimestamps: boolean): void {
    if (expires) this.#matters = true;
    if (hasTimestamps) this.#written.push({ sequence, time });
  }

  closed(): void {
    if (this.#matters) this.#promised = Math.max(this.#promised, this.#last);
  }
}

/** What time it is for the database and on the machine. */
export interface Times {
  readonly time: StoredTime;
  /** Milliseconds since 1970 when the life begins. */
  readonly wall: number;
}
