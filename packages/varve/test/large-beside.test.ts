/** Transactions larger than a batch beside everything else: writers in their range, other large ones, ingestions, strategies, the past. */
import { type Database, open } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';
import { expect, test } from 'vitest';
import { codecs, entries, largeWorld, putAll, smallBatches } from './large-world.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { key } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const wanted = entries(0, 400, 'new');

test('a writer that goes on between its keys loses nothing, and does not stop it', async () => {
  const { db, a } = await largeWorld();
  let isOver = false;
  const own: [string, string][] = [];
  const writer = (async () => {
    for (let i = 0; !isOver; i++) {
      const entry: [string, string] = [`${key(i % 390)} beside`, String(i)];
      a.put(...entry);
      own.push(entry);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let round = 0; round < 5; round++) {
    const tx = db.begin({ isolation: 'snapshot' });
    for (const [name] of wanted) tx.put(a, name, `round ${round} ${'x'.repeat(20)}`);
    await tx.commit({ durability: 'memory' });
    expect(a.get(key(399))).toBe(`round ${round} ${'x'.repeat(20)}`);
  }
  isOver = true;
  await writer;
  const last = new Map(own);
  for (const [name, value] of last) expect([name, a.get(name)]).toEqual([name, value]);
  expect(a.count()).toBe(wanted.length + last.size);
  expect((await db.verify()).problems).toEqual([]);
});

test('several at once, and ingestions between them, come one after the other', async () => {
  const { db, a, b } = await largeWorld();
  const c = db.keyspace('c', codecs);
  const all = [a, b, c].map((data) => db.transaction((tx) => putAll(tx, data, wanted)));
  const [ingested] = await Promise.all([db.ingest(c, [['z', 'ingested']]), ...all]);
  expect(ingested.entries).toBe(1);
  for (const data of [a, b]) expect([...data.range()]).toEqual(wanted);
  expect([...c.range()]).toEqual([...wanted, ['z', 'ingested']]);
  // Of two that write the same, the second to commit is refused.
  const [first, second] = [db.begin(), db.begin()];
  putAll(first, a, wanted);
  putAll(second, a, wanted);
  const both = await Promise.allSettled([first, second].map((tx) => tx.commit({ durability: 'memory' })));
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('in every strategy it is newer than what lay there', async () => {
  for (const strategy of ['leveled', 'tiered', 'fifo'] as const) {
    const { db } = await largeWorld();
    const data = db.keyspace('data', { ...codecs, compaction: { strategy } });
    for (let round = 0; round < 4; round++) {
      await db.transaction((tx) => {
        for (const [i, [name]] of wanted.entries()) {
          if (i % 4 === round) tx.delete(data, name);
          else tx.put(data, name, `round ${round} ${'x'.repeat(20)}`);
        }
      });
      data.put('z', String(round));
      if (round % 2 === 1) await db.flush();
      const shown = wanted.filter((_, i) => i % 4 !== round).map(([name]) => name);
      expect([...data.range().keys()]).toEqual([...shown, 'z']);
      expect(data.get(shown[0]!)).toBe(`round ${round} ${'x'.repeat(20)}`);
    }
    expect((await db.verify()).problems).toEqual([]);
  }
});

test('states of the past are as they were, before it and at it', async () => {
  const { db } = await largeWorld();
  const data = db.keyspace('data', { ...codecs, retention: { ms: 60_000 } });
  const old = entries(0, 300, 'old');
  for (const [name, value] of old) data.put(name, value);
  const before = db.stats().sequence;
  const tx = db.begin();
  putAll(tx, data, wanted.slice(150));
  for (let i = 0; i < 20; i++) tx.delete(data, key(i));
  const sequence = await tx.commit({ durability: 'memory' });
  for (const [name] of wanted) data.put(name, 'later');
  await db.flush();
  await db.compact();
  using past = db.at(before);
  using then = db.at(sequence);
  expect([...past.range(data)]).toEqual(old);
  expect([...then.range(data)]).toEqual([...old.slice(20, 150), ...wanted.slice(150)]);
});

test('closed at once and opened again it is there, with its sequence', async () => {
  const path = temporaryDirectory();
  let db: Database = await open(path, smallBatches);
  const sequence = await db.transaction(
    async (tx) => {
      putAll(tx, db.keyspace('a', codecs), wanted);
      tx.put(db.keyspace('b', codecs), 'k', 'v');
      return Promise.resolve(tx.sequence);
    },
    { durability: 'disk' },
  );
  await db.close();
  db = await open(path, { ...smallBatches, recovery: 'strict' });
  expect([...db.keyspace('a', codecs).range()]).toEqual(wanted);
  expect(db.keyspace('b', codecs).get('k')).toBe('v');
  expect(db.stats().sequence).toBeGreaterThan(sequence);
  await db.close();
});

test('a failed fsync of the log stops it for good, and after a new open it is there whole or not at all', async () => {
  const disk = new MemoryFs();
  const fs = new FaultFs(disk);
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual', ...smallBatches });
  const a = db.keyspace('a', codecs);
  db.syncNow();
  const tx = db.begin();
  putAll(tx, a, wanted);
  fs.add({ kind: 'failedSync', path: /wal$/ });
  await expectRefusal(() => time.run(tx.commit({ durability: 'disk' })), 'POISONED', 'io');
  await expectRefusal(() => db.begin(), 'POISONED', 'io');
  await db.close().catch(() => undefined);
  fs.heal();
  const again = await new ManualScheduler().open('/db', { fileSystem: disk, ...smallBatches });
  expect([0, wanted.length]).toContain(again.keyspace('a', codecs).count());
  expect((await again.verify()).problems).toEqual([]);
  await again.close();
});
