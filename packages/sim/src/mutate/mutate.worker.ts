/**
 * The thread that judges mutations, so that one that hangs or runs out of memory does not take the run along.
 *
 * Progress word (Int32): index of the mutation at hand plus 1, written here before each, read by the run's watchdog.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Variants } from '../variants.ts';
import { Judge, type Mutation, type Verdict } from './judge.ts';
import { placesRead } from './places.ts';
import type { Specimen } from './specimens.ts';

/** With `reads` judges on disk, reading that way; in memory otherwise. */
export interface MutateInput extends Variants {
  readonly specimens: readonly Specimen[];
  readonly mutations: readonly Mutation[];
  /** Indexes of the mutations that are this thread's. */
  readonly indexes: readonly number[];
  /** Every how many the whole programme is run. */
  readonly thoroughEvery: number;
  readonly progress: Int32Array;
}

/** One mutation judged: the verdict, or what was wrong. */
export interface MutateReply {
  readonly index: number;
  readonly verdict?: Verdict;
  readonly failure?: string;
}

const { specimens, mutations, indexes, thoroughEvery, progress, reads, memtable } = workerData as MutateInput;
const makePlace = placesRead(reads);
const judges = new Map(
  specimens.map((specimen) => [
    specimen.name,
    new Judge(specimen, makePlace, { memtable: memtable ?? 'btree' }),
  ]),
);
let current = -1;

// A failure that nobody awaits belongs to the mutation at hand.
process.on('unhandledRejection', (error) => {
  parentPort!.postMessage({ index: current, failure: `unhandled: ${describe(error)}` } satisfies MutateReply);
});

for (const index of indexes) {
  current = index;
  Atomics.store(progress, 0, index + 1);
  const mutation = mutations[index]!;
  let reply: MutateReply;
  try {
    const verdict = await judges.get(mutation.specimen)!.judge(mutation, index % thoroughEvery === 0);
    reply = { index, verdict };
  } catch (error) {
    reply = { index, failure: describe(error) };
  }
  parentPort!.postMessage(reply);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'Violation' ? error.message : (error.stack ?? error.message);
}
