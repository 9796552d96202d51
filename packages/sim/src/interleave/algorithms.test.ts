/**
 * The shared algorithms of the engine, all orders of their steps on small instances; and each planted bug is found.
 */
import { expect, test } from 'vitest';
import { PLANTED_MS, runPlanted } from '../planted/run-planted.ts';
import { algorithms } from './algorithms.check.ts';
import { check } from './check.ts';
import { interleavedBugs } from './planted-bugs.ts';
import { explain } from './report.ts';

const main = new URL('main.check.ts', import.meta.url);

const instances = algorithms.flatMap(({ instances: some }) => some);

test.each(instances.map((each) => [each.name, each] as const))(
  '%s: right in every order',
  { timeout: 120_000 },
  (_, each) => {
    const verdict = check(each);
    expect(explain(each, verdict)).toEqual([]);
    expect(verdict.isComplete).toBe(true);
    expect(verdict.states).toBeGreaterThan(10);
  },
);

test.each(interleavedBugs.map((bug) => [bug.breaks, bug] as const))(
  'the checker finds it when %s',
  { timeout: PLANTED_MS },
  async (_, { name, algorithm, edits }) => {
    const { code, output } = await runPlanted(main, ['--algorithm', algorithm, '--stop'], name);
    for (const { file } of edits) expect(output).toContain(`planted in ${file}`);
    expect(output).toMatch(/: FAILED after \d+ states/);
    expect(output).toMatch(/^schedule: [A-Z]\d+/m);
    expect(code).toBe(1);
  },
);
