/**
 * `npm run sim -- mutate --positions 5000 [--seed N]`: the mutation run from the command line. `--at` judges one bit of the
 * specimens of a seed: `--at crashed/000037.wal:1234:5` is bit 5 of byte 1234 of that file.
 */
import type { Mutation } from './judge.ts';
import { runMutations } from './run.ts';

/** Flips bits, and logs what came of it as a table. */
export async function runMutateCommand(options: {
  readonly positions: number;
  readonly seed: number;
  readonly at?: string;
  readonly log: (line: string) => void;
}): Promise<{ readonly failed: number }> {
  const { positions, seed, at, log } = options;
  const started = performance.now();
  const only = at === undefined ? {} : { only: placeOf(at) };
  const summary = await runMutations({ positions, seed, log, ...only });
  for (const [name, count] of [...summary.verdicts].sort()) log(`${String(count).padStart(6)}  ${name}`);
  log(
    `${summary.positions} positions of seed ${seed}: ${summary.failures.length} failures, ` +
      `in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  return { failed: summary.failures.length };
}

function placeOf(text: string): Mutation {
  const match = /^([a-z]+)\/([^:/]+):(\d+):([0-7])$/.exec(text);
  if (match === null) throw new Error(`--at takes specimen/file:offset:bit; got ${text}`);
  return { specimen: match[1]!, file: match[2]!, offset: Number(match[3]), bit: Number(match[4]) };
}
