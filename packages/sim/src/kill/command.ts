/**
 * `npm run sim -- kill --rounds 200 [--seed N] [--reads MODE] [--memtable TYPE]`: the crash rig from the command line.
 */
import { Violation } from '../check.ts';
import type { Variants } from '../variants.ts';
import { runRounds } from './rounds.ts';

/** Runs rounds of kill and reopen, up to the first that finds something; the files of that one are left. */
export async function runKillRounds(
  options: Variants & {
    readonly rounds: number;
    readonly seed: number;
    readonly log: (line: string) => void;
  },
): Promise<{ readonly failed: number }> {
  const { seed, log } = options;
  const started = performance.now();
  try {
    const { rounds, killed, sequences, promises, cutBytes } = await runRounds({
      ...options,
      keepFailed: true,
    });
    log(
      `${rounds} rounds of seed ${seed}: ${killed} killed, ${sequences} writes recovered, ` +
        `${promises} promises held, ${cutBytes} torn bytes cut, in ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    return { failed: 0 };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    log(error.message);
    return { failed: 1 };
  }
}
