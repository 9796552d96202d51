import { expect, test } from 'vitest';
import { runKeyspaces } from './command.ts';

test('a hundred keyspaces on disk hold a key each, in memory, in tables and after opening', async () => {
  const lines: string[] = [];
  await runKeyspaces({ count: 100, memtable: 'skiplist', log: (line) => lines.push(line) });
  expect(lines[0]).toContain('100 keyspaces made and written to, 0 writes held up');
  expect(lines).toHaveLength(5);
});
