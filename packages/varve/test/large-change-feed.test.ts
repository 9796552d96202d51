/** Transactions that are larger than a batch, as changes: everything that they wrote, in all keyspaces, at one sequence. */
import { type Change, type ChangeFeed, counter, open, u64, utf8 } from 'varve';
import { MemoryFs, Random, SimFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import {
  codecs,
  type Data,
  entries,
  largeWorld,
  type LargeWorld,
  putAll,
  smallBatches,
} from './large-world.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { key } from './small-tables.ts';

const wanted = entries(0, 600, 'new');

async function parts<K, V>(feed: ChangeFeed<K, V>, sequence: number): Promise<Change<K, V>[]> {
  const changes: Change<K, V>[] = [];
  while (feed.token.sequence < sequence) changes.push((await feed.next()).value as Change<K, V>);
  feed.close();
  return changes;
}

async function committed({ db, a, b }: LargeWorld): Promise<number> {
  const tx = db.begin();
  putAll(tx, b, wanted);
  for (let i = 100; i < 110; i++) tx.delete(b, key(i));
  tx.put(a, 'alone', 'value', { ttlMs: 60_000 });
  tx.delete(a, 'gone');
  const sequence = await tx.commit({ durability: 'disk' });
  await db.sync();
  return sequence;
}

test('all of it comes in parts of one sequence, puts and deletes, keyspace by keyspace', async () => {
  const world = await largeWorld();
  const feed = world.db.changes({ keyspaces: [world.a, world.b] });
  const sequence = await committed(world);
  const changes = await parts(feed, sequence);
  expect(changes.map((change) => change.sequence)).toEqual(changes.map(() => sequence));
  expect(changes.map(({ ingestion }) => ingestion)).toEqual(
    changes.map((_, part) => ({ part, isLast: part === changes.length - 1 })),
  );
  const operations = changes.flatMap((change) => change.operations);
  expect(operations.slice(0, 2)).toMatchObject([
    { type: 'put', keyspace: 'a', key: 'alone', value: 'value', expiresAt: expect.any(Number) as number },
    { type: 'delete', keyspace: 'a', key: 'gone' },
  ]);
  expect(operations.slice(2)).toEqual(
    wanted.map(([name, value], i) =>
      i >= 100 && i < 110
        ? { type: 'delete', keyspace: 'b', key: name }
        : { type: 'put', keyspace: 'b', key: name, value },
    ),
  );
});

test('keyspaces and ranges hold for it', async () => {
  const world = await largeWorld();
  const { db, a, b } = world;
  const [one, some] = [
    db.changes({ keyspaces: [a] }),
    db.changes({ keyspaces: ['a', 'b'], range: { gte: new TextEncoder().encode(key(590)) } }),
  ];
  const sequence = await committed(world);
  expect((await parts(one, sequence)).flatMap(({ operations }) => operations)).toHaveLength(2);
  const shown = (await parts(some, sequence)).flatMap(({ operations }) => operations);
  expect(shown.map(({ keyspace }) => keyspace)).toEqual(['a', 'a', ...Array.from({ length: 10 }, () => 'b')]);
  expect(b.count()).toBe(590);
});

test('operands of merges are told', async () => {
  const { db, a } = await largeWorld();
  const counts = db.keyspace('counts', { key: utf8, value: u64, mergeOperator: counter });
  const feed = db.changes({ keyspaces: [counts] });
  const tx = db.begin();
  putAll(tx, a, wanted);
  tx.merge(counts, 'n', 2);
  tx.merge(counts, 'n', 3);
  const sequence = await tx.commit({ durability: 'disk' });
  await db.sync();
  const [change] = await parts(feed, sequence);
  expect(change!.operations).toEqual([{ type: 'merge', keyspace: 'counts', key: 'n', operands: [2, 3] }]);
});

test('what nobody kept is said to be gone, with the token to go on from', async () => {
  const fs = new MemoryFs();
  const db = await open('/db', { ...smallBatches, fileSystem: fs });
  onTestFinished(() => db.close());
  const b = db.keyspace('b', codecs);
  const world = { db, a: db.keyspace('a', codecs), b };
  const start = db.stats().sequence;
  const sequence = await committed(world);
  const brought = fs.list('/db').filter((name) => name.endsWith('.sst'));
  for (const [name] of wanted) b.put(name, 'later');
  await db.flush();
  await db.compact();
  await db.sync();
  // Files go in the background. That of the other keyspace stays.
  const left = (): number => brought.filter((name) => fs.list('/db').includes(name)).length;
  while (left() > 1) await new Promise((resolve) => setImmediate(resolve));
  const feed = db.changes({ since: start, keyspaces: [b] });
  await expectRefusal(() => feed.next(), 'INGESTION_GONE', 'invalid', {
    keyspace: 'b',
    sequence,
    next: { incarnation: 1, sequence },
  });
  expect(db.keyspace('b', codecs).get(key(0))).toBe('later');
});

test('of what is gone all keyspaces are named that were not given whole; those before them are given', async () => {
  const fs = new MemoryFs();
  const db = await open('/db', { ...smallBatches, fileSystem: fs });
  onTestFinished(() => db.close());
  const [a, b, c] = ['a', 'b', 'c'].map((name) => db.keyspace(name, codecs)) as [Data, Data, Data];
  const start = db.stats().sequence;
  const { length } = fs.list('/db');
  await db.transaction((tx) => [a, b, c].forEach((data) => putAll(tx, data, wanted)));
  expect(fs.list('/db').length).toBe(length + 3);
  const brought = fs.list('/db').filter((name) => name.endsWith('.sst'));
  for (const [name] of wanted) b.put(name, 'later');
  await db.flush();
  await db.compact({ keyspace: 'b' });
  const sequence = start + 1;
  await db.sync();
  const left = (): number => brought.filter((name) => fs.list('/db').includes(name)).length;
  while (left() > 2) await new Promise((resolve) => setImmediate(resolve));
  const feed = db.changes({ since: start });
  const shown = new Map<string, number>();
  const error = await expectRefusal(
    async () => {
      for await (const { operations, token } of feed) {
        expect(token.sequence).toBe(start);
        for (const { keyspace } of operations) shown.set(keyspace, (shown.get(keyspace) ?? 0) + 1);
      }
    },
    'INGESTION_GONE',
    'invalid',
    { keyspace: 'b', keyspaces: ['b', 'c'], sequence, next: { incarnation: 1, sequence } },
  );
  expect(error.message).toContain("read 'b', 'c'");
  expect([...shown]).toEqual([['a', wanted.length]]);
});

test('what is kept is kept over a crash that the record outlives and names of files do not', async () => {
  const options = { ...smallBatches, sync: 'manual', changesRetention: { bytes: 1024 ** 3 } } as const;
  let survived = 0;
  for (let seed = 0; seed < 30; seed++) {
    const fs = new SimFs();
    const time = new ManualScheduler();
    const first = await time.open('/db', { fileSystem: fs, ...options }, { sliceMs: 0 });
    const [a, b] = ['a', 'b'].map((name) => first.keyspace(name, codecs)) as [
      LargeWorld['a'],
      LargeWorld['b'],
    ];
    await time.run(first.flush());
    await time.run(first.sync());
    const { sequence } = first.stats();
    first
      .transaction((tx) => {
        putAll(tx, a, wanted);
        putAll(tx, b, wanted);
      })
      .catch(() => undefined);
    while (first.stats().sequence === sequence) await time.turn();
    if (seed % 2 === 0) first.dropKeyspace('b').catch(() => undefined);
    first.syncNow('os');
    const left = fs.crash(new Random(seed));
    const db = await time.open('/db', { fileSystem: left, ...options }, { sliceMs: 0 });
    // So that nothing but a feed has a use for its tables.
    const again = db.keyspace('a', codecs);
    const isThere = again.count() > 0;
    for (const [name] of wanted) again.put(name, 'later');
    await time.run(db.flush());
    await time.run(db.compact());
    await time.run(db.sync());
    if (isThere) {
      survived++;
      const feed = db.changes({ since: sequence });
      const shown = new Map<string, number>();
      while (feed.token.sequence < sequence + 1) {
        const { operations } = (await time.run(feed.next())).value as Change;
        for (const { keyspace } of operations) shown.set(keyspace, (shown.get(keyspace) ?? 0) + 1);
      }
      feed.close();
      expect([...shown]).toEqual([
        ['a', wanted.length],
        ['b', wanted.length],
      ]);
    }
    await time.run(db.close());
  }
  expect(survived).toBeGreaterThan(3);
}, 60_000);
