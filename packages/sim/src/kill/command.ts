/**
 * `npm run sim -- kill --rounds 200 [--seed N]`: the crash rig from the command line.
 */
import { type KillSummary, runRounds } from './rounds.ts';

/** Runs rounds of kill and reopen; throws when one finds something, and leaves the files of that round. */
export async function runKillRounds(options: {
  readonly rounds: number;
  readonly seed: number;
  readonly log: (line: string) => void;
}): Promise<KillSummary> {
  const started = performance.now();
  const summary = await runRounds({ ...options, keepFailed: true });
  const { rounds, killed, sequences, promises, cutBytes } = summary;
  options.log(
    `${rounds} rounds of seed ${options.seed}: ${killed} killed, ${sequences} writes recovered, ` +
      `${promises} promises held, ${cutBytes} torn bytes cut, in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  return summary;
}
