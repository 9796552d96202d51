/**
 * Worker threads that have one store open, and tasks for them: one thread alone or several at once, which begin together.
 * The thread that has opened the store only waits meanwhile, so that its event loop is free.
 */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { NodeEngine } from '../compare/peers/peer.ts';
import type { StoreSettings } from '../compare/peers/settings.ts';
import type { Sizes } from './sizes.ts';
import { type Done, RUN_WORDS, STOP, type Task } from './tasks.ts';

export interface CrewData {
  readonly engine: NodeEngine;
  readonly settings: StoreSettings;
  readonly sizes: Sizes;
}

export interface Order {
  readonly task: Task;
  readonly words: Int32Array;
  readonly parties: number;
}

export class Crew {
  readonly #workers: readonly Worker[];

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers;
  }

  /** Resolves when each of `count` threads has the store open. */
  static async start(count: number, data: CrewData): Promise<Crew> {
    const entry = new URL(`crew.worker${extname(import.meta.url)}`, import.meta.url);
    const workers = Array.from({ length: count }, () => new Worker(entry, { workerData: data }));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    return new Crew(workers);
  }

  /** The tasks at once, the first by the first thread and so on; they begin together. */
  async run(tasks: readonly Task[], first = 0): Promise<Done[]> {
    const words = freshWords();
    return await Promise.all(tasks.map((task, i) => this.#order(first + i, task, words, tasks.length)));
  }

  /** `main` beside a task that goes on until `main` has ended. */
  async runBeside(main: Task, beside: Task): Promise<{ main: Done; beside: Done }> {
    const words = freshWords();
    const other = this.#order(1, beside, words, 2);
    const done = await this.#order(0, main, words, 2);
    Atomics.store(words, STOP, 1);
    return { main: done, beside: await other };
  }

  /** Threads close the store and end. Peers that do not survive that are ended with their process instead. */
  async close(): Promise<void> {
    for (const worker of this.#workers) worker.postMessage('close');
    await Promise.all(this.#workers.map((worker) => once(worker, 'exit')));
  }

  async #order(index: number, task: Task, words: Int32Array, parties: number): Promise<Done> {
    const worker = this.#workers[index]!;
    worker.postMessage({ task, words, parties } satisfies Order);
    // Rejects when the thread fails: `once` listens for its error too.
    const [done] = (await once(worker, 'message')) as [Done];
    return done;
  }
}

export function freshWords(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * RUN_WORDS));
}
