/** `:memory:` databases: everything works, nothing is shared, nothing stays. */
import { existsSync } from 'node:fs';
import { open, utf8 } from 'varve';
import { expect, test } from 'vitest';

test('two of them are two databases, and closing one takes its data', async () => {
  const [a, b] = await Promise.all([open(':memory:'), open(':memory:')]);
  const data = a.keyspace('data', { key: utf8, value: utf8 });
  data.put('x', '1');
  expect(b.keyspaces()).toEqual([]);
  await a.close();
  await b.close();
  const again = await open(':memory:');
  expect(again.keyspaces()).toEqual([]);
  await again.close();
  expect([existsSync(':memory:'), existsSync('/memory')]).toEqual([false, false]);
});

test('every durability class resolves, and flush, compact, verify and snapshots work', async () => {
  const db = await open(':memory:', { sync: 'everyWrite' });
  const data = db.keyspace('data', { key: utf8, value: utf8, compression: 'lz4' });
  for (const durability of ['memory', 'os', 'disk'] as const) await data.put(durability, 'v', { durability });
  const snapshot = db.snapshot();
  await db.flush();
  data.delete('os');
  await db.compact();
  expect([...data.range().keys()]).toEqual(['disk', 'memory']);
  expect([...snapshot.range(data).keys()]).toEqual(['disk', 'memory', 'os']);
  snapshot.close();
  expect((await db.verify()).problems).toEqual([]);
  expect(await db.sync()).toBe(db.stats().sequence);
  expect(db.path).toBe(':memory:');
  await db.close();
});
