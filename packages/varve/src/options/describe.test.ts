import { expect, test } from 'vitest';
import { databaseSettings } from './database-settings.ts';
import { describeSettings } from './describe.ts';
import { strategySettings } from './compaction-settings.ts';
import { keyspaceSettings } from './keyspace-settings.ts';
import { editDistance, nearestName } from './suggest.ts';

const tables = [databaseSettings, keyspaceSettings, ...Object.values(strategySettings)];

test('the reference has one row for every setting, and every row has all cells', () => {
  const rows = describeSettings()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const names = tables.flatMap((table) => Object.keys(table));
  expect(rows.map((row) => row.split('`')[1])).toEqual(names);
  for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(8);
});

test('there are at most 40 settings', () => {
  // A setting that two strategies have is one; what is a component of the surroundings is none.
  const names = new Set(tables.flatMap((table) => Object.keys(table)));
  for (const component of ['fileSystem', 'clock']) names.delete(component);
  expect(names.size).toBeLessThanOrEqual(40);
});

test('the nearest name is found through typing errors and not through different words', () => {
  const names = ['cacheBytesMax', 'memoryBytesMax', 'sync', 'log'];
  expect(nearestName('cachebytesmax', names)).toBe('cacheBytesMax');
  expect(nearestName('memroyBytesMax', names)).toBe('memoryBytesMax');
  expect(nearestName('snyc', names)).toBe('sync');
  expect(nearestName('encryption', names)).toBeUndefined();
});

test('the distance counts single edits and neighbour swaps', () => {
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('abcd', 'abdc')).toBe(1);
  expect(editDistance('kitten', 'sitting')).toBe(3);
});
