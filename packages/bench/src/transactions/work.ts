/**
 * What `transactions` measures of one store in a process of its own: read-modify-write of one key, again and again, in the
 * forms that the store has. Rates are operations a second; forms take turns, so that none has the better machine.
 */
import { lmdbForms } from './lmdb.ts';
import { rocksForms } from './rocksdb.ts';
import { varveForms } from './varve.ts';

export interface Job {
  readonly store: 'varve' | 'lmdb' | 'rocksdb';
  readonly path: string;
  readonly keys: number;
  readonly hotKeys: number;
  readonly writers: number;
  readonly valueSize: number;
  /** Milliseconds of one measurement, and how many there are of each form. */
  readonly ms: number;
  readonly rounds: number;
  readonly seed: number;
}

/** One way to do it. Runs until `end` (performance.now) and returns how many operations went through. */
export interface Form {
  readonly name: string;
  run(end: number): Promise<number>;
}

export interface Forms {
  readonly forms: readonly Form[];
  close(): Promise<void>;
}

/** Operations a second by form, one a round. */
export type Rates = Record<string, number[]>;

const stores: Readonly<Record<Job['store'], (job: Job) => Promise<Forms>>> = {
  varve: varveForms,
  lmdb: lmdbForms,
  rocksdb: rocksForms,
};

export async function measure(job: Job): Promise<Rates> {
  const { forms, close } = await stores[job.store](job);
  const rates: Rates = Object.fromEntries(forms.map(({ name }) => [name, []]));
  // The first round compiles the code and does not count.
  for (let round = 0; round <= job.rounds; round++) {
    for (const form of round % 2 === 0 ? forms : forms.toReversed()) {
      const start = performance.now();
      const count = await form.run(start + job.ms);
      if (round > 0) rates[form.name]!.push((count / (performance.now() - start)) * 1000);
    }
  }
  await close();
  return rates;
}

/** Operations between two looks at the clock. */
export const STRIDE = 256;
