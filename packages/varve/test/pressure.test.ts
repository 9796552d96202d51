/**
 * Back-pressure: what writes meet when memtables or level 0 grow faster than flushes and compactions empty them, under each
 * of the three strategies, and what stats and events say of it.
 */
import { type Database, type DatabaseOptions, type Keyspace, utf8, type VarveError } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';

interface World {
  readonly db: Database;
  readonly fs: FaultFs;
  readonly time: ManualScheduler;
  readonly data: Keyspace<string, string>;
  /** Details of 'pressure' events. */
  readonly told: { state: string; reason: string }[];
}

/** With half a MiB for memtables. */
async function world(options: DatabaseOptions = {}): Promise<World> {
  const fs = new FaultFs(new MemoryFs());
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, memoryBytesMax: 1024 ** 2, ...options });
  onTestFinished(() => db.close().catch(() => undefined));
  const told: World['told'] = [];
  db.events.addEventListener('pressure', (event) =>
    told.push((event as CustomEvent<{ state: string; reason: string }>).detail),
  );
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  await time.settle();
  return { db, fs, time, data, told };
}

const value = 'x'.repeat(10_000);

/** Puts until one is refused, giving the event loop no turn; returns how many went in, and the refusal. */
function fill(data: Keyspace<string, string>): { count: number; error: VarveError } {
  for (let count = 0; count < 1000; count++) {
    try {
      data.put(`k${count}`, value);
    } catch (error) {
      return { count, error: error as VarveError };
    }
  }
  throw new Error('nothing was refused');
}

describe('fail', () => {
  test('refuses at the limit with the reason and the figures, and goes on after the flush', async () => {
    const { db, data, time, told } = await world({ pressure: 'fail' });
    const { count, error } = fill(data);
    expect(error).toMatchObject({
      code: 'BUSY',
      kind: 'busy',
      context: { reason: 'memtable-memory', limitBytes: 512 * 1024 },
    });
    expect(error.context['usedBytes']).toBeGreaterThanOrEqual(512 * 1024);
    expect(count).toBeGreaterThan(20);
    await expectRefusal(() => data.delete('k0'), 'BUSY', 'busy', { reason: 'memtable-memory' });
    await expectRefusal(() => data.put('a', 'b', { durability: 'os' }), 'BUSY', 'busy');
    const batch = db.batch().put(data, 'a', 'b');
    await expectRefusal(() => db.write(batch, { durability: 'os' }), 'BUSY', 'busy');
    expect(batch.count).toBe(1);
    expect(db.pressure).toMatchObject({ state: 'fail', reason: 'memtable-memory', failed: 4 });
    expect(db.pressure.reasons).toEqual({
      'memtable-memory': { delayed: 0, blocked: 0, failed: 4, waitMs: 0 },
    });
    expect(db.stats().pressure).toEqual(db.pressure);
    expect(data.count()).toBe(count);
    await time.settle();
    expect(db.stats().pressure.state).toBe('none');
    expect(db.stats().pressure).not.toHaveProperty('reason');
    data.put('after', value);
    db.write(batch);
    expect(data.count()).toBe(count + 2);
    expect(told).toEqual([
      { state: 'fail', reason: 'memtable-memory' },
      { state: 'none', reason: '' },
    ]);
  });
});

describe('block', () => {
  test('a plain put waits for the flush, and all go in', async () => {
    const { db, data } = await world({ pressure: 'block' });
    for (let i = 0; i < 300; i++) data.put(`k${i}`, value);
    expect(data.count()).toBe(300);
    const { pressure } = db.stats();
    expect(pressure).toMatchObject({ state: 'none', failed: 0, delayed: 0 });
    expect(pressure.blocked).toBeGreaterThan(0);
  });

  test('when nothing comes of waiting the put is refused; an awaited one waits on', async () => {
    const { db, data, fs, time, told } = await world({ pressure: 'block' });
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    const { count, error } = fill(data);
    expect(error).toMatchObject({ code: 'BUSY', kind: 'busy', context: { reason: 'memtable-memory' } });
    let isDone = false;
    const waiting = data.put('waits', value, { durability: 'os' }).then(() => (isDone = true));
    await time.advance(2000);
    expect({ isDone, has: data.has('waits') }).toEqual({ isDone: false, has: false });
    fs.heal();
    await time.run(waiting);
    expect(data.count()).toBe(count + 1);
    expect(told.at(-1)).toEqual({ state: 'none', reason: '' });
    expect(db.stats().pressure.waitMs).toBeGreaterThan(0);
  });

  test('waiting ends by deadline or signal, and nothing was written then', async () => {
    const { data, fs, time } = await world({ pressure: 'block' });
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    const { count } = fill(data);
    const controller = new AbortController();
    const late = data.put('late', value, { durability: 'os', deadlineMs: 100 });
    const aborted = data.put('aborted', value, { durability: 'os', signal: controller.signal });
    const refusals = Promise.all([
      expectRefusal(() => late, 'DEADLINE', 'busy', { applied: false, deadlineMs: 100 }),
      expectRefusal(() => aborted, 'ABORTED', 'busy', { applied: false }),
    ]);
    await time.advance(100);
    controller.abort();
    await refusals;
    fs.heal();
    await time.advance(1000);
    expect(data.count()).toBe(count);
  });

  test('a batch whose write waits is in use until it went in or was given up', async () => {
    const { db, data, fs, time } = await world({ pressure: 'block' });
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    fill(data);
    const batch = db.batch().put(data, 'one', value);
    const late = db.write(batch, { durability: 'os', deadlineMs: 100 });
    const inUse = [
      () => batch.put(data, 'two', '2'),
      () => batch.delete(data, 'one'),
      () => batch.deleteRange(data, { gte: 'a', lt: 'b' }),
      () => batch.clear(),
      () => db.write(batch),
      () => db.write(batch, { durability: 'os' }),
    ];
    for (const use of inUse) await expectRefusal(use, 'BATCH_IN_USE', 'invalid', { count: 1 });
    const refused = expectRefusal(() => late, 'DEADLINE', 'busy');
    await time.advance(100);
    await refused;
    const written = db.write(batch.put(data, 'two', '2'), { durability: 'os' });
    fs.heal();
    await time.run(written);
    expect([data.get('one'), data.get('two'), batch.count]).toEqual([value, '2', 0]);
  });

  test('close lets nobody wait for ever', async () => {
    const { db, data, fs, time } = await world({ pressure: 'block' });
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    fill(data);
    const refused = expectRefusal(() => data.put('x', value, { durability: 'os' }), 'CLOSED', 'closed');
    await time.settle();
    await time.run(db.close());
    await refused;
  });
});

describe('slow', () => {
  test('delays before the limit, counts it, and says so', async () => {
    const { db, data, time, told } = await world({ memoryBytesMax: 4 * 1024 ** 2 });
    for (let i = 0; i < 1000; i++) data.put(`k${i}`, value);
    await time.settle();
    const { pressure } = db.stats();
    expect(pressure.delayed).toBeGreaterThan(0);
    expect(pressure.failed).toBe(0);
    expect(told[0]).toEqual({ state: 'slow', reason: 'memtable-memory' });
    data.put('one more', 'v');
    expect(db.stats().pressure.state).toBe('none');
    expect(data.count()).toBe(1001);
  });

  test('at the limit blocks as block does', async () => {
    const { data, fs } = await world();
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    expect(fill(data).error).toMatchObject({ code: 'BUSY', context: { reason: 'memtable-memory' } });
  });
});

describe('awaited writes', () => {
  for (const pressure of ['slow', 'block'] as const) {
    test(`are paced on the way to the limit under ${pressure}, in their order, and all go in`, async () => {
      const { db, data, fs, time, told } = await world({ pressure, memoryBytesMax: 4 * 1024 ** 2 });
      const order: number[] = [];
      fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
      const writes = Array.from({ length: 400 }, async (_, i) => {
        await data.put(`k${i}`, value, { durability: 'os' });
        order.push(i);
      });
      await time.advance(200);
      expect(db.pressure).toMatchObject({ state: 'slow', reason: 'memtable-memory', blocked: 0, failed: 0 });
      const [soon, used] = [order.length, db.stats().memoryBytes.memtables];
      await time.advance(5000);
      // Nothing makes room: what is left is used ever more slowly. Memory is taken in chunks, and the last one counts whole.
      expect(order.length).toBeGreaterThan(soon);
      expect(used).toBeGreaterThanOrEqual(1.5 * 1024 ** 2);
      expect(db.stats().memoryBytes.memtables).toBeLessThanOrEqual(2.125 * 1024 ** 2);
      fs.heal();
      await time.run(Promise.all(writes));
      expect(order).toEqual(Array.from({ length: 400 }, (_, i) => i));
      expect(data.count()).toBe(400);
      await time.advance(1000);
      expect(db.pressure.delayed).toBeGreaterThan(0);
      expect(told[0]).toEqual({ state: 'slow', reason: 'memtable-memory' });
      expect(told.at(-1)).toEqual({ state: 'none', reason: '' });
    });
  }

  test('and transactions: their commits wait their turn as promises', async () => {
    const { db, data, fs, time } = await world({ pressure: 'block', memoryBytesMax: 4 * 1024 ** 2 });
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    const { count } = fill(data);
    const states = [
      db.transaction((tx) => tx.put(data, 'run', value)),
      db.transaction((tx) => tx.put(data, 'durable', value), { durability: 'os' }),
    ];
    const before = time.clock.monotonic();
    await time.advance(100);
    expect([data.has('run'), data.has('durable')]).toEqual([false, false]);
    expect(time.clock.monotonic() - before).toBe(100);
    // Reading needs no room.
    expect(await db.transaction((tx) => tx.get(data, 'k0'))).toBe(value);
    fs.heal();
    await time.run(Promise.all(states));
    expect(data.count()).toBe(count + 2);
  });

  test('with a deadline wait for what is locked meanwhile, too', async () => {
    const { db, data, fs, time } = await world({ pressure: 'block' });
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    fill(data);
    const written = data.put('locked', value, { durability: 'memory', deadlineMs: 60_000 });
    const tx = db.begin();
    await tx.getForUpdate(data, 'locked');
    fs.heal();
    await time.advance(1000);
    expect(data.has('locked')).toBe(false);
    tx.rollback();
    await time.run(written);
    expect(data.get('locked')).toBe(value);
  });

  test('and transactions: a timeout ends that, and so do poison and close', async () => {
    const { db, data, fs, time } = await world({ pressure: 'block', memoryBytesMax: 4 * 1024 ** 2 });
    const release = fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    fill(data);
    const late = db.transaction((tx) => tx.put(data, 'late', value), { timeoutMs: 50 });
    const refused = expectRefusal(() => late, 'TRANSACTION_TIMEOUT', 'busy');
    await time.advance(60);
    await refused;
    const early = db.begin();
    early.put(data, 'early', value);
    const tx = db.begin();
    tx.put(data, 'tx', value);
    const waits = expectRefusal(() => early.commit({ durability: 'memory' }), 'POISONED', 'io');
    release();
    fs.add({ kind: 'EIO', operations: ['create'], path: '.sst' });
    await time.advance(1000);
    await waits;
    await expectRefusal(() => tx.commit({ durability: 'memory' }), 'POISONED', 'io');
    await expectRefusal(() => db.transaction((each) => each.put(data, 'x', value)), 'POISONED', 'io');
    expect([data.has('late'), data.has('early'), data.has('tx')]).toEqual([false, false, false]);
  });

  test('do not park the thread, and do not let plain writes push them aside for good', async () => {
    const { db, data, fs, time } = await world({ pressure: 'block', memoryBytesMax: 4 * 1024 ** 2 });
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    for (let i = 0; i < 160; i++) data.put(`plain${i}`, value);
    expect(db.pressure).toMatchObject({ delayed: 0, blocked: 0 });
    const awaited = data.put('awaited', value, { durability: 'os' });
    const before = time.clock.monotonic();
    await time.run(awaited);
    expect(time.clock.monotonic() - before).toBeLessThanOrEqual(201);
    expect(data.get('awaited')).toBe(value);
  });
});

describe('level 0', () => {
  test('stops writes when compaction does not keep up, whatever room memtables have', async () => {
    const { db, data, fs, time, told } = await world({ pressure: 'fail' });
    let files = 0;
    let refused: VarveError | undefined;
    while (refused === undefined && files < 100) {
      try {
        data.put('k', String(files));
      } catch (error) {
        refused = error as VarveError;
        break;
      }
      const flush = db.flush();
      // The flush creates one table; what a compaction would create then finds no room.
      const release = fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst', skip: 1 });
      await time.run(flush);
      release();
      files++;
    }
    expect(refused).toMatchObject({ code: 'BUSY', kind: 'busy', context: { reason: 'level0-files' } });
    expect(files).toBe(36);
    await Promise.resolve();
    expect(told.at(-1)).toEqual({ state: 'fail', reason: 'level0-files' });
    await time.advance(3000);
    data.put('k', 'after');
    expect(db.stats().pressure.state).toBe('none');
    expect(db.stats().keyspaces['data']!.levels[0]!.files).toBeLessThan(10);
  });

  test('a keyspace that is to have many files there before it compacts is not stopped below that', async () => {
    const { db, data, time } = await world({
      pressure: 'fail',
      keyspaceDefaults: { compaction: { strategy: 'leveled', level0Files: 100 } },
    });
    for (let i = 0; i < 99; i++) {
      data.put('k', String(i));
      await time.run(db.flush());
    }
    expect(db.stats().keyspaces['data']!.levels[0]!.files).toBe(99);
    for (let i = 99; i < 110; i++) {
      data.put('k', String(i));
      await time.run(db.flush());
    }
    await time.settle();
    expect(db.stats().keyspaces['data']!.levels[0]!.files).toBeLessThan(99);
    expect(data.get('k')).toBe('109');
  });
});

describe('many small keyspaces', () => {
  for (const pressure of ['slow', 'block'] as const) {
    test(`share the budget: the largest makes room, and nobody is refused under ${pressure}`, async () => {
      const { db, time } = await world({ pressure });
      const keyspaces = Array.from({ length: 64 }, (_, i) =>
        db.keyspace(`ks${i}`, { key: utf8, value: utf8 }),
      );
      for (let round = 0; round < 20; round++) {
        for (const keyspace of keyspaces) keyspace.put(`k${round}`, 'v');
        await time.turn();
      }
      for (const keyspace of keyspaces) expect(keyspace.count()).toBe(20);
    });
  }

  test('under fail are refused for as long as the flush takes, and no longer', async () => {
    const { db, time } = await world({ pressure: 'fail' });
    const keyspaces = Array.from({ length: 64 }, (_, i) => db.keyspace(`ks${i}`, { key: utf8, value: utf8 }));
    for (let round = 0; round < 5; round++) {
      for (const keyspace of keyspaces) {
        try {
          keyspace.put(`k${round}`, 'v');
        } catch (error) {
          expect(error).toMatchObject({ code: 'BUSY' });
          await time.settle();
          keyspace.put(`k${round}`, 'v');
        }
      }
    }
    for (const keyspace of keyspaces) expect(keyspace.count()).toBe(5);
  });
});

test('what listens to events may write: the write in whose middle they came is not disturbed', async () => {
  const { db, data, time } = await world({ pressure: 'block' });
  const journal = db.keyspace('journal', { key: utf8, value: utf8 });
  let events = 0;
  for (const type of ['pressure', 'flush', 'compaction'])
    db.events.addEventListener(type, () => journal.put(`event${String(events++).padStart(4, '0')}`, type));
  for (let i = 0; i < 300; i++) {
    data.put(`k${i}`, `${i}:${value}`);
    if (i % 10 === 0) await Promise.resolve();
  }
  await time.settle();
  for (let i = 0; i < 300; i++) expect(data.get(`k${i}`)).toBe(`${i}:${value}`);
  expect(events).toBeGreaterThan(5);
  expect(journal.count()).toBe(events);
  expect(data.count()).toBe(300);
});
