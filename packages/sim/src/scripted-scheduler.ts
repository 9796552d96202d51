/**
 * Time and order in the hands of a seed: a clock that moves only when told to, and a scheduler whose deferred tasks run
 * one at a time, each time a random one of those that could run now.
 */
import type { Random, Scheduler, Timer } from 'varve/testing';

interface Task {
  readonly run: () => void;
  readonly due: number;
  cancelled: boolean;
}

export class ScriptedScheduler implements Scheduler {
  readonly #random: Random;
  #tasks: Task[] = [];
  #now = 1_000_000;

  /** What the wall clock shows more than the other. */
  #offset: number;

  /** @param wall milliseconds since 1970 at the beginning */
  constructor(random: Random, wall = 1_700_001_000_000) {
    this.#random = random;
    this.#offset = wall - this.#now;
  }

  readonly clock: { now(): number; monotonic(): number } = {
    now: () => Math.floor(this.#offset + this.#now),
    monotonic: () => this.#now,
  };

  soon(task: () => void): void {
    this.#tasks.push({ run: task, due: this.#now, cancelled: false });
  }

  after(ms: number, task: () => void): Timer {
    const entry: Task = { run: task, due: this.#now + ms, cancelled: false };
    this.#tasks.push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  }

  /** Runs one task that is due; false when none is. */
  step(): boolean {
    this.#tasks = this.#tasks.filter((task) => !task.cancelled);
    const due = this.#tasks.filter((task) => task.due <= this.#now);
    if (due.length === 0) return false;
    const task = this.#random.pick(due);
    this.#tasks.splice(this.#tasks.indexOf(task), 1);
    this.#now += 0.01;
    task.run();
    return true;
  }

  /** Somebody sets the wall clock. */
  setWall(by: number): void {
    this.#offset += by;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  /** Moves the clock to the next timer; false when nothing is scheduled. */
  skipToNext(): boolean {
    let next = Number.POSITIVE_INFINITY;
    for (const task of this.#tasks) if (!task.cancelled) next = Math.min(next, task.due);
    if (next === Number.POSITIVE_INFINITY) return false;
    this.#now = Math.max(this.#now, next);
    return true;
  }
}
