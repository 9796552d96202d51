/**
 * A child process of `transactions`: measures one store, sends the rates, and ends. Its argument is the job. Forms take turns,
 * so that none has the better machine.
 */
import type { Forms, Job, Rates } from './job.ts';

/** Imported when it is measured: one that is not installed stops nobody else. */
const stores: Readonly<Record<Job['store'], () => Promise<(job: Job) => Promise<Forms>>>> = {
  varve: async () => (await import('./varve.ts')).varveForms,
  lmdb: async () => (await import('./lmdb.ts')).lmdbForms,
  rocksdb: async () => (await import('./rocksdb.ts')).rocksForms,
};

async function measure(job: Job): Promise<Rates> {
  const { forms, close } = await (await stores[job.store]())(job);
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

const rates = await measure(JSON.parse(process.argv[2]!) as Job);
process.send?.(rates, () => process.disconnect());
