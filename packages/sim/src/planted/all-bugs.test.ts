/** Known in a moment, and not after the minutes that finding them takes: each planted bug still has its place. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { allBugs, planted } from './all-bugs.ts';

const sources = new URL('../../../varve/src/', import.meta.url);

test('every planted bug meets its place in the sources exactly once', () => {
  expect(allBugs.length).toBeGreaterThan(0);
  for (const bug of allBugs) {
    for (const file of new Set(bug.edits.map((edit) => edit.file))) {
      const source = readFileSync(new URL(file, sources), 'utf8');
      expect(planted(bug, file, source)).not.toBe(source);
    }
  }
});

test('names are of one bug each', () => {
  expect(new Set(allBugs.map(({ name }) => name)).size).toBe(allBugs.length);
});
