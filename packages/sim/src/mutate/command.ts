/**
 * `npm run sim -- mutate --positions 5000 [--seed N]`: the mutation run from the command line. With `--specimen`, `--file`,
 * `--offset` and `--bit` it judges that one bit.
 */
import type { Mutation } from './judge.ts';
import { type MutateSummary, runMutations } from './run.ts';

/** Flips bits, prints what came of it as a table, and returns it. */
export async function runMutateCommand(options: {
  readonly positions: number;
  readonly seed: number;
  readonly only?: Mutation;
  readonly log: (line: string) => void;
}): Promise<MutateSummary> {
  const started = performance.now();
  const summary = await runMutations(options);
  for (const [name, count] of [...summary.verdicts].sort()) options.log(`${String(count).padStart(6)}  ${name}`);
  options.log(
    `${summary.positions} positions of seed ${options.seed}: ${summary.failures.length} failures, ` +
      `in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  return summary;
}
