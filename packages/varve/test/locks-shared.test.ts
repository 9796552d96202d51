/** Locks of transactions over real threads: they exclude, wait, are let go and are lost with their threads. */
import { type Database, open, type Keyspace, utf8 } from 'varve';
import { describe, expect, onTestFinished, test } from 'vitest';
import { countUp } from './count-up.ts';
import { LockingThread, untilWaiting } from './locking-thread.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const LONG_MS = 60_000;

interface World {
  readonly db: Database;
  readonly data: Keyspace<string, string>;
}

async function world(): Promise<World> {
  const db = await open(temporaryDirectory(), { sync: 'manual' });
  onTestFinished(() => db.close());
  const data = db.keyspace('texts', { key: utf8, value: utf8 });
  for (const key of ['a', 'b', 'c', 'd']) data.put(key, `old ${key}`);
  return { db, data };
}

const begin = (db: Database, lockTimeoutMs = LONG_MS) => db.begin({ lockTimeoutMs });

describe('a lock of another thread', () => {
  test('is waited for, also by a thread whose locks the owner waits for, and refuses plain writes', async () => {
    const { db, data } = await world();
    const there = await LockingThread.of(db);
    const remote = await there.call('begin', 'tx', LONG_MS);
    expect(await there.call('lock', 'tx', 'a')).toBe('old a');
    await expectRefusal(() => data.put('a', 'plain'), 'KEY_LOCKED', 'conflict', {
      keyspace: 'texts',
      transaction: remote,
      thread: there.id,
    });
    await expectRefusal(
      () => db.write(db.batch().delete(data, 'b').delete(data, 'a')),
      'KEY_LOCKED',
      'conflict',
    );
    const optimistic = db.begin();
    optimistic.put(data, 'a', 'x');
    await expectRefusal(() => optimistic.commit(), 'KEY_LOCKED', 'conflict');
    const here = begin(db);
    const wait = here.getForUpdate(data, 'a');
    await untilWaiting(db, 1);
    await there.call('put', 'tx', 'a', 'remote');
    await there.call('commit', 'tx');
    expect(await wait).toBe('remote');
    await expectRefusal(() => there.call('plainPut', 'a', 'x'), 'KEY_LOCKED', 'conflict', {
      transaction: here.id,
      thread: 0,
    });
    here.put(data, 'a', 'here');
    here.commit();
    await there.call('plainPut', 'a', 'plain');
    expect([data.get('a'), data.get('b')]).toEqual(['plain', 'old b']);
    expect(db.stats().transactions).toMatchObject({ locks: 0, waiting: 0 });
  });

  test('is waited for by a write with a deadline, from either side', async () => {
    const { db, data } = await world();
    const there = await LockingThread.of(db);
    await there.call('begin', 'tx', LONG_MS);
    await there.call('lock', 'tx', 'a');
    const late = expectRefusal(
      () => data.put('a', 'late', { durability: 'memory', deadlineMs: 5 }),
      'DEADLINE',
      'busy',
      { applied: false },
    );
    await late;
    const written = data.put('a', 'waited', { durability: 'memory', deadlineMs: LONG_MS });
    await there.call('put', 'tx', 'a', 'remote');
    await there.call('commit', 'tx');
    await written;
    expect(data.get('a')).toBe('waited');
    const here = begin(db);
    await here.getForUpdate(data, 'b');
    const remote = there.call('putWithin', 'b', 'waited', LONG_MS);
    // Its answer comes after that of the write before it was begun.
    await there.call('locks');
    here.put(data, 'b', 'here');
    here.commit();
    await remote;
    expect(data.get('b')).toBe('waited');
  });

  test('on a range keeps keys and ranges of others out, there or not', async () => {
    const { db, data } = await world();
    const there = await LockingThread.of(db);
    await there.call('begin', 'tx', LONG_MS);
    await there.call('lockRange', 'tx', 'b', 'd');
    await expectRefusal(() => data.put('bb', 'x'), 'KEY_LOCKED', 'conflict');
    await expectRefusal(() => data.deleteRange({ gte: 'a', lt: 'c' }), 'KEY_LOCKED', 'conflict');
    data.put('d', 'free');
    const tx = begin(db, 5);
    await expectRefusal(() => tx.getForUpdate(data, 'cc'), 'LOCK_TIMEOUT', 'busy', { thread: there.id });
    const waits = [begin(db).lockRange(data, { gte: 'a', lt: 'b!' }), begin(db).getForUpdate(data, 'c')];
    await untilWaiting(db, 2);
    await there.call('rollback', 'tx');
    await Promise.all(waits);
  });

  test('is waited for first come first served over three threads', async () => {
    const { db, data } = await world();
    const [one, two] = [await LockingThread.of(db), await LockingThread.of(db)];
    const here = begin(db);
    await here.getForUpdate(data, 'a');
    const order: string[] = [];
    const waits: Promise<unknown>[] = [];
    for (const [i, thread] of [one, two].entries()) {
      await thread.call('begin', 'tx', LONG_MS);
      waits.push(thread.call('lock', 'tx', 'a').then(() => order.push(String(i))));
      await untilWaiting(db, i + 1);
    }
    const last = begin(db);
    waits.push(last.getForUpdate(data, 'a').then(() => order.push('last')));
    here.rollback();
    // That it has the lock a thread tells by a message, which is behind the release by another thread if nobody waits for it.
    await waits[0];
    await one.call('rollback', 'tx');
    await waits[1];
    await two.call('rollback', 'tx');
    await waits[2];
    expect(order).toEqual(['0', '1', 'last']);
    last.rollback();
  });

  test('is let go to others while the owner does nothing at all', async () => {
    const { db } = await world();
    const [one, two] = [await LockingThread.of(db), await LockingThread.of(db)];
    for (const thread of [one, two]) await thread.call('begin', 'tx', LONG_MS);
    await one.call('lock', 'tx', 'a');
    const gate = new SharedArrayBuffer(4);
    const wait = two.call('lockThenOpen', 'tx', 'a', gate);
    await untilWaiting(db, 1);
    void one.call('rollback', 'tx');
    // The owner's event loop does not turn meanwhile.
    const word = new Int32Array(gate);
    for (const until = performance.now() + 20_000; Atomics.load(word, 0) === 0; ) {
      expect(performance.now()).toBeLessThan(until);
    }
    await wait;
  });
});

describe('deadlocks', () => {
  test('over two threads are refused with their transactions and threads; a retry goes through', async () => {
    const { db, data } = await world();
    const there = await LockingThread.of(db);
    const remote = await there.call('begin', 'tx', LONG_MS);
    await there.call('lock', 'tx', 'b');
    const here = begin(db);
    await here.getForUpdate(data, 'a');
    const wait = there.call('lock', 'tx', 'a');
    await untilWaiting(db, 1);
    const error = await expectRefusal(() => here.getForUpdate(data, 'b'), 'DEADLOCK', 'conflict', {
      cycle: [here.id, remote, here.id],
      threads: [0, there.id, 0],
    });
    expect(error.message).toContain(`transaction ${remote} of thread ${there.id}`);
    here.rollback();
    await wait;
    await there.call('rollback', 'tx');
    const swaps = [there.call('swap', 'a', 'b'), there.call('swap', 'b', 'a')];
    for (let i = 0; i < 20; i++) {
      await db.transaction(async (tx) => {
        const [x, y] = [await tx.getForUpdate(data, 'b'), await tx.getForUpdate(data, 'a')];
        tx.put(data, 'a', x!);
        tx.put(data, 'b', y!);
      });
    }
    await Promise.all(swaps);
    expect([data.get('a'), data.get('b')]).toEqual(['old a', 'old b']);
  });

  test('over three threads', async () => {
    const { db, data } = await world();
    const [one, two] = [await LockingThread.of(db), await LockingThread.of(db)];
    for (const thread of [one, two]) await thread.call('begin', 'tx', LONG_MS);
    await one.call('lock', 'tx', 'a');
    await two.call('lockRange', 'tx', 'b', 'c');
    const here = begin(db);
    await here.getForUpdate(data, 'c');
    const waits = [one.call('lock', 'tx', 'b'), two.call('lock', 'tx', 'c')];
    await untilWaiting(db, 2);
    await expectRefusal(() => here.getForUpdate(data, 'a'), 'DEADLOCK', 'conflict', {
      threads: [0, one.id, two.id, 0],
    });
    here.rollback();
    await waits[1];
    await two.call('rollback', 'tx');
    await waits[0];
  });
});

describe('a thread that is gone', () => {
  for (const how of ['terminated', 'exited', 'closed'] as const) {
    test(`${how}, has locked nothing and waits for nothing`, async () => {
      const { db, data } = await world();
      const [gone, other] = [await LockingThread.of(db), await LockingThread.of(db)];
      for (const thread of [gone, other]) await thread.call('begin', 'tx', LONG_MS);
      await gone.call('lock', 'tx', 'a');
      await gone.call('lockRange', 'tx', 'm', 'n');
      const here = begin(db);
      await here.getForUpdate(data, 'b');
      const lost = gone.call('lock', 'tx', 'b');
      const behind = other.call('lock', 'tx', 'b');
      const waits = [begin(db).getForUpdate(data, 'a'), begin(db).lockRange(data, { gte: 'mm', lt: 'z' })];
      await untilWaiting(db, 4);
      if (how === 'terminated') await gone.worker.terminate();
      else if (how === 'exited') {
        void gone.call('exit');
        await gone.ended;
      } else {
        await gone.call('close');
        await expectRefusal(() => lost, 'CLOSED', 'closed');
        await gone.ended;
      }
      await Promise.all(waits);
      here.rollback();
      expect(await behind).toBe('old b');
      expect(db.stats().transactions).toMatchObject({ locks: 3, waiting: 0 });
    });
  }

  test('is the owner: who waits hears of it', async () => {
    const { db, data } = await world();
    const there = await LockingThread.of(db);
    await begin(db).getForUpdate(data, 'a');
    await there.call('begin', 'tx', LONG_MS);
    const wait = expectRefusal(() => there.call('lock', 'tx', 'a'), 'CLOSED', 'closed');
    await untilWaiting(db, 1);
    await db.close();
    await wait;
    await there.call('close');
    await there.ended;
  });
});

test('who locks before he reads meets no conflict, however many threads count', async () => {
  const { db, data } = await world();
  const threads = [await LockingThread.of(db), await LockingThread.of(db)];
  data.put('count', '0');
  const counts = [
    ...threads.map((thread) => thread.call('count', 'count', 200)),
    countUp(db, data, 'count', 200),
  ];
  await Promise.all(counts);
  expect(data.get('count')).toBe('600');
  expect(db.stats().transactions).toMatchObject({ conflicts: 0, locks: 0, waiting: 0 });
  for (const thread of threads) await thread.call('close');
});

test('locks and waits that are there when the database is shared hold in all threads', async () => {
  const { db, data } = await world();
  const [first, second] = [begin(db), begin(db)];
  await first.getForUpdate(data, 'a');
  await first.lockRange(data, { gte: 'm', lt: 'n' });
  const wait = second.getForUpdate(data, 'a');
  const there = await LockingThread.of(db);
  for (const key of ['a', 'mm']) {
    await expectRefusal(() => there.call('plainPut', key, 'x'), 'KEY_LOCKED', 'conflict', {
      transaction: first.id,
    });
  }
  await there.call('begin', 'tx', LONG_MS);
  const remote = there.call('lock', 'tx', 'a');
  await untilWaiting(db, 2);
  first.commit();
  await wait;
  second.put(data, 'a', 'second');
  second.commit();
  expect(await remote).toBe('second');
});

test('ten thousand locks of one thread: others are refused by each, and write beside them', async () => {
  const { db, data } = await world();
  const there = await LockingThread.of(db);
  await there.call('begin', 'tx', LONG_MS);
  await there.call('lockMany', 'tx', 10_000);
  expect(db.stats().transactions.locks).toBe(10_000);
  for (let i = 0; i < 10_000; i += 1111) {
    await expectRefusal(() => data.put(`many-${i}`, 'x'), 'KEY_LOCKED', 'conflict');
    data.put(`few-${i}`, 'free');
  }
  await there.call('rollback', 'tx');
  data.put('many-1', 'free');
  expect(db.stats().transactions.locks).toBe(0);
});
