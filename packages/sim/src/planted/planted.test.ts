/**
 * The proof that the simulation would see: each planted bug is found within the seeds that pass without it.
 */
import { expect, test } from 'vitest';
import { plantedBugs } from './bugs.ts';
import { PLANTED_MS, runPlanted } from './run-planted.ts';

const main = new URL('../main.ts', import.meta.url);
/** All of them pass without a bug; the first that fails ends a run. Most bugs need one or two. */
const seeds = ['--seeds', '400', '--stop'];

for (const bug of plantedBugs) {
  test(`the simulation finds it when ${bug.breaks}`, { timeout: PLANTED_MS }, async () => {
    const args = ['--from', String(bug.from ?? 1), ...seeds];
    const { code, output } = await runPlanted(main, args, bug.name);
    for (const { file } of bug.edits) expect(output).toContain(`planted in ${file}`);
    expect(output).toMatch(/seed \d+ failed: (Violation|VarveError)/);
    expect(code).toBe(1);
  });
}

test('a bug whose target is gone fails instead of proving nothing', async () => {
  const { code, output } = await runPlanted(main, ['--from', '1', ...seeds], 'no-such-bug');
  expect(code).not.toBe(0);
  expect(output).toContain('PLANTED_BUG must be one of');
});
