/** Keyspaces that nobody has named since the open are left as they are: what their settings are is not known yet. */
import type { Database, Keyspace, KeyspaceOptions } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { key, small } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

type Options = KeyspaceOptions<string, string>;

const bytesMax = 1024 * 1024;
const fifo = { ...small, compression: 'none', compaction: { strategy: 'fifo', bytesMax } } as const;

async function opened(time: ManualScheduler, fileSystem: MemoryFs): Promise<Database> {
  const db = await time.open('/db', {
    fileSystem,
    sync: 'manual',
    defragment: { intervalMs: 1000 },
    pressure: 'fail',
  });
  onTestFinished(() => db.close());
  return db;
}

/** Flushes of 200 entries of their own, some 45 KB each. */
async function parts(db: Database, data: Keyspace<string, string>, from: number, to: number): Promise<void> {
  for (let part = from; part < to; part++) {
    for (let i = 0; i < 200; i++) data.put(key(part * 200 + i), 'v'.repeat(200));
    await db.flush();
  }
}

/** Closed with `count` flushes in keyspace 'data', and opened anew. */
async function reopened(
  options: Options,
  count: number,
): Promise<{ time: ManualScheduler; db: Database; fs: MemoryFs }> {
  const [time, fs] = [new ManualScheduler(), new MemoryFs()];
  const before = await opened(time, fs);
  await time.run(parts(before, before.keyspace('data', options), 0, count));
  await time.run(before.close());
  const db = await opened(time, fs);
  await time.advance(60_000);
  return { time, db, fs };
}

const filesOf = (db: Database): number[] => db.levels().keyspaces['data']!.levels.map(({ files }) => files);

test('a series keeps what is newest over an open, however long it takes until it is named', async () => {
  const { time, db } = await reopened(fifo, 20);
  expect(filesOf(db)).toEqual([20, 0, 0, 0, 0, 0, 0]);
  const data = db.keyspace('data', fifo);
  await time.run(parts(db, data, 20, 26));
  await time.settle();
  const [oldest] = data.range({ limit: 1 }).keys();
  expect(Number(oldest)).toBeLessThanOrEqual(6 * 200);
  expect(data.count()).toBe(26 * 200 - Number(oldest));
});

test('as soon as one is named it is compacted as its settings say', async () => {
  const { time, db } = await reopened({ ...small, compaction: { strategy: 'tiered', runs: 20 } }, 6);
  expect(filesOf(db)[0]).toBe(6);
  db.keyspace('data', small);
  await time.settle();
  // What of level 0 does not overlap goes down part by part, until it is not too much any more.
  expect(filesOf(db)[0]).toBeLessThan(4);
});

test('deletes in tables do their work when the keyspace is named, though nobody writes', async () => {
  const [time, fs] = [new ManualScheduler(), new MemoryFs()];
  const before = await opened(time, fs);
  const data = before.keyspace('data', small);
  await time.run(parts(before, data, 0, 1));
  for (let i = 0; i < 200; i++) data.delete(key(i));
  await time.run(before.flush());
  await time.run(before.close());
  const db = await opened(time, fs);
  await time.advance(60_000);
  expect(filesOf(db)[0]).toBe(2);
  db.keyspace('data', small);
  await time.advance(60_000);
  expect(filesOf(db).every((files) => files === 0)).toBe(true);
});

test('compact and reclaim leave out those that were never merged, and refuse one that is asked for', async () => {
  const { time, db } = await reopened(small, 3);
  const other = db.keyspace('other', small);
  other.put('a', 'b');
  await time.run(db.compact());
  await time.run(db.reclaim());
  expect(filesOf(db)[0]).toBe(3);
  await expectRefusal(() => db.compact({ keyspace: 'data' }), 'KEYSPACE_UNNAMED', 'invalid');
  await expectRefusal(() => db.reclaim({ keyspace: 'data' }), 'KEYSPACE_UNNAMED', 'invalid');
  db.keyspace('data', small);
  await time.run(db.compact({ keyspace: 'data' }));
  expect(filesOf(db)[0]).toBe(0);
});

test('compact goes through those that were merged before, by the defaults', async () => {
  const [time, fs] = [new ManualScheduler(), new MemoryFs()];
  const before = await opened(time, fs);
  const data = before.keyspace('data', small);
  await time.run(parts(before, data, 0, 1));
  await time.run(before.compact());
  before.pauseCompaction();
  for (let i = 0; i < 200; i++) data.delete(key(i));
  await time.run(before.close());
  for (const options of [{}, { keyspace: 'data' }]) {
    const db = await opened(time, fs);
    await time.run(db.compact(options));
    expect(filesOf(db).every((files) => files === 0)).toBe(true);
    await time.run(db.close());
  }
});

test('writes to others are not held back by what one has gathered in level 0', async () => {
  const gathers: Options = { ...small, compaction: { strategy: 'fifo', windowMs: 3_600_000 } };
  const { db } = await reopened(gathers, 40);
  const other = db.keyspace('other', small);
  other.put('a', 'b');
  expect([filesOf(db)[0], other.get('a')]).toEqual([40, 'b']);
  // Of one that compacts they count as soon as that is known.
  db.pauseCompaction();
  db.keyspace('data', small);
  await expectRefusal(() => other.put('a', 'c'), 'BUSY', 'busy');
});

test('an attached thread that uses one as it is has named it', async () => {
  const path = temporaryDirectory();
  const before = await openAttached(path, {});
  const data = before.keyspace('data', small);
  for (let part = 0; part < 3; part++) {
    data.put(key(part), 'v');
    await before.flush();
  }
  await before.close();
  const db = await openAttached(path, {});
  onTestFinished(() => db.close());
  await expectRefusal(() => db.compact({ keyspace: 'data' }), 'KEYSPACE_UNNAMED', 'invalid');
  db.keyspace('data', { key: small.key, value: small.value });
  await db.compact({ keyspace: 'data' });
  expect(filesOf(db)[0]).toBe(0);
});
