/**
 * Time in the hands of a test: a clock that stands still, and tasks that run when the test says so, in order.
 */
import type { Clock, Database, DatabaseOptions } from 'varve';
import { type Components, openSimulated, type Scheduler, type Timer } from 'varve/testing';

interface Task {
  readonly run: () => void;
  readonly due: number;
}

export class ManualScheduler implements Scheduler {
  #now = 1_000;
  #tasks: Task[] = [];

  readonly clock: Clock = {
    now: () => 1_700_000_000_000 + this.#now,
    monotonic: () => this.#now,
  };

  /** Tasks that wait for their time. */
  get pending(): number {
    return this.#tasks.length;
  }

  soon(task: () => void): void {
    this.#tasks.push({ run: task, due: this.#now });
  }

  after(ms: number, task: () => void): Timer {
    const entry = { run: task, due: this.#now + ms };
    this.#tasks.push(entry);
    return { cancel: () => void (this.#tasks = this.#tasks.filter((other) => other !== entry)) };
  }

  /** One turn of the event loop: microtasks, then the tasks that are due now, but not those that they add. */
  async turn(): Promise<void> {
    await microtasks();
    const due = this.#tasks.filter((task) => task.due <= this.#now);
    for (const task of due) {
      if (!this.#tasks.includes(task)) continue;
      this.#tasks = this.#tasks.filter((other) => other !== task);
      task.run();
      await microtasks();
    }
  }

  /** Turns until nothing is due any more. */
  async settle(): Promise<void> {
    await microtasks();
    while (this.#tasks.some((task) => task.due <= this.#now)) await this.turn();
  }

  /** Moves the clock forward, running what becomes due on the way at its time. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (;;) {
      const next = Math.min(...this.#tasks.map((task) => task.due));
      if (next > end) break;
      this.#now = next;
      await this.settle();
    }
    this.#now = end;
  }

  /** The result of a promise that needs turns and time to settle. */
  async run<T>(promise: Promise<T>, msMax = 60_000): Promise<T> {
    let isPending = true;
    const settled = (): void => void (isPending = false);
    promise.then(settled, settled);
    const end = this.#now + msMax;
    await this.settle();
    while (isPending) {
      const next = Math.min(...this.#tasks.map((task) => task.due));
      if (next > end)
        throw new Error('the promise is pending, and nothing is scheduled that could settle it');
      this.#now = Math.max(this.#now, next);
      await this.settle();
    }
    return promise;
  }

  /** A database whose time this is. */
  open(path: string, options: DatabaseOptions, components: Components = {}): Promise<Database> {
    return openSimulated(path, { clock: this.clock, ...options }, { scheduler: this, ...components });
  }
}

/** Lets every promise that can settle do so. */
async function microtasks(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
