/**
 * Runs seeds one after the other and tells which failed, each with the one line that replays it.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { simulate } from './simulate.ts';

/** Seeds between two collections: the shared memory of machines that died is given back by nothing else. */
const SEEDS_PER_COLLECTION = 10;

export interface ExploreOptions {
  readonly from: number;
  /** Seeds at most; Infinity for as long as the time lasts. */
  readonly count: number;
  /** Milliseconds; Infinity for as many as there are. */
  readonly limitMs: number;
  /** Ends at the first seed that fails. */
  readonly stopAtFailure: boolean;
  /** Each machine has consumers of its change feed. */
  readonly withFollowers?: boolean;
  readonly log: (line: string) => void;
}

export interface ExploreSummary {
  readonly seeds: number;
  readonly failed: number;
  readonly followed: { readonly changes: number; readonly checks: number; readonly losses: number };
}

export async function explore(options: ExploreOptions): Promise<ExploreSummary> {
  const { from, count, limitMs, stopAtFailure, withFollowers = false, log } = options;
  const started = performance.now();
  const collect = collector();
  let [seeds, failed, lives, operations] = [0, 0, 0, 0];
  const followed = { changes: 0, checks: 0, losses: 0 };
  while (seeds < count && performance.now() - started < limitMs && !(stopAtFailure && failed > 0)) {
    const seed = from + seeds++;
    if (seeds % SEEDS_PER_COLLECTION === 0) collect();
    try {
      const result = await simulate(seed, withFollowers);
      lives += result.lives;
      operations += result.operations;
      for (const name of ['changes', 'checks', 'losses'] as const)
        followed[name] += result.followed?.[name] ?? 0;
    } catch (error) {
      failed++;
      log(`seed ${seed} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      log(`replay it with: npm run sim -- ${withFollowers ? '--feed ' : ''}--seed ${seed}\n`);
    }
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  log(
    `${seeds} seeds from ${from}: ${seeds - failed} passed, ${failed} failed; ` +
      `${lives} lives, ${operations} disk operations in ${seconds} s`,
  );
  if (withFollowers) {
    const { changes, checks, losses } = followed;
    log(
      `followers: ${changes} changes, ${checks} copies found right, ${losses} times told of a lost history`,
    );
  }
  return { seeds, failed, followed };
}

/** A full collection on demand: shared memory of machines that died is not counted by the collector's own schedule. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
