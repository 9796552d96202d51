/**
 * The stored baseline of `check` (packages/bench/baseline.json) and the comparison with it. Scores are operations of a
 * workload per thousand steps of the calibration loop, so they are numbers without a unit.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { UsageError } from '../options.ts';

export interface Baseline {
  /** Where it was measured, for the reader only. */
  readonly machine: string;
  readonly entries: number;
  readonly scores: Readonly<Record<string, number>>;
}

export interface Finding {
  readonly name: string;
  readonly score: number;
  /** Undefined: the baseline does not know the workload. */
  readonly baseline: number | undefined;
  /** `score` over `baseline`. */
  readonly change: number | undefined;
  readonly slower: boolean;
}

/** Compares scores with the baseline. `toleranceOf` gives the share by which a workload may be slower. */
export function compareWithBaseline(
  baseline: Baseline,
  scores: Readonly<Record<string, number>>,
  toleranceOf: (name: string) => number,
): Finding[] {
  return Object.entries(scores).map(([name, score]) => {
    const before = baseline.scores[name];
    const change = before === undefined ? undefined : score / before;
    return {
      name,
      score,
      baseline: before,
      change,
      slower: change !== undefined && change < 1 - toleranceOf(name),
    };
  });
}

/** Throws `UsageError` when there is none or it is none. */
export function readBaseline(path: string): Baseline {
  const advice = 'make one with "npm run bench -- check --update"';
  if (!existsSync(path)) throw new UsageError(`There is no baseline at ${path}; ${advice}.`);
  let stored: unknown;
  try {
    stored = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(
      `${path} is not JSON (${error instanceof Error ? error.message : error}); ${advice}.`,
    );
  }
  if (!isBaseline(stored)) throw new UsageError(`${path} is not a baseline of check; ${advice}.`);
  return stored;
}

export function writeBaseline(path: string, baseline: Baseline): void {
  writeFileSync(path, `${JSON.stringify(baseline, null, 2)}\n`);
}

function isBaseline(stored: unknown): stored is Baseline {
  if (typeof stored !== 'object' || stored === null) return false;
  const { machine, entries, scores } = stored as Partial<Record<keyof Baseline, unknown>>;
  return (
    typeof machine === 'string' &&
    typeof entries === 'number' &&
    typeof scores === 'object' &&
    scores !== null &&
    Object.values(scores).every((score) => typeof score === 'number' && score > 0)
  );
}
