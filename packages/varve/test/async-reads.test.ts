/**
 * getAsync, getManyAsync and `for await` read cold blocks in worker threads, and give what the synchronous reads give: over
 * levels, snapshots, deletes and compactions, cold and warm. What they hold ends with them.
 */
import { closeSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, type Keyspace, open, VarveError } from 'varve';
import { Random } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { key, small } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

type Strings = Keyspace<string, string>;

async function openAt(path: string, cacheBytesMax: number): Promise<Database> {
  const db = await open(path, { workers: 1, cacheBytesMax, sync: 'manual' });
  onTestFinished(() => db.close());
  return db;
}

async function collect<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

/** A closed database with `count` entries in tables, then opened again, with nothing in the cache. */
async function cold(
  count: number,
  cacheBytesMax = 4 * 1024 * 1024,
): Promise<{ db: Database; space: Strings; path: string }> {
  const path = temporaryDirectory();
  const first = await open(path, { workers: 1, sync: 'manual', cacheBytesMax: 0 });
  const space = first.keyspace('k', small);
  for (let i = 0; i < count; i++) space.put(key(i), `${i}:${'v'.repeat(i % 200)}`);
  await first.flush();
  await first.close();
  const db = await openAt(path, cacheBytesMax);
  return { db, space: db.keyspace('k', small), path };
}

for (const seed of [1, 2, 3, 4]) {
  test(`async reads give what synchronous reads give while tables come and go (seed ${seed})`, async () => {
    const random = new Random(seed);
    const path = temporaryDirectory();
    const db = await openAt(path, random.pick([0, 64 * 1024, 4 * 1024 * 1024]));
    const space = db.keyspace('k', {
      ...small,
      compression: random.pick(['none', 'lz4'] as const),
      ...random.pick([{}, { blobValueBytes: 64 }]),
      filterBitsPerKey: random.pick([0, 10]),
    });
    const keyOf = (): string => key(random.below(3000));
    const range = (): { gte?: string; lt?: string; reverse: boolean; limit?: number } => {
      const [gte, lt] = [keyOf(), keyOf()].sort() as [string, string];
      return {
        ...(random.oneIn(4) ? {} : { gte }),
        ...(random.oneIn(4) ? {} : { lt }),
        reverse: random.oneIn(2),
        ...(random.oneIn(3) ? { limit: random.below(500) } : {}),
      };
    };
    for (let round = 0; round < 12; round++) {
      for (let i = random.below(2500); i > 0; i--) {
        if (random.oneIn(8)) space.delete(keyOf());
        else space.put(keyOf(), `${random.below(1e6)} ${'v'.repeat(random.below(300))}`);
      }
      if (random.oneIn(3)) await db.flush();
      if (random.oneIn(6)) await db.compact();
      const keys = Array.from({ length: 150 }, keyOf);
      const wanted = keys.map((each) => space.get(each));
      const walks = [range(), range(), {}].map((bounds) => ({ bounds, wanted: [...space.range(bounds)] }));
      // All at once, and with writes in between: each reads at the sequence of its beginning.
      const running = [
        ...keys.map((each) => space.getAsync(each)),
        space.getManyAsync(keys),
        ...walks.map(({ bounds }) => collect(space.range(bounds))),
      ];
      for (let i = 0; i < 300; i++) space.put(keyOf(), 'written meanwhile');
      const got = await Promise.all(running);
      expect(got.slice(0, keys.length)).toEqual(wanted);
      expect(got[keys.length]).toEqual(wanted);
      for (const [i, walk] of walks.entries()) expect(got[keys.length + 1 + i]).toEqual(walk.wanted);
    }
    expect(db.stats().snapshots.count).toBe(0);
  });
}

for (const cacheBytesMax of [0, 4 * 1024 * 1024]) {
  test(`a reopened database reads in worker threads what is not in its cache of ${cacheBytesMax} bytes`, async () => {
    const { db, space } = await cold(4000, cacheBytesMax);
    expect(await space.getAsync(key(77))).toBe(`77:${'v'.repeat(77)}`);
    const afterGet = db.stats().asyncReads.jobs;
    expect(afterGet).toBeGreaterThan(0);
    const all = await collect(space.range());
    expect(all).toHaveLength(4000);
    expect(all).toEqual([...space.range()]);
    expect(await collect(space.range({ reverse: true }).keys())).toEqual(all.map(([each]) => each).reverse());
    expect(await collect(space.range().values())).toEqual(all.map(([, value]) => value));
    expect(db.stats().asyncReads.jobs).toBeGreaterThan(afterGet + 2);
    expect(db.stats().asyncReads.running).toBe(0);
  });
}

test('what is cached is read without a job', async () => {
  const { db, space } = await cold(2000);
  await collect(space.range());
  await space.getManyAsync([key(1), 'not there']);
  const { jobs } = db.stats().asyncReads;
  expect(await space.getAsync(key(5))).toBe('5:vvvvv');
  expect(await space.getManyAsync([key(7), 'no such key', key(9)])).toEqual([
    `7:${'v'.repeat(7)}`,
    undefined,
    `9:${'v'.repeat(9)}`,
  ]);
  expect(await collect(space.range({ gte: key(100), lt: key(1500) }))).toHaveLength(1400);
  expect(db.stats().asyncReads.jobs).toBe(jobs);
});

test('several reads at once share their jobs', async () => {
  const { db, space } = await cold(4000);
  await space.getAsync(key(0));
  const before = db.stats().asyncReads.jobs;
  const keys = Array.from({ length: 200 }, (_, i) => key(i * 20));
  const values = await Promise.all(keys.map((each) => space.getAsync(each)));
  expect(values.every((value) => value !== undefined)).toBe(true);
  expect(db.stats().asyncReads.jobs - before).toBeLessThan(60);
});

test('a walk reads ahead no further than its consumer follows', async () => {
  const { db, space } = await cold(60_000, 0);
  const walk = space.range()[Symbol.asyncIterator]();
  for (let i = 0; i < 5000; i++) await walk.next();
  await quiet(db);
  const { jobs } = db.stats().asyncReads;
  // Nobody asks for more: nothing more is read.
  await quiet(db);
  expect(db.stats().asyncReads.jobs).toBe(jobs);
  expect(db.stats().asyncReads.runningMax).toBeLessThanOrEqual(4);
  const rest = await collect({ [Symbol.asyncIterator]: () => walk });
  expect(rest).toHaveLength(55_000);
  expect(db.stats().asyncReads.jobs).toBeGreaterThan(jobs);
});

/** Until no job is out. */
async function quiet(db: Database): Promise<void> {
  while (db.stats().asyncReads.running > 0) await new Promise((resolve) => setImmediate(resolve));
}

test('a consumer that leaves a walk leaves nothing', async () => {
  const { db, space } = await cold(20_000, 0);
  for (let round = 0; round < 5; round++) {
    for await (const [first] of space.range({ gte: key(round * 1000) })) {
      expect(first).toBe(key(round * 1000));
      break;
    }
  }
  expect(db.stats().snapshots.count).toBe(0);
  await quiet(db);
  expect(db.stats().asyncReads.waiting).toBe(0);
});

test('closing while reads are on their way rejects them as closed', async () => {
  const { db, space } = await cold(20_000, 0);
  const reads = [
    space.getAsync(key(1)),
    space.getManyAsync(Array.from({ length: 500 }, (_, i) => key(i * 40))),
    collect(space.range()),
    collect(space.range({ reverse: true })),
  ];
  const settled = Promise.allSettled(reads);
  await new Promise((resolve) => setImmediate(resolve));
  await db.close();
  for (const outcome of await settled) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } });
  }
  await expect(space.getAsync(key(1))).rejects.toMatchObject({ code: 'CLOSED' });
});

test('dropping the keyspace ends the reads of it', async () => {
  const { db, space } = await cold(5000, 0);
  const reads = [space.getAsync(key(4000)), collect(space.range())];
  const settled = Promise.allSettled(reads);
  await db.dropKeyspace('k');
  for (const outcome of await settled) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'KEYSPACE_DROPPED' } });
  }
});

test('a damaged block is a rejection that says where, and only for what needs it', async () => {
  const { db, space, path } = await cold(5000, 0);
  await db.close();
  const table = join(
    path,
    readdirSync(path)
      .filter((name) => name.endsWith('.sst'))
      .sort()[0]!,
  );
  const file = openSync(table, 'r+');
  const byte = new Uint8Array(1);
  readSync(file, byte, 0, 1, 9000);
  byte[0]! ^= 1;
  writeSync(file, byte, 0, 1, 9000);
  closeSync(file);
  const again = await openAt(path, 0);
  const damaged = again.keyspace('k', small);
  const outcomes = await Promise.allSettled(Array.from({ length: 300 }, (_, i) => damaged.getAsync(key(i))));
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(failed.length).toBeGreaterThan(0);
  expect(failed.length).toBeLessThan(100);
  for (const { reason } of failed) {
    expect(reason).toBeInstanceOf(VarveError);
    expect(reason).toMatchObject({
      code: 'CORRUPTION',
      context: { file: table, offset: expect.any(Number) as unknown },
    });
  }
  await expect(collect(damaged.range())).rejects.toMatchObject({
    code: 'CORRUPTION',
    context: { file: table },
  });
  await expect(
    damaged.getManyAsync([key(0), ...Array.from({ length: 300 }, (_, i) => key(i))]),
  ).rejects.toMatchObject({
    code: 'CORRUPTION',
  });
  expect(space.name).toBe('k');
});

test('a table that is gone is a rejection', async () => {
  const { db, space, path } = await cold(500, 0);
  for (const name of readdirSync(path)) if (name.endsWith('.sst')) rmSync(join(path, name));
  await expect(space.getAsync(key(3))).rejects.toMatchObject({ kind: 'io' });
  await expect(collect(space.range())).rejects.toMatchObject({ kind: 'io' });
  expect(db.stats().asyncReads.running).toBe(0);
});

test('keys of a wrong kind are refused by a rejection', async () => {
  const { space } = await cold(10);
  await expect(space.getAsync(5 as unknown as string)).rejects.toMatchObject({ code: 'KEY_INVALID' });
  await expect(space.getManyAsync('abc' as unknown as string[])).rejects.toMatchObject({
    code: 'KEY_INVALID',
  });
  await expect(space.getManyAsync([key(1), 5 as unknown as string])).rejects.toMatchObject({
    code: 'KEY_INVALID',
  });
  expect(await space.getManyAsync([])).toEqual([]);
});

test('a snapshot is walked at its sequence', async () => {
  const { db, space } = await cold(3000, 0);
  const snapshot = db.snapshot();
  const wanted = [...space.range()];
  for (let i = 0; i < 3000; i += 2) space.delete(key(i));
  const walk = collect(snapshot.range(space));
  await db.flush();
  await db.compact();
  expect(await walk).toEqual(wanted);
  expect(await collect(snapshot.range(space, { reverse: true }))).toEqual(wanted.toReversed());
  snapshot.close();
});
