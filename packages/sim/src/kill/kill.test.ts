import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readModes } from '../read-modes.suite.ts';
import { ExpectedState } from '../steps.ts';
import { stepAt } from './history.ts';
import { runRounds } from './rounds.ts';

test('what a killed process was promised is there when the database opens again, and nothing else', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'varve-kill-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const lines: string[] = [];
  const summary = await runRounds({ rounds: 20, seed: 20_260, directory, log: (line) => lines.push(line) });
  expect(lines).toHaveLength(20);
  expect(summary.endings).toEqual({ kill: 12, exit: 2, throw: 2, reject: 2, close: 2 });
  expect(summary.killed).toBe(12);
  expect(summary.sequences).toBeGreaterThan(100);
  expect(summary.promises).toBeGreaterThan(20);
  expect(readdirSync(directory)).toEqual([]);
}, 60_000);

test.each(readModes())(
  'it is there too when tables are read by %s',
  async (reads) => {
    const summary = await runRounds({ rounds: 5, seed: 20_261, reads, log: () => undefined });
    expect(summary.rounds).toBe(5);
    expect(summary.sequences).toBeGreaterThan(0);
  },
  60_000,
);

test('it is there too with the other structure of memtables', async () => {
  const summary = await runRounds({ rounds: 3, seed: 20_262, memtable: 'skiplist', log: () => undefined });
  expect(summary.rounds).toBe(3);
  expect(summary.sequences).toBeGreaterThan(0);
}, 60_000);

test('the history of a seed is the same every time, and another one in each life of the writer', () => {
  const state = (epoch: number): ExpectedState => {
    const expected = new ExpectedState();
    while (expected.sequence < 1000) expected.apply(stepAt(7, epoch, expected.sequence + 1));
    return expected;
  };
  expect(state(1).keyspaces).toEqual(state(1).keyspaces);
  expect(state(1).keyspaces).not.toEqual(state(2).keyspaces);
  expect([...state(1).keyspaces.keys()]).toEqual(['orders', 'users', 'events', 'idle', 'session']);
});
