/**
 * `npm run sim -- threads --rounds 2000 [--from SEED] [--workers N]`: threads that share a database and are terminated, from
 * the command line. One round is one termination; a process takes some tens of them, the next one has the next seed.
 */
import { Violation } from '../check.ts';
import { runKills, runSessions } from './rounds.ts';
import type { SessionCounts } from './session.ts';

/** Terminations in one process, and of how many processes one is killed itself, in rounds. */
const TERMINATIONS = 60;
const KILLS = 6;

export interface ThreadsOptions {
  readonly rounds: number;
  readonly from: number;
  readonly writers: number;
  readonly log: (line: string) => void;
}

/** Runs all rounds, failures or not; what a failing process left on disk stays. */
export async function runThreadsCommand(options: ThreadsOptions): Promise<{ readonly failed: number }> {
  const { rounds, from, writers, log } = options;
  const started = performance.now();
  let [done, kills, operations, failed] = [0, 0, 0, 0];
  for (let seed = from; done < rounds; seed++) {
    const terminations = Math.min(TERMINATIONS, rounds - done);
    try {
      const counts = await runSessions(seed, terminations, writers, true);
      operations += counts.operations;
      log(`seed ${seed}: ${line(counts)}`);
      const killed = await runKills(seed, Math.ceil((terminations * KILLS) / TERMINATIONS), writers, true);
      kills += killed.kills;
      operations += killed.operations;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      failed++;
      log(`seed ${seed} failed: ${error.message}`);
      log(
        `run it again with: npm run sim -- threads --rounds ${terminations} --from ${seed} --workers ${writers}`,
      );
    }
    done += terminations;
  }
  log(
    `${done} terminations and ${kills} kills of ${writers} writers, ${operations} operations held, ${failed} seeds failed, ` +
      `in ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  return { failed };
}

function line({ terminations, operations, completed, undone, busy, hits, slowestMs }: SessionCounts): string {
  const moments = Object.entries(hits).map(([kind, count]) => `${kind} ${count}`);
  return (
    `${terminations} terminated, ${operations} operations held; the one in progress done ${completed} times, not done ${undone}; ` +
    `${busy} refused by pressure; longest wait ${slowestMs.toFixed(0)} ms; at ${moments.join(', ')}`
  );
}
