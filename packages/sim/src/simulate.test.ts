/** A fixed set of seeds in every test run; `npm run sim` explores fresh ones. */
import { expect, test } from 'vitest';
import { explore } from './explore.ts';
import { simulate } from './simulate.ts';

test('forty machines, each through several lives and deaths, keep every promise', {
  timeout: 120_000,
}, async () => {
  const lines: string[] = [];
  const { failed } = await explore({
    from: 1,
    count: 40,
    limitMs: Number.POSITIVE_INFINITY,
    stopAtFailure: false,
    log: (line) => lines.push(line),
  });
  expect({ failed, report: failed === 0 ? '' : lines.join('\n') }).toEqual({ failed: 0, report: '' });
});

test('a seed replays the same run', { timeout: 60_000 }, async () => {
  expect(await simulate(7)).toEqual(await simulate(7));
});

test('consumers of the change feed have what there was at the sequence they have reached, through all lives', {
  timeout: 120_000,
}, async () => {
  const lines: string[] = [];
  const { failed, followed } = await explore({
    from: 1,
    count: 8,
    limitMs: Number.POSITIVE_INFINITY,
    stopAtFailure: false,
    withFollowers: true,
    log: (line) => lines.push(line),
  });
  expect({ failed, report: failed === 0 ? '' : lines.join('\n') }).toEqual({ failed: 0, report: '' });
  // The runs are worth something.
  expect(followed.changes).toBeGreaterThan(1000);
  expect(followed.checks).toBeGreaterThan(100);
  expect(followed.losses).toBeGreaterThan(0);
});
