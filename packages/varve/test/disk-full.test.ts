/**
 * A full disk is waited out: writes are refused with DISK_FULL, nothing that was accepted is lost, nothing that was refused
 * comes back later, and everything goes on by itself when there is room again.
 */
import { type Database, type DatabaseOptions, type Keyspace, utf8 } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';

interface World {
  readonly db: Database;
  readonly fs: FaultFs;
  readonly disk: MemoryFs;
  readonly time: ManualScheduler;
  readonly data: Keyspace<string, string>;
}

async function world(options: DatabaseOptions = {}): Promise<World> {
  const disk = new MemoryFs();
  const fs = new FaultFs(disk);
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual', ...options });
  onTestFinished(() => db.close().catch(() => undefined));
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  data.put('before', 'safe');
  db.syncNow();
  await time.settle();
  return { db, fs, disk, time, data };
}

/** The keys that a new open of the disk finds, as it is now. */
async function found({ db, disk, time, fs }: World): Promise<string[]> {
  fs.heal();
  await time.run(db.close());
  const again = await new ManualScheduler().open('/db', { fileSystem: disk, recovery: 'strict' });
  const keys = [...again.keyspace('data', { key: utf8, value: utf8 }).range().keys()];
  expect((await again.verify()).problems).toEqual([]);
  await again.close();
  return keys;
}

const refused = (act: () => unknown): Promise<unknown> =>
  expectRefusal(act, 'DISK_FULL', 'busy', { reason: 'disk-full' });

describe('no room for the log', () => {
  test('what was accepted stays and is handed over later; what is refused is not applied', async () => {
    const full = await world();
    const { data, db, fs, time } = full;
    fs.freeBytes = 0;
    data.put('accepted', 'v');
    await time.turn();
    const sequence = db.stats().sequence;
    const batch = db.batch().put(data, 'refused', 'v');
    await refused(() => data.put('refused', 'v'));
    await refused(() => data.put('refused', 'v', { durability: 'os' }));
    await refused(() => data.delete('before'));
    await refused(() => data.deleteRange({ gte: 'a', lt: 'z' }));
    await refused(() => db.write(batch));
    await refused(() => data.putIfAbsent('refused', 'v'));
    expect(db.pressure.reasons).toMatchObject({ 'disk-full': { failed: 6, blocked: 0 } });
    await refused(() => data.update('before', () => 'changed'));
    await refused(() => db.keyspace('refused'));
    await refused(() => db.dropKeyspace('data'));
    await refused(() => db.syncNow());
    expect({ sequence: db.stats().sequence, count: batch.count }).toEqual({ sequence, count: 1 });
    expect([...data.range()]).toEqual([
      ['accepted', 'v'],
      ['before', 'safe'],
    ]);
    expect(db.keyspaces()).toEqual(['data']);
    fs.freeBytes = undefined;
    data.put('after', 'v');
    db.write(batch);
    expect(await found(full)).toEqual(['accepted', 'after', 'before', 'refused']);
  });

  test('who waits for a class waits until there is room, and nobody has to write for it', async () => {
    const full = await world();
    const { data, fs, time, db } = full;
    fs.freeBytes = 30;
    let done = 0;
    const waiting = [data.put('a', 'v', { durability: 'os' }), data.put('b', 'v', { durability: 'disk' })];
    for (const promise of waiting) void promise.then(() => done++);
    await time.advance(2000);
    expect(done).toBe(0);
    fs.freeBytes = undefined;
    await time.advance(1000);
    expect(done).toBe(2);
    await Promise.all(waiting);
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence);
    expect(await found(full)).toEqual(['a', 'b', 'before']);
  });

  test('the sync strategy is caught up with when there is room', async () => {
    const { data, fs, time, db } = await world({ sync: { intervalMs: 50 } });
    fs.freeBytes = 0;
    data.put('a', 'v');
    await time.advance(1000);
    fs.freeBytes = undefined;
    await time.advance(1000);
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence);
  });

  test('a half-written hand-over is cut, so that a crash then finds whole records only', async () => {
    const full = await world();
    const { data, fs, time, disk } = full;
    fs.freeBytes = 100;
    for (let i = 0; i < 10; i++) data.put(`k${i}`, 'value');
    await time.turn();
    expect(fs.injected.shortWrite).toBeGreaterThan(0);
    const again = await new ManualScheduler().open('/db', { fileSystem: disk, readOnly: true });
    expect(again.recovered.cutBytes).toBe(0);
    expect(again.keyspace('data', { key: utf8, value: utf8 }).count()).toBe(1);
    await again.close();
    expect(await found(full)).toHaveLength(11);
  });

  test('a value larger than the log buffer, and a segment that can not be begun, are refused whole', async () => {
    const full = await world({ logBytesMax: 1024 * 1024 });
    const { data, fs, time } = full;
    for (const bytes of [70_000, 200_000]) {
      fs.freeBytes = 60_000;
      await refused(() => data.put('large', 'x'.repeat(bytes)));
      expect(data.has('large')).toBe(false);
      fs.freeBytes = undefined;
      data.put(`fits${bytes}`, 'x'.repeat(bytes));
      await time.settle();
    }
    // The next write needs a new segment.
    fs.freeBytes = 0;
    await refused(() => data.put('next', 'v'));
    await refused(() => data.put('next', 'v'));
    fs.freeBytes = undefined;
    data.put('last', 'v');
    expect(await found(full)).toEqual(['before', 'fits200000', 'fits70000', 'last']);
  });

  test('under everyWrite a refused write never appears', async () => {
    const full = await world({ sync: 'everyWrite' });
    const { data, db, fs, time } = full;
    const sequence = db.stats().sequence;
    for (const round of [1, 2, 3]) {
      fs.freeBytes = 20;
      await refused(() => data.put(`refused${round}`, 'v'));
      await refused(() => data.put(`refused${round}`, 'v', { durability: 'disk' }));
      await refused(() => db.keyspace(`refused${round}`));
      await time.advance(1000);
      expect(data.has(`refused${round}`)).toBe(false);
      fs.freeBytes = undefined;
      await time.advance(1000);
      expect(db.stats().sequence).toBe(sequence + round - 1);
      data.put(`accepted${round}`, 'v');
      expect(db.stats().log.syncedSequence).toBe(sequence + round);
    }
    expect(db.keyspaces()).toEqual(['data']);
    expect(await found(full)).toEqual(['accepted1', 'accepted2', 'accepted3', 'before']);
  });

  test('under everyWrite a refused large write never appears, and one that begins a segment neither', async () => {
    const full = await world({ sync: 'everyWrite', logBytesMax: 512 * 1024 });
    const { data, fs } = full;
    data.put('a', 'x'.repeat(65_000));
    for (const bytes of [10, 60_000, 70_000]) {
      fs.freeBytes = 5;
      await refused(() => data.put('refused', 'x'.repeat(bytes)));
      fs.freeBytes = bytes;
      await refused(() => data.put('refused', 'x'.repeat(bytes)));
    }
    fs.freeBytes = undefined;
    data.put('b', 'v');
    expect(await found(full)).toEqual(['a', 'b', 'before']);
  });

  test('close says that the disk is full; what had been handed over is there, and the directory is free again', async () => {
    const { data, db, fs, time, disk } = await world();
    data.put('handed over', 'v');
    await time.turn();
    fs.freeBytes = 0;
    data.put('in the buffer', 'v');
    await refused(() => time.run(db.close()));
    const again = await new ManualScheduler().open('/db', { fileSystem: disk });
    onTestFinished(() => again.close());
    expect([...again.keyspace('data', { key: utf8, value: utf8 }).range().keys()]).toEqual([
      'before',
      'handed over',
    ]);
  });
});

describe('no room for', () => {
  test('a table: the flush is made when there is room, and no part of a table stays', async () => {
    const full = await world();
    const { data, db, fs, disk, time } = full;
    for (let i = 0; i < 100; i++) data.put(`k${i}`, 'v'.repeat(100));
    db.syncNow();
    fs.freeBytes = 500;
    let isDone = false;
    const flush = db.flush().then(() => (isDone = true));
    await time.advance(3000);
    expect(isDone).toBe(false);
    expect(disk.list('/db').filter((name) => name.endsWith('.sst'))).toEqual([]);
    expect([data.get('k7'), data.count()]).toEqual(['v'.repeat(100), 101]);
    fs.freeBytes = undefined;
    await time.run(flush);
    expect(db.stats().keyspaces['data']!.levels[0]!.files).toBe(1);
    expect(disk.list('/db').filter((name) => name.endsWith('.sst'))).toHaveLength(1);
    expect(await found(full)).toHaveLength(101);
  });

  test('a manifest edit: it is written when there is room, and reads find the data all the while', async () => {
    const full = await world();
    const { data, db, fs, time } = full;
    data.put('a', 'v');
    db.syncNow();
    fs.add({ kind: 'ENOSPC', path: 'MANIFEST', times: 3 });
    fs.add({ kind: 'shortWrite', path: 'MANIFEST', times: 1 });
    let isDone = false;
    const flush = db.flush().then(() => (isDone = true));
    await time.settle();
    expect([isDone, data.get('a')]).toEqual([false, 'v']);
    data.put('b', 'v');
    await time.run(flush);
    expect(fs.injected.ENOSPC).toBe(3);
    expect(db.stats().keyspaces['data']!.levels[0]!.files).toBe(1);
    expect(await found(full)).toEqual(['a', 'b', 'before']);
  });

  test('a keyspace in the manifest: it works from the log meanwhile', async () => {
    const full = await world();
    const { db, fs, time, disk } = full;
    fs.add({ kind: 'ENOSPC', path: 'MANIFEST' });
    const other = db.keyspace('other', { key: utf8, value: utf8 });
    other.put('a', '1');
    await db.sync('os');
    await time.advance(1000);
    const reader = await new ManualScheduler().open('/db', { fileSystem: disk, readOnly: true });
    expect(reader.keyspace('other', { key: utf8, value: utf8 }).get('a')).toBe('1');
    await reader.close();
    fs.heal();
    await time.advance(1000);
    expect(await found(full)).toEqual(['before']);
  });

  test('a compaction: it is tried again, and the tables that it would replace serve meanwhile', async () => {
    const full = await world();
    const { data, db, fs, time } = full;
    const warnings: unknown[] = [];
    db.events.addEventListener('warning', (event) => warnings.push(event));
    for (const round of ['1', '2']) {
      for (let i = 0; i < 50; i++) data.put(`k${i}`, round.repeat(100));
      await time.run(db.flush());
    }
    fs.add({ kind: 'ENOSPC', operations: ['write'], path: '.sst', times: 3 });
    const compact = db.compact();
    await time.settle();
    expect(data.get('k3')).toBe('2'.repeat(100));
    await time.run(compact);
    expect(fs.injected.ENOSPC).toBeGreaterThan(0);
    expect(db.stats().keyspaces['data']!.levels[0]!.files).toBe(0);
    expect(warnings).toEqual([]);
    expect(await found(full)).toHaveLength(51);
  });

  test('an open: it fails, touches nothing, and works when there is room', async () => {
    const full = await world();
    const { data, db, fs, time, disk } = full;
    data.put('a', 'v');
    await time.run(db.close());
    const before = disk.list('/db');
    for (const free of [0, 10, 60]) {
      fs.freeBytes = free;
      const error = await expectRefusal(
        () => new ManualScheduler().open('/db', { fileSystem: fs }),
        'IO_ERROR',
        'io',
        { system: 'ENOSPC' },
      ).catch((problem: unknown) => {
        throw new Error(`with ${free} bytes free`, { cause: problem });
      });
      expect(error.context['file']).toContain('MANIFEST');
    }
    expect(disk.list('/db')).toEqual(expect.arrayContaining(before));
    fs.freeBytes = undefined;
    expect(await found(full)).toEqual(['a', 'before']);
  });
});
