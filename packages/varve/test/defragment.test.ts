/** What gives space back by itself when things have settled, and that it comes to an end. */
import { type Database, type DatabaseOptions, type Keyspace, utf8 } from 'varve';
import { FaultFs, MemoryFs, Random } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { key } from './small-tables.ts';

interface World {
  readonly db: Database;
  readonly data: Keyspace<string, string>;
  readonly time: ManualScheduler;
  readonly disk: MemoryFs;
  readonly fs: FaultFs;
  /** Reasons of the compactions that were installed. */
  readonly reasons: string[];
}

const value = 'v'.repeat(100);
const HOUR = 3_600_000;

async function world(options: DatabaseOptions = {}): Promise<World> {
  const time = new ManualScheduler();
  const disk = new MemoryFs();
  const fs = new FaultFs(disk);
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual', ...options });
  onTestFinished(() => db.close().catch(() => undefined));
  const data = db.keyspace('data', { key: utf8, value: utf8, compression: 'none' });
  const reasons: string[] = [];
  db.events.addEventListener('compaction', (event) =>
    reasons.push((event as CustomEvent<{ reason: string }>).detail.reason),
  );
  return { db, data, time, disk, fs, reasons };
}

/** So many keys in the deepest level. */
async function filled(count: number, options: DatabaseOptions = {}): Promise<World> {
  const here = await world(options);
  for (let i = 0; i < count; i++) here.data.put(key(i), value);
  await here.time.run(here.db.compact());
  await here.time.advance(60_000);
  here.reasons.length = 0;
  return here;
}

function bytesOf({ db }: World): number {
  return db.stats().keyspaces['data']!.levels.reduce((sum, { bytes }) => sum + bytes, 0);
}

describe('deletes', () => {
  test('that were flushed go down to what they delete, without anybody asking', async () => {
    const here = await filled(2000);
    for (let i = 0; i < 2000; i++) here.data.delete(key(i));
    await here.time.run(here.db.flush());
    expect(here.reasons).toEqual([]);
    await here.time.advance(60_000);
    expect(bytesOf(here)).toBe(0);
    expect(here.reasons).toEqual(['tombstones']);
    expect(here.db.stats().reclaimed).toMatchObject({ compactions: 1, files: 2 });
    expect(here.db.stats().reclaimed.bytes).toBeGreaterThan(200_000);
  });

  test('wait as long as intervalMs says', async () => {
    const here = await filled(500, { defragment: { intervalMs: 600_000 } });
    await here.time.advance(HOUR);
    for (let i = 0; i < 500; i++) here.data.delete(key(i));
    await here.time.run(here.db.flush());
    await here.time.advance(590_000);
    expect(here.reasons).toEqual([]);
    await here.time.advance(600_000);
    expect(bytesOf(here)).toBe(0);
  });

  test('in a memtable that nobody writes to are flushed', async () => {
    const here = await filled(2000);
    for (let i = 0; i < 2000; i++) here.data.delete(key(i));
    await here.time.advance(60_000);
    expect(bytesOf(here)).toBe(0);
  });

  test('of a range that take no memory worth mentioning are flushed too, long after the last look', async () => {
    const here = await filled(2000);
    here.data.put('other', value);
    await here.time.advance(HOUR);
    here.data.deleteRange({ gte: key(0), lt: key(2000) });
    await here.time.advance(60_000);
    expect(bytesOf(here)).toBeLessThan(2000);
    expect(here.reasons).toContain('covered');
    expect([...here.data.range().keys()]).toEqual(['other']);
  });

  test('in a memtable that is written to are left alone', async () => {
    const here = await filled(2000);
    for (let i = 0; i < 2000; i++) {
      here.data.delete(key(i));
      if (i % 20 === 0) await here.time.advance(5000);
    }
    expect(here.reasons).toEqual([]);
  });
});

describe('data that newer data replaces', () => {
  test('goes when it is most of a table', async () => {
    const here = await filled(2000);
    const before = bytesOf(here);
    for (let i = 0; i < 1800; i++) here.data.put(key(i), value);
    await here.time.run(here.db.flush());
    expect(bytesOf(here)).toBeGreaterThan(before * 1.8);
    await here.time.advance(60_000);
    expect(here.reasons).toContain('live-ratio');
    expect(bytesOf(here)).toBeLessThan(before * 1.05);
    expect(here.data.count()).toBe(2000);
  });

  test('stays when it is less than what liveRatio says', async () => {
    const here = await filled(2000);
    for (let i = 0; i < 800; i++) here.data.put(key(i), value);
    await here.time.run(here.db.flush());
    await here.time.advance(HOUR);
    expect(here.reasons).toEqual([]);
    const other = await filled(2000, { defragment: { liveRatio: 0.8 } });
    for (let i = 0; i < 800; i++) other.data.put(key(i), value);
    await other.time.run(other.db.flush());
    await other.time.advance(HOUR);
    expect(other.reasons).toEqual(['live-ratio']);
  });

  test('in tables of level 0 goes with all that overlaps, and the newest is read', async () => {
    const here = await filled(2000);
    for (const round of ['1', '2', '3']) {
      for (let i = 0; i < 1500; i++) here.data.put(key(i), round.repeat(100));
      await here.time.run(here.db.flush());
    }
    await here.time.advance(60_000);
    expect(here.data.get(key(7))).toBe('3'.repeat(100));
    expect(here.data.get(key(1700))).toBe(value);
    expect(here.db.stats().keyspaces['data']!.levels[0]!.files).toBe(0);
  });
});

describe('a snapshot', () => {
  test('keeps what it sees, and when it is closed that goes', async () => {
    const here = await filled(2000);
    const snapshot = here.db.snapshot();
    for (let i = 0; i < 2000; i++) here.data.delete(key(i));
    await here.time.run(here.db.flush());
    await here.time.advance(HOUR);
    expect(here.reasons).toEqual([]);
    expect([...snapshot.range(here.data)]).toHaveLength(2000);
    snapshot.close();
    await here.time.advance(60_000);
    expect(bytesOf(here)).toBe(0);
  });
});

describe('it comes to an end:', () => {
  test('after any history no compaction follows, and no timer waits', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = new Random(seed);
      const here = await world({ defragment: { liveRatio: 0.1 + random.below(8) / 10 } });
      const snapshots = [here.db.snapshot()];
      for (let step = 0; step < 60; step++) {
        const from = random.below(3000);
        const count = 1 + random.below(800);
        if (random.oneIn(5)) here.data.deleteRange({ gte: key(from), lt: key(from + count) });
        else {
          const isDelete = random.oneIn(3);
          for (let i = from; i < from + count; i++) {
            if (isDelete) here.data.delete(key(i));
            else here.data.put(key(i), value);
          }
        }
        if (random.oneIn(3)) await here.time.run(here.db.flush());
        if (random.oneIn(10)) await here.time.run(here.db.compact());
        if (random.oneIn(6)) snapshots.push(here.db.snapshot());
        if (random.oneIn(4)) await here.time.advance(random.below(30_000));
      }
      for (const snapshot of snapshots) snapshot.close();
      await here.time.advance(10 * 60_000);
      const quiet = here.reasons.length;
      expect(quiet).toBeLessThan(200);
      expect(here.time.pending, `seed ${seed}`).toBe(0);
      await here.time.advance(24 * HOUR);
      expect(here.reasons).toHaveLength(quiet);
      await here.time.run(here.db.close());
    }
  });

  test('a table that can not be read is not looked at for ever', async () => {
    const here = await filled(2000);
    for (let i = 0; i < 1800; i++) here.data.put(key(i), value);
    await here.time.run(here.db.flush());
    here.fs.add({ kind: 'EIO', operations: ['open'], path: /\.sst$/ });
    await here.time.advance(HOUR);
    expect(here.time.pending).toBe(0);
  });

  test('a full disk is waited out, and then it is done', async () => {
    const here = await filled(2000);
    const before = bytesOf(here);
    for (let i = 0; i < 1800; i++) here.data.put(key(i), value);
    await here.time.run(here.db.flush());
    here.fs.freeBytes = 5000;
    await here.time.advance(60_000);
    expect(here.data.count()).toBe(2000);
    expect(bytesOf(here)).toBeGreaterThan(before * 1.8);
    here.fs.freeBytes = undefined;
    await here.time.advance(60_000);
    expect(bytesOf(here)).toBeLessThan(before * 1.05);
    expect(here.disk.list('/db').filter((name) => name.endsWith('.sst'))).toHaveLength(
      here.db.levels().keyspaces['data']!.levels.flatMap(({ tables }) => tables).length,
    );
  });
});

test('switched off it does nothing, and no timer waits', async () => {
  const here = await filled(2000, { defragment: false });
  for (let i = 0; i < 2000; i++) here.data.delete(key(i));
  await here.time.run(here.db.flush());
  for (let i = 0; i < 500; i++) here.data.delete(key(i));
  await here.time.advance(HOUR);
  expect(here.reasons).toEqual([]);
  expect(here.time.pending).toBe(0);
  expect(here.db.stats().reclaimed).toEqual({ compactions: 0, files: 0, bytes: 0 });
});

test('what a compaction has just written is known to be live, without an error', async () => {
  const { db } = await filled(2000);
  const tables = db.levels().keyspaces['data']!.levels.flatMap((level) => level.tables);
  expect(tables.map(({ live, liveError }) => ({ live, liveError }))).toEqual([{ live: 1, liveError: 0 }]);
});

test('what a compaction has kept for a snapshot is not called live', async () => {
  const here = await world();
  for (let i = 0; i < 2000; i++) here.data.put(key(i), value);
  const snapshot = here.db.snapshot();
  for (let i = 0; i < 2000; i++) here.data.put(key(i), value);
  await here.time.run(here.db.compact());
  const tables = here.db.levels().keyspaces['data']!.levels.flatMap((level) => level.tables);
  expect(tables.map(({ entries, live }) => ({ entries, live }))).toEqual([
    { entries: 4000, live: undefined },
  ]);
  snapshot.close();
});
