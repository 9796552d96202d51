/**
 * Flushes and compactions in real worker threads: one that dies in the middle, one that is urgent beside one that takes long, one that is
 * done by several. Jobs that should be met in the middle are held back by a low `compactionRate`, not by waiting.
 */
import { readdirSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { type Database, type DatabaseOptions, type Keyspace, open, utf8 } from 'varve';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { expectRefusal } from './refusal.ts';
import { key } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const MIB = 1024 * 1024;
const compactionThreads: Worker[] = [];
const flushThreads: Worker[] = [];
/** A thread that has ended has no name any more. */
function started(worker: Worker): void {
  const { threadName } = worker as { threadName?: string | null };
  if (threadName === 'varve-compaction') compactionThreads.push(worker);
  if (threadName === 'varve-flush') flushThreads.push(worker);
}

beforeAll(() => void process.on('worker', started));
beforeEach(() => {
  compactionThreads.splice(0);
  flushThreads.splice(0);
});
afterAll(() => void process.off('worker', started));

interface World {
  readonly path: string;
  readonly db: Database;
  readonly data: Keyspace<string, string>;
  readonly warnings: { code: string }[];
}

async function world(options: DatabaseOptions): Promise<World> {
  const path = temporaryDirectory();
  const db = await open(path, { sync: 'manual', defragment: false, ...options });
  onTestFinished(() => db.close());
  const warnings: World['warnings'] = [];
  db.events.addEventListener('warning', (event) =>
    warnings.push((event as CustomEvent<{ code: string }>).detail),
  );
  return { path, db, data: db.keyspace('data', { key: utf8, value: utf8, compression: 'none' }), warnings };
}

/** Turns of the event loop until something is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** Tables in the directory. */
const tablesOf = ({ path }: World): string[] => readdirSync(path).filter((name) => name.endsWith('.sst'));

/** Tables that the database has. */
function tablesIn({ db }: World): number {
  const { keyspaces } = db.levels();
  return Object.values(keyspaces).flatMap(({ levels }) => levels.flatMap(({ tables }) => tables)).length;
}

/** Ends the thread in which the compaction runs, once that has gone through some of its input. */
async function kill({ db }: World): Promise<void> {
  await until(() => (db.levels().running[0]?.doneBytes ?? 0) > 0);
  const worker = compactionThreads.at(-1)!;
  await worker.terminate();
}

async function twoRuns({ db, data }: World, count: number, bytes: number): Promise<void> {
  for (const text of ['a', 'b']) {
    for (let i = 0; i < count; i++) data.put(key(i), text.repeat(bytes));
    await db.flush();
  }
}

test('a thread that dies in the middle leaves its inputs and no file, and the compaction is made again', async () => {
  const here = await world({ workers: 1, compactionRate: 2 * MIB });
  await twoRuns(here, 1000, 1000);
  const before = tablesOf(here);
  const compact = here.db.compact();
  await kill(here);
  await until(() => here.db.levels().running.length === 0);
  expect(here.db.levels().keyspaces['data']!.levels[0]!.files).toBe(2);
  expect(here.data.get(key(7))).toBe('b'.repeat(1000));
  // The file that it was writing goes in another thread; the new attempt may write one of its own already.
  await compact;
  await until(() => tablesOf(here).length === tablesIn(here));
  expect(tablesOf(here).some((name) => before.includes(name))).toBe(false);
  expect(here.warnings).toEqual([]);
  expect(here.data.count()).toBe(1000);
  expect((await here.db.verify()).problems).toEqual([]);
});

test('three that die in a row stop the keyspace with a warning; it is written and read on, others are compacted', async () => {
  const here = await world({ workers: 1, compactionRate: MIB });
  await twoRuns(here, 2000, 1000);
  const before = tablesOf(here);
  const refused = expectRefusal(() => here.db.compact(), 'WORKER_LOST', 'internal', { keyspace: 'data' });
  for (let round = 1; round <= 3; round++) {
    await kill(here);
    await until(() => here.db.levels().running.length === 0);
  }
  await refused;
  expect(here.warnings).toMatchObject([{ code: 'COMPACTION_FAILED' }]);
  expect(compactionThreads).toHaveLength(3);
  await until(() => tablesOf(here).length === before.length);
  expect(tablesOf(here)).toEqual(before);
  here.data.put(key(7), 'c');
  expect([here.data.get(key(7)), here.data.get(key(8))]).toEqual(['c', 'b'.repeat(1000)]);
  const other = here.db.keyspace('other', { key: utf8, value: utf8 });
  other.put('a', '1');
  await here.db.flush();
  await here.db.compact({ keyspace: 'other' });
  expect(here.db.levels().keyspaces['other']!.levels[0]!.files).toBe(0);
});

test('a flush whose thread dies is made again, in another thread, and leaves no other file', async () => {
  const here = await world({ workers: 1 });
  here.data.put(key(0), 'first');
  await here.db.flush();
  for (let i = 0; i < 10_000; i++) here.data.put(key(i), 'a'.repeat(1000));
  const flushed = here.db.flush();
  await flushThreads[0]!.terminate();
  await flushed;
  expect(flushThreads).toHaveLength(2);
  here.data.put(key(7), 'after');
  await until(() => tablesOf(here).length === tablesIn(here));
  expect([here.data.count(), here.data.get(key(7)), here.data.get(key(8))]).toEqual([
    10_000,
    'after',
    'a'.repeat(1000),
  ]);
  expect(here.warnings).toEqual([]);
  expect((await here.db.verify()).problems).toEqual([]);
});

test('a flush that loses three threads in a row is at fault: writes are refused, reads go on', async () => {
  const here = await world({ workers: 1 });
  here.data.put(key(0), 'first');
  await here.db.flush();
  for (let i = 0; i < 10_000; i++) here.data.put(key(i), 'a'.repeat(1000));
  const refused = expectRefusal(() => here.db.flush(), 'POISONED', 'io');
  for (let round = 0; round < 3; round++) {
    await until(() => flushThreads.length > round);
    await flushThreads[round]!.terminate();
  }
  await refused;
  expect(here.data.get(key(8))).toBe('a'.repeat(1000));
  await expectRefusal(() => here.data.put(key(8), 'b'), 'POISONED', 'io');
});

test('a full level 0 is compacted beside a merge that takes long, with one worker', async () => {
  const here = await world({ workers: 1, compactionRate: 128 * 1024 });
  await twoRuns(here, 2000, 1000);
  const abort = new AbortController();
  const long = expectRefusal(
    () => here.db.compact({ keyspace: 'data', signal: abort.signal }),
    'ABORTED',
    'busy',
  );
  await until(() => (here.db.levels().running[0]?.doneBytes ?? 0) > 0);
  const urgent = here.db.keyspace('urgent', { key: utf8, value: utf8 });
  const done = new Promise<{ keyspace: string }>((resolve) =>
    here.db.events.addEventListener(
      'compaction',
      (event) => resolve((event as CustomEvent<{ keyspace: string }>).detail),
      { once: true },
    ),
  );
  for (let flush = 0; flush < 4; flush++) {
    urgent.put('a', String(flush));
    await here.db.flush();
  }
  expect(await done).toMatchObject({ keyspace: 'urgent', reason: 'level0-files' });
  expect(here.db.levels().running).toMatchObject([{ keyspace: 'data', reason: 'manual' }]);
  abort.abort();
  await long;
});

test('a large merge is done by several threads, and gives what one gives; an urgent one finds a thread beside it', async () => {
  const here = await world({ workers: 2, compactionRate: 'unlimited', memtableBytesMax: 128 * MIB });
  const { db } = here;
  const data = db.keyspace('data', { key: utf8, value: utf8, compression: 'none', memtableBytes: 64 * MIB });
  const text = 'x'.repeat(MIB);
  for (let i = 0; i < 140; i++) data.put(key(i), `${i}${text}`);
  data.deleteRange({ gte: key(20), lt: key(90) });
  for (let i = 30; i < 50; i++) data.put(key(i), `${i}again`);
  await db.flush();
  const jobs: number[] = [];
  const look = (): void => void jobs.push(...db.levels().running.map((run) => run.jobs));
  const compact = db.compact({ keyspace: 'data', onProgress: look });
  await until(() => db.levels().running.length > 0);
  look();
  const urgent = db.keyspace('urgent', { key: utf8, value: utf8 });
  for (let flush = 0; flush < 4; flush++) {
    urgent.put('a', String(flush));
    await db.flush();
  }
  await compact;
  expect(Math.max(...jobs)).toBe(2);
  const found = [...data.range()].map(([name, value]) => [name, value.slice(0, 7)]);
  const expected = Array.from({ length: 140 }, (_, i) => i)
    .filter((i) => i < 20 || i >= 90 || (i >= 30 && i < 50))
    .map((i) => [key(i), `${i}${i >= 30 && i < 50 ? 'again' : text}`.slice(0, 7)]);
  expect(found).toEqual(expected);
  const tables = db.levels().keyspaces['data']!.levels.flatMap((level) => level.tables);
  expect(tables.map(({ rangeTombstones }) => rangeTombstones).every((count) => count === 0)).toBe(true);
  await until(() => tablesOf(here).length === tablesIn(here));
  expect((await db.verify()).problems).toEqual([]);
}, 60_000);

test('a large merge takes all threads; a part that dies takes the others along, and nothing of any is left', async () => {
  const here = await world({ workers: 2, compactionRate: 8 * MIB, memtableBytesMax: 128 * MIB });
  const { db } = here;
  const data = db.keyspace('data', {
    key: utf8,
    value: utf8,
    compression: 'none',
    memtableBytes: 64 * MIB,
    compaction: { strategy: 'leveled', level0Files: 100 },
  });
  const text = 'x'.repeat(MIB);
  for (let i = 0; i < 140; i++) data.put(key(i), `${i}${text}`);
  await db.flush();
  const before = tablesOf(here);
  const abort = new AbortController();
  const refused = expectRefusal(() => db.compact({ signal: abort.signal }), 'ABORTED', 'busy');
  await until(() => (db.levels().running[0]?.doneBytes ?? 0) > 4 * MIB);
  expect(db.levels().running[0]!.jobs).toBe(2);
  // Due, but it can wait.
  const other = db.keyspace('other', { key: utf8, value: utf8, compaction: { strategy: 'tiered', runs: 2 } });
  for (const value of ['1', '2']) {
    other.put('a', value);
    await db.flush();
  }
  expect(db.levels().running).toHaveLength(1);
  await compactionThreads[0]!.terminate();
  abort.abort();
  await refused;
  await until(() => db.levels().keyspaces['other']!.levels[0]!.files === 0);
  await until(() => tablesOf(here).length === tablesIn(here));
  expect(tablesOf(here).filter((name) => before.includes(name))).toEqual(before);
  expect(data.get(key(139))!.length).toBe(MIB + 3);
  expect(here.warnings).toEqual([]);
}, 60_000);
