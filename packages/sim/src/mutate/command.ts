/**
 * `npm run sim -- mutate --positions 5000 [--seed N] [--reads MODE] [--memtable TYPE]`: the mutation run from the command line. With
 * `--specimen`, `--file`, `--offset` and `--bit` it judges that one bit.
 */
import type { Variants } from '../variants.ts';
import type { Mutation } from './judge.ts';
import { runMutations } from './run.ts';

/** Flips bits, and logs what came of it as a table. */
export async function runMutateCommand(
  options: Variants & {
    readonly positions: number;
    readonly seed: number;
    readonly only?: Mutation;
    readonly log: (line: string) => void;
  },
): Promise<{ readonly failed: number }> {
  const { seed, log } = options;
  const started = performance.now();
  const { positions, verdicts, failures } = await runMutations(options);
  for (const name of [...verdicts.keys()].sort()) log(`${String(verdicts.get(name)).padStart(6)}  ${name}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  log(`${positions} positions of seed ${seed}: ${failures.length} failures, in ${seconds} s`);
  return { failed: failures.length };
}
