/**
 * The shared algorithms of the engine, all orders of their steps on small instances; and each planted bug is found.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { algorithms } from './algorithms.check.ts';
import { check } from './check.ts';
import { interleavedBugs } from './planted-bugs.ts';
import { explain } from './report.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('main.check.ts', import.meta.url));
const register = new URL('../planted/register.ts', import.meta.url).href;

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

async function checkWith(name: string, algorithm: string): Promise<{ code: number; output: string }> {
  const flags = ['--conditions=varve-source', '--no-warnings', '--import', register];
  const env = { ...process.env, PLANTED_BUG: name };
  try {
    const { stdout, stderr } = await run(
      process.execPath,
      [...flags, main, '--algorithm', algorithm, '--stop'],
      { env },
    );
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

test.each(interleavedBugs.map((bug) => [bug.breaks, bug] as const))(
  'the checker finds it when %s',
  { timeout: 120_000 },
  async (_, { name, algorithm, edits }) => {
    const { code, output } = await checkWith(name, algorithm);
    for (const { file } of edits) expect(output).toContain(`planted in ${file}`);
    expect(output).toMatch(/: FAILED after \d+ states/);
    expect(output).toMatch(/^schedule: [A-Z]\d+/m);
    expect(code).toBe(1);
  },
);
