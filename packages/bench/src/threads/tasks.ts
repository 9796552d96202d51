/**
 * What a thread does for a measurement: one kind of operation on its store, for a time, a number of operations, or until it is
 * told to stop; how many it did, when, and what its processor time was. The same code in workers (crew.worker.ts) and in the
 * thread that has opened the store.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { CHUNK } from '../chunk.ts';
import { Random } from '../random.ts';
import { fill, lookUp, readInOrder } from '../steps.ts';
import type { Bench, Step, Store } from '../store.ts';
import { ValuePool } from '../values.ts';
import type { Sizes } from './sizes.ts';

export type Kind = 'get' | 'get-borrowed' | 'scan' | 'put' | 'batch';

export interface Task {
  readonly kind: Kind;
  readonly seed: number;
  /** The task ends by whichever comes first. */
  readonly ms?: number;
  readonly count?: number;
}

export interface Done {
  readonly operations: number;
  /** By the clock that all threads of the machine share. */
  readonly startMs: number;
  readonly endMs: number;
  /** Processor time of this thread. */
  readonly processorMs: number;
}

/** Words of the memory that the threads of one run share: how many are ready, and 1 to stop. */
export const READY = 0;
export const STOP = 1;
export const RUN_WORDS = 2;

/** Returns when `parties` threads have called it with the same words. */
function meet(words: Int32Array, parties: number): void {
  for (let ready = Atomics.add(words, READY, 1) + 1; ready < parties; ready = Atomics.load(words, READY)) {
    Atomics.wait(words, READY, ready);
  }
  Atomics.notify(words, READY);
}

export async function perform(
  store: Store,
  sizes: Sizes,
  task: Task,
  words: Int32Array,
  parties: number,
): Promise<Done> {
  const random = new Random(task.seed);
  const values = new ValuePool(sizes.valueSize, random);
  const { num: entries, keySize } = sizes;
  const bench: Bench = { store, entries, keySize, random, values, seekNexts: 0, writing: 'single' };
  const isWriting = task.kind === 'put' || task.kind === 'batch';
  let step = stepOf(bench, task.kind);
  const countMax = task.count ?? Number.POSITIVE_INFINITY;
  meet(words, parties);
  const startMs = clock();
  const untilMs = startMs + (task.ms ?? Number.POSITIVE_INFINITY);
  const processorStart = processorMs();
  let operations = 0;
  while (operations < countMax && Atomics.load(words, STOP) === 0 && clock() < untilMs) {
    const wanted = Math.min(CHUNK, countMax - operations);
    let done = step.run(operations, operations + wanted);
    if (typeof done !== 'number') done = await done;
    operations += done;
    if (isWriting) await turn();
    else if (done < wanted) {
      await step.close?.();
      step = stepOf(bench, task.kind);
    }
  }
  await step.close?.();
  if (isWriting) await store.sync();
  return { operations, startMs, endMs: clock(), processorMs: processorMs() - processorStart };
}

function stepOf(bench: Bench, kind: Kind): Step {
  switch (kind) {
    case 'get':
      return lookUp(bench, {});
    case 'get-borrowed':
      return lookUp(bench, { borrowed: true });
    case 'scan':
      return readInOrder(bench, false, 'cursor');
    case 'put':
      return fill(bench, 'random');
    case 'batch':
      return fill(bench, 'random', true);
  }
}

/** Milliseconds; each thread has its own zero in `performance.now()`, but not here. */
function clock(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Of the whole process where the runtime can not say it of a thread. */
function processorMs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}
