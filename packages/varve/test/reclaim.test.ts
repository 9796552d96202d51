/** db.reclaim(): space given back now, with what it reports, and whatever comes between. */
import { type Database, type DatabaseOptions, type Keyspace, type CompactionProgress, utf8 } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { key } from './small-tables.ts';

const value = 'v'.repeat(100);

interface World {
  readonly db: Database;
  readonly data: Keyspace<string, string>;
  readonly time: ManualScheduler;
  readonly disk: MemoryFs;
}

/** A table of 2000 entries, and one that replaces some of them. */
async function world(replaced: number, options: DatabaseOptions = {}): Promise<World> {
  const time = new ManualScheduler();
  const disk = new MemoryFs();
  const db = await time.open(
    '/db',
    { fileSystem: disk, sync: 'manual', defragment: false, ...options },
    { sliceMs: 0 },
  );
  onTestFinished(() => db.close().catch(() => undefined));
  const data = db.keyspace('data', { key: utf8, value: utf8, compression: 'none' });
  for (let i = 0; i < 2000; i++) data.put(key(i), value);
  await time.run(db.compact());
  for (let i = 0; i < replaced; i++) data.put(key(i), value);
  return { db, data, time, disk };
}

const tablesOf = ({ disk }: World): string[] => disk.list('/db').filter((name) => name.endsWith('.sst'));

test('gives back what is dead, memtables included, and says how much', async () => {
  const here = await world(1000);
  const report = await here.time.run(here.db.reclaim());
  expect(report).toMatchObject({ compactions: 1 });
  expect(report.samples).toBeGreaterThan(0);
  expect(report.bytesBefore / report.bytesAfter).toBeGreaterThan(1.4);
  const { levels } = here.db.stats().keyspaces['data']!;
  expect(levels.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(report.bytesAfter);
  expect(here.data.count()).toBe(2000);
});

test('leaves what has more live data than asked for', async () => {
  const here = await world(1000);
  const report = await here.time.run(here.db.reclaim({ liveRatio: 0.3 }));
  expect(report).toMatchObject({ compactions: 0, bytesAfter: report.bytesBefore });
});

test('has nothing to do the second time', async () => {
  const here = await world(1000);
  await here.time.run(here.db.reclaim({ liveRatio: 1 }));
  const again = await here.time.run(here.db.reclaim({ liveRatio: 1 }));
  expect(again).toMatchObject({ compactions: 0, bytesAfter: again.bytesBefore });
});

test('of one keyspace leaves the others', async () => {
  const here = await world(1000);
  const other = here.db.keyspace('other', { key: utf8, value: utf8 });
  other.put('a', '1');
  const report = await here.time.run(here.db.reclaim({ keyspace: 'other' }));
  expect(report.compactions).toBe(0);
  await expectRefusal(() => here.db.reclaim({ keyspace: 'nobody' }), 'KEYSPACE_NOT_FOUND', 'invalid');
});

test('tells how far it is, and never less than before', async () => {
  const here = await world(2000);
  // A tenth of the keys and values that are gone through.
  const packed = here.db.keyspace('data', { key: utf8, value: utf8, compression: 'lz4' });
  await here.time.run(here.db.compact());
  for (let i = 0; i < 2000; i++) packed.put(key(i), value);
  const told: CompactionProgress[] = [];
  await here.time.run(here.db.reclaim({ onProgress: (progress) => told.push({ ...progress }) }));
  expect(told.at(-1)).toMatchObject({ keyspace: 'data', isDone: true, compactions: 1 });
  expect(told.filter(({ isDone }) => isDone)).toHaveLength(1);
  for (const [i, { bytes }] of told.entries()) expect(bytes).toBeGreaterThanOrEqual(told[i - 1]?.bytes ?? 0);
});

test('aborted in the middle it rejects, and everything is as it was', async () => {
  const here = await world(2000);
  await here.time.run(here.db.flush());
  const before = tablesOf(here);
  const abort = new AbortController();
  const reclaim = here.db.reclaim({ signal: abort.signal });
  const refused = expectRefusal(() => reclaim, 'ABORTED', 'busy');
  for (let turn = 0; here.db.levels().running.length === 0; turn++) {
    expect(turn).toBeLessThan(10_000);
    await here.time.turn();
  }
  abort.abort(new Error('enough'));
  await here.time.run(refused);
  await here.time.settle();
  expect(tablesOf(here)).toEqual(before);
  expect(here.db.levels().running).toEqual([]);
  expect(here.data.count()).toBe(2000);
});

test('aborted before it begins it does nothing', async () => {
  const here = await world(2000);
  const before = tablesOf(here);
  await expectRefusal(() => here.db.reclaim({ signal: AbortSignal.abort() }), 'ABORTED', 'busy');
  await expectRefusal(() => here.db.compact({ signal: AbortSignal.abort() }), 'ABORTED', 'busy');
  expect(tablesOf(here)).toEqual(before);
});

test('a keyspace that is dropped meanwhile has nothing left to reclaim', async () => {
  const here = await world(2000);
  const reclaim = here.db.reclaim();
  for (let turn = 0; here.db.levels().running.length === 0; turn++) {
    expect(turn).toBeLessThan(10_000);
    await here.time.turn();
  }
  await here.time.run(here.db.dropKeyspace('data'));
  expect(await here.time.run(reclaim)).toMatchObject({ bytesAfter: 0 });
  await here.time.settle();
  expect(tablesOf(here)).toEqual([]);
});

test('a database that is closed meanwhile rejects it', async () => {
  const here = await world(2000);
  const reclaim = here.db.reclaim();
  const refused = expectRefusal(() => reclaim, 'CLOSED', 'closed');
  for (let turn = 0; here.db.levels().running.length === 0; turn++) {
    expect(turn).toBeLessThan(10_000);
    await here.time.turn();
  }
  await here.time.run(here.db.close());
  await here.time.run(refused);
});

test('what a snapshot sees stays, and the call ends', async () => {
  const here = await world(0);
  const snapshot = here.db.snapshot();
  for (let i = 0; i < 2000; i++) here.data.delete(key(i));
  const report = await here.time.run(here.db.reclaim());
  expect(report.compactions).toBe(0);
  expect([...snapshot.range(here.data)]).toHaveLength(2000);
  snapshot.close();
  expect(await here.time.run(here.db.reclaim())).toMatchObject({ bytesAfter: 0 });
});

test('it works while compactions are paused, as db.compact() does', async () => {
  const here = await world(1000);
  here.db.pauseCompaction();
  expect(await here.time.run(here.db.reclaim())).toMatchObject({ compactions: 1 });
});

test('a function for the progress that throws rejects the call, and the database goes on', async () => {
  const here = await world(1000);
  const onProgress = (): void => {
    throw new Error('mine');
  };
  await expect(here.time.run(here.db.reclaim({ onProgress }))).rejects.toThrow('mine');
  await expect(here.time.run(here.db.compact({ onProgress }))).rejects.toThrow('mine');
  await here.time.run(here.db.compact());
  expect(here.data.count()).toBe(2000);
});
