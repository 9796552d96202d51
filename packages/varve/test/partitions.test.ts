/**
 * countAsync counts what count counts, at one sequence, whatever is written, flushed and compacted meanwhile; the partitions
 * of a range are the range, each entry once.
 */
import { rmSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, type Keyspace, open, type Range } from 'varve';
import { Random } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { inMemory } from './in-memory.ts';
import { key, small } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

type Strings = Keyspace<string, string>;

async function onDisk(): Promise<{ db: Database; space: Strings; path: string }> {
  const path = temporaryDirectory();
  const db = await open(path, { workers: 1, sync: 'manual', cacheBytesMax: 64 * 1024 });
  onTestFinished(() => db.close());
  return { db, space: db.keyspace('k', small), path };
}

async function collect<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

for (const seed of [1, 2, 3]) {
  test(`counts and partitions are right while tables come and go (seed ${seed})`, async () => {
    const random = new Random(seed);
    const { db, space } = await onDisk();
    const keyOf = (): string => key(random.below(4000));
    const write = (): void => {
      for (let i = random.below(1500); i > 0; i--) {
        if (random.oneIn(6)) space.delete(keyOf());
        else if (random.oneIn(300)) {
          const [gte, lt] = [keyOf(), keyOf()].sort() as [string, string];
          space.deleteRange({ gte, lt });
        } else space.put(keyOf(), 'v'.repeat(random.below(300)));
      }
    };
    const range = (): Range<string> => {
      const [gte, lt] = [keyOf(), keyOf()].sort() as [string, string];
      return {
        ...(random.oneIn(3) ? {} : { gte }),
        ...(random.oneIn(3) ? {} : { lt }),
        reverse: random.oneIn(2),
      };
    };
    for (let round = 0; round < 8; round++) {
      write();
      if (random.oneIn(4)) await db.flush();
      if (random.oneIn(6)) await db.compact();
      const cases = [range(), range(), { ...range(), limit: random.below(100) }].map((bounds) => ({
        bounds,
        wanted: space.count(bounds),
      }));
      const counts = cases.map(({ bounds }) =>
        space.countAsync(bounds, random.oneIn(2) ? {} : { partitions: 1 + random.below(9) }),
      );
      using state = db.snapshot();
      const bounds = range();
      const parts = state.range(space, bounds).partitions(1 + random.below(9));
      const whole = [...state.range(space, bounds)];
      const walks = Promise.all(parts.map((part) => collect(part)));
      // What is written from here on belongs to none of them.
      write();
      expect(await Promise.all(counts)).toEqual(cases.map(({ wanted }) => wanted));
      expect((await walks).flat()).toEqual(whole);
      expect(parts.flatMap((part) => [...part])).toEqual(whole);
    }
    expect(db.stats().snapshots.count).toBe(0);
  });
}

test('partitions have about equal shares', async () => {
  const { db, space } = await onDisk();
  for (let i = 0; i < 20_000; i++) space.put(key(i), 'v'.repeat(100));
  await db.flush();
  await db.compact();
  const parts = space.range().partitions(5);
  expect(parts).toHaveLength(5);
  for (const part of parts) {
    const count = [...part].length;
    expect(count).toBeGreaterThan(3000);
    expect(count).toBeLessThan(5000);
  }
});

test('what is in memory only is counted, with what it hides', async () => {
  const { db, space } = await onDisk();
  for (let i = 0; i < 1000; i++) space.put(key(i), 'in a table');
  await db.flush();
  space.delete(key(5));
  space.deleteRange({ gte: key(10), lt: key(20) });
  space.put(key(2000), 'in memory');
  expect(await space.countAsync()).toBe(1000 - 11 + 1);
  expect(await space.countAsync({ gte: key(2000) })).toBe(1);
});

test('a count in memory of the engine walks in turns', async () => {
  const db = await inMemory();
  const space = db.keyspace('k', small);
  for (let i = 0; i < 3000; i++) space.put(key(i), 'v');
  expect(await space.countAsync({ gte: key(100) }, { partitions: 3 })).toBe(2900);
  expect(
    space
      .range()
      .partitions(3)
      .flatMap((part) => [...part.keys()]),
  ).toHaveLength(3000);
});

test('closing while it is counted rejects as closed', async () => {
  const { db, space } = await onDisk();
  for (let i = 0; i < 5000; i++) space.put(key(i), 'v'.repeat(100));
  await db.flush();
  const outcome = Promise.allSettled([space.countAsync(), space.countAsync({}, { partitions: 50 })]);
  await new Promise((resolve) => setImmediate(resolve));
  await db.close();
  for (const each of await outcome) {
    expect(each).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } });
  }
});

test('a table that is gone is a rejection', async () => {
  const { db, space, path } = await onDisk();
  for (let i = 0; i < 500; i++) space.put(key(i), 'v'.repeat(100));
  await db.flush();
  for (const name of readdirSync(path)) if (name.endsWith('.sst')) rmSync(join(path, name));
  await expect(space.countAsync({}, { partitions: 1 })).rejects.toMatchObject({ kind: 'io' });
  expect(db.stats().snapshots.count).toBe(0);
});

test('wrong parts are refused', async () => {
  const { space } = await onDisk();
  for (const parts of [0, -1, 1.5, 5000, '3' as unknown as number, Number.NaN]) {
    expect(() => space.range().partitions(parts)).toThrow(expect.objectContaining({ code: 'RANGE_INVALID' }));
    await expect(space.countAsync({}, { partitions: parts })).rejects.toMatchObject({
      code: 'RANGE_INVALID',
    });
  }
  expect(() => space.range({ limit: 5 }).partitions(2)).toThrow(
    expect.objectContaining({ code: 'RANGE_INVALID' }),
  );
});
