/**
 * The threads of a session that write: starting them, waiting for them, and what they have said when something was wrong.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { DatabaseStats, ShareHandle } from 'varve';
import type { SharedWords } from 'varve/testing';
import { Violation } from '../check.ts';
import { programEntry } from '../program-entry.ts';
import { ACKED, Board, BUSY, Life, PHASE, PHASE_ATTACHED, PHASE_ENDED, STARTED } from './board.ts';
import type { RangeModel } from './history.ts';
import type { WriterEnd, WriterInput } from './writer.worker.ts';

/** How long anything may take before it counts as hanging. The machine may be busy with other things. */
export const WATCHDOG_MS = 30_000;

export interface Running {
  readonly worker: Worker;
  readonly threadId: number;
  readonly number: number;
  readonly range: number;
  readonly life: Life;
  readonly base: RangeModel;
  readonly exited: Promise<unknown>;
  end: WriterEnd | undefined;
}

export interface WritersParts {
  readonly handle: ShareHandle;
  readonly words: SharedWords;
  readonly seed: number;
  readonly ranges: number;
  readonly firstLife: number;
  /** For messages. */
  stats(): DatabaseStats;
}

export class Writers {
  readonly board: Board = new Board();
  /** By range. */
  readonly running: Running[] = [];
  /** From the end of the database on. */
  mayRefuse = false;
  nextLife: number;
  readonly #parts: WritersParts;
  #violation: string | undefined;

  constructor(parts: WritersParts) {
    this.#parts = parts;
    this.nextLife = parts.firstLife;
  }

  async terminateAll(): Promise<void> {
    await Promise.all(this.running.map(({ worker }) => worker.terminate()));
  }

  /** A thread for a range, which holds `base`. */
  start(range: number, base: RangeModel): void {
    const life = new Life();
    const number = this.nextLife++;
    const input: WriterInput = {
      handle: this.#parts.handle,
      seed: this.#parts.seed,
      life: number,
      range,
      ranges: this.#parts.ranges,
      model: base,
      lifeMemory: life.memory,
      board: this.board.memory,
      journal: undefined,
    };
    const entry = programEntry('./writer.worker', import.meta.url);
    const worker = new Worker(entry.path, { workerData: input, execArgv: [...entry.execArgv] });
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    const { threadId } = worker;
    const running: Running = { worker, threadId, number, range, life, base, exited, end: undefined };
    worker.on('message', (end: WriterEnd) => {
      running.end = end;
      if (end.ended === 'violation') this.#violation ??= end.message;
      else if (end.ended === 'refused' && !this.mayRefuse)
        this.#violation ??= `life ${number} was refused with ${end.code}`;
    });
    worker.on('error', (error) => (this.#violation ??= `life ${number}: ${error.stack ?? String(error)}`));
    this.running[range] = running;
  }

  others(victim: Running): Map<Running, number> {
    const others = new Map<Running, number>();
    for (const running of this.running) {
      if (running === victim || running.life.get(PHASE) !== PHASE_ATTACHED) continue;
      others.set(running, running.life.get(ACKED));
    }
    return others;
  }

  /** Everybody else has acknowledged more since. */
  async goOn(others: Map<Running, number>): Promise<void> {
    for (const [running, acked] of others) {
      await this.until(
        () => running.life.get(ACKED) > acked || running.life.get(PHASE) === PHASE_ENDED,
        () => `life ${running.number} stands still at operation ${acked} after another one's death`,
      );
    }
  }

  async attached(running: Running): Promise<void> {
    await this.until(
      () => running.life.get(PHASE) !== 0 && running.life.get(ACKED) > 0,
      () => `life ${running.number} does not begin`,
    );
  }

  async until(holds: () => boolean, otherwise: () => string): Promise<void> {
    const until = performance.now() + WATCHDOG_MS;
    while (!holds()) {
      this.check();
      if (performance.now() > until) throw new Violation(`${otherwise()}; ${this.#state()}`);
      await sleep(1);
    }
    this.check();
  }

  check(): void {
    if (this.#violation !== undefined) throw new Violation(this.#violation);
  }

  /** For messages. */
  #state(): string {
    const { words } = this.#parts;
    const lives = this.running.map(
      (each) =>
        `${each.number}(thread ${each.threadId}): ${each.life.get(STARTED)}/${each.life.get(ACKED)} phase ${each.life.get(PHASE)} busy ${each.life.get(BUSY)}`,
    );
    return (
      `threads ${words.threads().join()}, write lock ${words.holder('write')}, cache lock ${words.holder('cache')}, ` +
      `changing ${words.isChanging}; ${lives.join('; ')}; ${this.#stats()}`
    );
  }

  #stats(): string {
    try {
      return JSON.stringify(this.#parts.stats());
    } catch (error) {
      return String(error);
    }
  }

  async allEnded(why: string): Promise<void> {
    for (const running of this.running) {
      const late = sleep(WATCHDOG_MS, 'late', { ref: false });
      if ((await Promise.race([running.exited, late])) === 'late') {
        throw new Violation(`life ${running.number} does not end after ${why}; ${this.#state()}`);
      }
    }
    this.check();
  }
}
