/** The working set over a restart: what was in use is read again, in the background; whatever the file holds, answers are right. */
import { type Database, utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { expect, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';

const KEYS = 2000;
const keyOf = (index: number): string => `key ${String(index).padStart(6, '0')}`;
const valueOf = (index: number): string => `${index} `.repeat(20);

interface Run {
  readonly db: Database;
  readonly time: ManualScheduler;
  read(index: number): void;
}

async function open(fs: SimFs, options = {}): Promise<Run> {
  const time = new ManualScheduler();
  const db = await time.open('/db', {
    fileSystem: fs,
    sync: 'manual',
    cacheBytesMax: 1024 * 1024,
    ...options,
  });
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  const read = (index: number): void => {
    if (data.get(keyOf(index)) !== valueOf(index)) expect.fail(`the value of ${index} is wrong`);
  };
  return { db, time, read };
}

/** A database of one table, of whose blocks those of the first hundred keys are in use when it is closed. */
async function used(): Promise<SimFs> {
  const fs = new SimFs();
  const { db, time, read } = await open(fs);
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  for (let i = 0; i < KEYS; i++) data.put(keyOf(i), valueOf(i));
  await time.run(db.flush());
  await time.run(db.compact());
  for (let i = 0; i < 300; i++) read(i % 100);
  await time.run(db.close());
  return fs;
}

const cacheFiles = (fs: SimFs): string[] => fs.list('/db').filter((name) => name.startsWith('CACHE-'));

/** Does the read of a key need its block from the file? A block takes 4 KiB of the cache, a row less. */
function readsBlock({ db, read }: Run, index: number): boolean {
  const before = db.stats().memoryBytes.cache;
  read(index);
  return db.stats().memoryBytes.cache - before >= 4096;
}

test('blocks that were in use are in the cache soon after the next open', async () => {
  const fs = await used();
  const run = await open(fs);
  const { db, time } = run;
  expect(db.stats().memoryBytes.cache).toBe(0);
  await time.advance(100);
  expect(db.stats().memoryBytes.cache).toBeGreaterThan(0);
  expect(readsBlock(run, 50)).toBe(false);
  expect(readsBlock(run, KEYS - 1)).toBe(true);
  await time.run(db.close());
  expect(cacheFiles(fs)).toHaveLength(1);
});

test('a database that is open for a moment forgets nothing', async () => {
  const fs = await used();
  const first = await open(fs);
  await first.time.run(first.db.close());
  const second = await open(fs);
  second.read(KEYS - 1);
  second.read(KEYS - 1);
  await second.time.run(second.db.close());
  const third = await open(fs);
  await third.time.advance(100);
  expect(readsBlock(third, 50)).toBe(false);
  expect(readsBlock(third, KEYS - 1)).toBe(false);
  await third.time.run(third.db.close());
});

test('what is in use is remembered while the database is open, a minute after it changed', async () => {
  const fs = await used();
  const { time, read } = await open(fs);
  await time.advance(100);
  const [before] = cacheFiles(fs);
  await time.advance(200_000);
  expect(cacheFiles(fs)).toEqual([before]);
  for (let i = 0; i < 3; i++) read(KEYS - 1);
  await time.advance(59_000);
  expect(cacheFiles(fs)).toEqual([before]);
  await time.advance(2000);
  expect(cacheFiles(fs)).toHaveLength(1);
  expect(cacheFiles(fs)).not.toEqual([before]);
  const again = await open(fs.crashProcess());
  await again.time.advance(100);
  expect(readsBlock(again, KEYS - 1)).toBe(false);
  await again.time.run(again.db.close());
});

test('tables that live no more are left out', async () => {
  const fs = await used();
  const first = await open(fs);
  const data = first.db.keyspace('data', { key: utf8, value: utf8 });
  data.put(keyOf(0), valueOf(0));
  await first.time.run(first.db.flush());
  await first.time.run(first.db.compact());
  await first.time.run(first.db.close());
  const second = await open(fs);
  await second.time.advance(100);
  expect(second.db.stats().memoryBytes.cache).toBe(0);
  for (let i = 0; i < KEYS; i += 10) second.read(i);
  await second.time.run(second.db.close());
});

test('neither a cache of nothing nor a reader writes the file', async () => {
  const fs = await used();
  const before = cacheFiles(fs);
  for (const options of [{ cacheBytesMax: 0 }, { readOnly: true, createIfMissing: false }]) {
    const { db, time, read } = await open(fs, options);
    await time.advance(100);
    for (let i = 0; i < 10; i++) read(KEYS - 1);
    await time.run(db.close());
    expect(cacheFiles(fs)).toEqual(before);
  }
});

test('a file with any bit changed, cut or emptied changes no answer', async () => {
  const fs = await used();
  const path = `/db/${cacheFiles(fs)[0]!}`;
  const random = new Random(1);
  const file = fs.open(path, 'readWrite');
  const whole = new Uint8Array(file.size());
  file.read(whole, 0, whole.length, 0);
  const damaged: Uint8Array[] = [
    new Uint8Array(0),
    new Uint8Array(100_000),
    whole.slice(0, whole.length - 1),
  ];
  for (let i = 0; i < 30; i++) {
    const copy = whole.slice();
    copy[random.below(copy.length)]! ^= 1 << random.below(8);
    damaged.push(copy);
  }
  for (const bytes of damaged) {
    // The database writes a fresh one when it closes.
    const name = cacheFiles(fs)[0]!;
    const target = fs.open(`/db/${name}`, 'readWrite');
    target.truncate(0);
    target.write(bytes, 0, bytes.length, 0);
    target.close();
    const { db, time, read } = await open(fs);
    await time.advance(100);
    for (let i = 0; i < KEYS; i += 100) for (let twice = 0; twice < 2; twice++) read(i);
    await time.run(db.close());
    expect(cacheFiles(fs)).toHaveLength(1);
  }
});
