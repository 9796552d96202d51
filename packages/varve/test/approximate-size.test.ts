/** How many bytes of tables and blob files a range takes: an estimate that adds up, and is nothing where nothing is. */
import type { Keyspace, KeyspaceOptions } from 'varve';
import { MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { key, small } from './small-tables.ts';

/** Even numbers from 1000 to 3000, in four tables of level 0 that have all of them and in what lies below. */
async function filled(options: KeyspaceOptions<string, string>): Promise<Keyspace<string, string>> {
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: new MemoryFs(), sync: 'manual', defragment: false });
  onTestFinished(() => db.close());
  const data = db.keyspace('data', { ...small, compression: 'none', ...options });
  db.pauseCompaction();
  for (let round = 0; round < 4; round++) {
    for (let i = 1000; i < 3000; i += 2) data.put(key(i), 'v'.repeat(300));
    await time.run(db.flush());
    if (round === 0) await time.run(db.compact());
  }
  return data;
}

describe.each([
  ['values in tables', {}],
  ['values in blob files', { blobValueBytes: 200 }],
] as const)('with %s', (_, options) => {
  test('a range that holds nothing takes nothing', async () => {
    const data = await filled(options);
    for (const range of [
      { gte: key(3000) },
      { gte: key(2999), lt: key(5000) },
      { lt: key(1000) },
      { gte: key(1001), lt: key(1002) },
      { gte: key(5), lt: key(1000) },
    ]) {
      expect([range, data.approximateSize(range)]).toEqual([range, 0]);
    }
  });

  test('the parts of a range are together as large as it is', async () => {
    const data = await filled(options);
    const all = data.approximateSize();
    expect(all).toBeGreaterThan(4 * 1000 * 300);
    let sum = 0;
    for (let i = 1000; i < 3000; i += 500) {
      const part = data.approximateSize({ gte: key(i), lt: key(i + 500) });
      expect(part).toBeGreaterThan(all * 0.2);
      expect(part).toBeLessThan(all * 0.3);
      sum += part;
    }
    expect(Math.abs(sum - all)).toBeLessThan(all * 0.001);
    expect(data.approximateSize({ gte: key(2000) }) / all).toBeCloseTo(0.5, 1);
  });
});
