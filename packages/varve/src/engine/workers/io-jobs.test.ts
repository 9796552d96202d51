import { expect, test } from 'vitest';
import { MemoryFs } from '../../fs/memory-fs.ts';
import { type LogSyncInput, syncLog } from './io-jobs.ts';

function run(fs: MemoryFs, input: LogSyncInput): void {
  for (const _ of syncLog(input, { fs, cancelled: () => false })) continue;
}

test('a log segment that was released while its sync waited is passed over, and the others are synced', () => {
  const fs = new MemoryFs();
  fs.makeDirectory('/db');
  const file = fs.open('/db/000002.wal', 'create');
  file.close();
  expect(() => run(fs, { paths: ['/db/000001.wal', '/db/000002.wal'], directory: '/db' })).not.toThrow();
});
