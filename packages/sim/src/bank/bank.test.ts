/** A fixed slice of the banks, and bugs that they find. */
import { expect, test } from 'vitest';
import { PLANTED_MS, runPlanted } from '../planted/run-planted.ts';
import { checkBanks } from './command.ts';
import { bankBugs } from './planted-bugs.ts';

test('the money is the same in every snapshot, at every point of the past and after every crash', async () => {
  const lines: string[] = [];
  const summary = await checkBanks({
    from: 1,
    count: 25,
    stopAtFailure: false,
    log: (line) => lines.push(line),
  });
  expect(lines.slice(0, -1)).toEqual([]);
  expect(summary.failed).toBe(0);
  expect(summary.crashes).toBe(75);
  expect(summary.transfers).toBeGreaterThan(500);
  expect(summary.inDoubt).toBeGreaterThan(5);
  expect(summary.pastStates).toBeGreaterThan(1000);
});

const main = new URL('../main.ts', import.meta.url);
const command = ['bank', '--from', '1', '--seeds', '60', '--stop'];

for (const bug of bankBugs) {
  test(`it is found when ${bug.breaks}`, { timeout: PLANTED_MS }, async () => {
    const { code, output } = await runPlanted(main, command, bug.name);
    for (const { file } of bug.edits) expect(output).toContain(`planted in ${file}`);
    expect(output).toMatch(/bank \d+ failed: /);
    expect(code).toBe(1);
  });
}
