/**
 * What a database tells of itself: events with typed detail, also on the diagnostics channels, and stats as plain data.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type Database, type Keyspace, utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';

interface World {
  readonly db: Database;
  readonly fs: SimFs;
  readonly time: ManualScheduler;
  readonly data: Keyspace<string, string>;
}

async function world(fs = new SimFs()): Promise<World> {
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  onTestFinished(async () => {
    if (!fs.stopped) await db.close();
  });
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  return { db, fs, time, data };
}

function heard(db: Database, type: string): unknown[] {
  const details: unknown[] = [];
  db.events.addEventListener(type, (event) => details.push((event as CustomEvent<unknown>).detail));
  return details;
}

describe('events', () => {
  test('recovery is told to whoever listens right after open', async () => {
    const first = await world();
    first.data.put('a', '1');
    first.db.syncNow();
    const { db, time } = await world(first.fs.crash(new Random(1), { data: 'nothing', names: 'nothing' }));
    const told = heard(db, 'recovery');
    await time.settle();
    expect(told).toEqual([db.recovered]);
    expect(db.recovered).toMatchObject({ batches: 2, cutBytes: 0, segments: 1, warnings: [] });
    expect(db.recovered.bytes).toBeGreaterThan(0);
  });

  test('flush says what was written from what, once per flush, before flush() resolves', async () => {
    const { db, data, time } = await world();
    const told = heard(db, 'flush');
    for (let i = 0; i < 10; i++) data.put(`k${i}`, 'v');
    await time.run(db.flush());
    expect(told).toEqual([
      { keyspace: 'data', files: 1, bytes: expect.any(Number), entries: 10, ms: expect.any(Number) },
    ]);
    await time.run(db.flush());
    expect(told).toHaveLength(1);
  });

  test('compaction says which levels, files and bytes', async () => {
    const { db, data, time } = await world();
    const told = heard(db, 'compaction') as Record<string, unknown>[];
    for (const round of ['1', '2', '3', '4']) {
      for (let i = 0; i < 10; i++) data.put(`k${i}`, round);
      await time.run(db.flush());
    }
    await time.settle();
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({
      keyspace: 'data',
      fromLevel: 0,
      filesIn: 4,
      filesOut: 1,
      reason: expect.any(String),
    });
    expect(told[0]!['bytesOut']).toBeLessThan(told[0]!['bytesIn'] as number);
  });

  test('the same details go to diagnostics channels', async () => {
    const { db, data, time } = await world();
    const told = heard(db, 'flush');
    const published: unknown[] = [];
    const listen = (message: unknown): void => void published.push(message);
    subscribe('varve:flush', listen);
    onTestFinished(() => void unsubscribe('varve:flush', listen));
    data.put('a', '1');
    await time.run(db.flush());
    expect(published).toEqual(told);
    expect(published).toHaveLength(1);
  });
});

describe('stats', () => {
  test('are plain data that can be cloned, and add up', async () => {
    const { db, data, time } = await world();
    const other = db.keyspace('other', { key: utf8, value: utf8 });
    await time.settle();
    const before = db.stats();
    for (let i = 0; i < 100; i++) data.put(`k${i}`, 'value');
    other.put('a', '1');
    const snapshot = db.snapshot();
    await time.advance(500);
    const stats = db.stats();
    expect(structuredClone(stats)).toEqual(stats);
    expect(stats.sequence).toBe(before.sequence + 101);
    expect(stats.snapshots).toEqual({ count: 1, oldestSequence: snapshot.sequence, oldestAgeMs: 500 });
    expect(Object.keys(stats.keyspaces).sort()).toEqual(['data', 'other']);
    expect(stats.keyspaces['data']).toMatchObject({ entries: 100, bytes: 0 });
    expect(stats.keyspaces['data']!.memtableBytes).toBeGreaterThan(1000);
    const memtables = Object.values(stats.keyspaces).reduce(
      (sum, { memtableBytes }) => sum + memtableBytes,
      0,
    );
    expect(stats.memoryBytes.memtables).toBe(memtables);
    expect(stats.memoryBytes.pool).toBe(memtables);
    expect(stats.written.user).toBeGreaterThan(100 * 'value'.length);
    expect(stats.written.log).toBeGreaterThan(stats.written.user);
    expect(stats.written).toMatchObject({ flush: 0, compaction: 0 });
    expect(stats.log.syncedSequence).toBeLessThan(stats.sequence);
    snapshot.close();
    await time.run(db.flush());
    await time.run(db.compact());
    const after = db.stats();
    expect(after.keyspaces['data']!.levels.reduce((sum, { files }) => sum + files, 0)).toBe(1);
    expect(after.keyspaces['data']!.bytes).toBeGreaterThan(0);
    expect(after.keyspaces['data']!.entries).toBe(100);
    expect(after.memoryBytes).toMatchObject({ memtables: 0, pool: 0 });
    expect(after.written.flush).toBeGreaterThan(0);
    expect(after.log.syncedSequence).toBe(after.sequence);
    expect(after.snapshots).toEqual({ count: 0 });
  });

  test('the incarnation rises at every open', async () => {
    const { db, fs, time } = await world();
    expect(db.stats().incarnation).toBe(1);
    await time.run(db.close());
    const again = await world(fs);
    expect(again.db.stats().incarnation).toBe(2);
    const crashed = await world(again.fs.crash(new Random(1)));
    expect(crashed.db.stats().incarnation).toBe(3);
  });
});
