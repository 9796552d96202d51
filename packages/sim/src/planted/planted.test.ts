/**
 * The proof that the simulation would see: each planted bug is found within the seeds that pass without it.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { plantedBugs } from './bugs.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const register = new URL('./register.ts', import.meta.url).href;
/** All of them pass without a bug; the first that fails ends a run. Most bugs need one or two. */
const seeds = ['--seeds', '400', '--stop'];

async function simulateWith(name: string, from = 1): Promise<{ code: number; output: string }> {
  const flags = ['--conditions=varve-source', '--no-warnings', '--import', register];
  const env = { ...process.env, PLANTED_BUG: name };
  try {
    const { stdout, stderr } = await run(
      process.execPath,
      [...flags, main, '--from', String(from), ...seeds],
      { env },
    );
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

for (const bug of plantedBugs) {
  test(`the simulation finds it when ${bug.breaks}`, { timeout: 120_000 }, async () => {
    const { code, output } = await simulateWith(bug.name, bug.from);
    for (const { file } of bug.edits) expect(output).toContain(`planted in ${file}`);
    expect(output).toMatch(/seed \d+ failed: (Violation|VarveError)/);
    expect(code).toBe(1);
  });
}

test('a bug whose target is gone fails instead of proving nothing', async () => {
  const { code, output } = await simulateWith('no-such-bug');
  expect(code).not.toBe(0);
  expect(output).toContain('PLANTED_BUG must be one of');
});
