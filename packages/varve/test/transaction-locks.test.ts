/** Locks of transactions: who waits, who is refused, who is let go, and what plain writes meet. */
import type { Database, Transaction } from 'varve';
import { MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Texts, texts } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';

interface World {
  readonly db: Database;
  readonly data: Texts;
  readonly time: ManualScheduler;
  begin(): Transaction;
}

async function world(): Promise<World> {
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: new MemoryFs() });
  onTestFinished(() => db.close());
  const data = texts(db);
  for (const key of ['a', 'b', 'c']) data.put(key, `old ${key}`);
  return { db, data, time, begin: () => db.begin({ lockTimeoutMs: 100 }) };
}

/** Settled or not, by now. */
function watch(promise: Promise<unknown>): { readonly isSettled: boolean } {
  const state = { isSettled: false };
  const settle = (): void => void (state.isSettled = true);
  promise.then(settle, settle);
  return state;
}

describe('a lock on a key', () => {
  test('is waited for by others until its transaction ends, first come first served', async () => {
    const { data, time, begin } = await world();
    const [first, second, third] = [begin(), begin(), begin()];
    expect(await first.getForUpdate(data, 'a')).toBe('old a');
    expect(await first.getForUpdate(data, 'a')).toBe('old a');
    const waits = [second.getForUpdate(data, 'a'), third.getForUpdate(data, 'a')];
    const states = waits.map(watch);
    await time.settle();
    expect(states.map(({ isSettled }) => isSettled)).toEqual([false, false]);
    first.put(data, 'a', 'first');
    first.commit();
    // Nothing was read before, so it reads what is there now.
    expect(await waits[0]).toBe('first');
    expect(states[1]!.isSettled).toBe(false);
    second.rollback();
    expect(await waits[1]).toBe('first');
    third.put(data, 'a', 'third');
    third.commit();
    expect(data.get('a')).toBe('third');
  });

  test('other keys, and the same key of another keyspace, are free', async () => {
    const { db, data, begin } = await world();
    const other = texts(db, 'other');
    const [first, second] = [begin(), begin()];
    await first.getForUpdate(data, 'a');
    await second.getForUpdate(data, 'b');
    await second.getForUpdate(other, 'a');
    expect(db.stats().transactions.locks).toBe(3);
    first.rollback();
    second.rollback();
    expect(db.stats().transactions.locks).toBe(0);
  });

  test('that was written after the first read of its transaction is a conflict', async () => {
    const { data, begin } = await world();
    const tx = begin();
    tx.get(data, 'b');
    data.put('a', 'new');
    await expectRefusal(() => tx.getForUpdate(data, 'a'), 'TRANSACTION_CONFLICT', 'conflict');
    tx.rollback();
  });

  test('that its transaction asks for again, alone or as a part of what it has, is no wait, whoever waits for it', async () => {
    const { data, begin } = await world();
    const [first, second, third] = [begin(), begin(), begin()];
    await first.lockRange(data, { gte: 'a', lt: 'c' });
    const waiting = [second.getForUpdate(data, 'a'), third.lockRange(data, { gte: 'b', lt: 'd' })];
    expect(await first.getForUpdate(data, 'a')).toBe('old a');
    expect(await first.getForUpdate(data, 'b')).toBe('old b');
    await first.lockRange(data, { gte: 'a', lt: 'b' });
    await first.lockRange(data, { gte: 'a', lt: 'd' });
    first.commit();
    await Promise.all(waiting);
    second.rollback();
    third.rollback();
  });

  test('is waited for without end when the timeout says so', async () => {
    const { db, data, time } = await world();
    const [first, second] = [db.begin(), db.begin({ lockTimeoutMs: Infinity })];
    await first.getForUpdate(data, 'a');
    const state = watch(second.getForUpdate(data, 'a'));
    await time.advance(10_000_000);
    expect(state.isSettled).toBe(false);
    first.commit();
    await time.settle();
    expect(state.isSettled).toBe(true);
    second.rollback();
  });

  test('a wait ends by its timeout, with who has it, and the transaction goes on', async () => {
    const { db, data, time, begin } = await world();
    const [first, second] = [begin(), begin()];
    await first.getForUpdate(data, 'a');
    const late = expectRefusal(() => second.getForUpdate(data, 'a'), 'LOCK_TIMEOUT', 'busy', {
      keyspace: 'texts',
      timeoutMs: 100,
      transaction: first.id,
    });
    await time.advance(99);
    expect(db.stats().transactions.waiting).toBe(1);
    await time.advance(1);
    await late;
    expect(db.stats().transactions.waiting).toBe(0);
    expect(await second.getForUpdate(data, 'b')).toBe('old b');
    second.commit();
    first.commit();
  });

  test('a transaction that ends while it waits is told so, and gets no lock', async () => {
    const { db, data, begin } = await world();
    const [first, second] = [begin(), begin()];
    await first.getForUpdate(data, 'a');
    const waiting = second.getForUpdate(data, 'a');
    second.rollback();
    await expectRefusal(() => waiting, 'TRANSACTION_ENDED', 'invalid');
    first.rollback();
    expect(db.stats().transactions).toMatchObject({ locks: 0, waiting: 0 });
  });

  test('close lets nobody wait', async () => {
    const { db, data, time, begin } = await world();
    const [first, second] = [begin(), begin()];
    await first.getForUpdate(data, 'a');
    const waiting = expectRefusal(() => second.getForUpdate(data, 'a'), 'CLOSED', 'closed');
    await time.run(db.close());
    await waiting;
  });
});

describe('a lock on a range', () => {
  test('keeps its keys, there or not, and ranges that overlap', async () => {
    const { data, time, begin } = await world();
    const [first, second] = [begin(), begin()];
    await first.lockRange(data, { gte: 'b', lt: 'd' });
    const states = [
      second.getForUpdate(data, 'bb'),
      second.lockRange(data, { gte: 'a', lt: 'b!' }),
      second.lockRange(data, { gte: 'c', lt: 'z' }),
    ].map((wait) => watch(wait));
    await second.getForUpdate(data, 'a');
    await second.getForUpdate(data, 'd');
    await second.lockRange(data, { gte: 'd', lt: 'e' });
    await second.lockRange(data, { gte: 'x', lt: 'x' });
    await time.settle();
    expect(states.map(({ isSettled }) => isSettled)).toEqual([false, false, false]);
    first.rollback();
    await time.settle();
    expect(states.map(({ isSettled }) => isSettled)).toEqual([true, true, true]);
    second.rollback();
  });

  test('waits for keys in it', async () => {
    const { data, time, begin } = await world();
    const [first, second] = [begin(), begin()];
    await first.getForUpdate(data, 'b');
    const state = watch(second.lockRange(data, { gte: 'a', lt: 'c' }));
    await time.settle();
    expect(state.isSettled).toBe(false);
    first.commit();
    await time.settle();
    expect(state.isSettled).toBe(true);
    second.rollback();
  });
});

describe('deadlocks', () => {
  test('a wait that would close a cycle is refused and names it; the others go on', async () => {
    const { db, data, begin } = await world();
    const [a, b, c] = [begin(), begin(), begin()];
    await a.getForUpdate(data, 'a');
    await b.getForUpdate(data, 'b');
    await c.lockRange(data, { gte: 'c', lt: 'd' });
    const waits = [a.getForUpdate(data, 'b'), b.getForUpdate(data, 'c')];
    await expectRefusal(() => c.getForUpdate(data, 'a'), 'DEADLOCK', 'conflict', {
      cycle: [c.id, a.id, b.id, c.id],
      transaction: a.id,
    });
    expect(db.stats().transactions.deadlocks).toBe(1);
    c.rollback();
    await waits[1];
    b.commit();
    await waits[0];
    a.commit();
  });

  test('db.transaction takes them as conflicts: both functions go through', async () => {
    const { db, data, time } = await world();
    const swap = (from: string, to: string): Promise<void> =>
      db.transaction(async (tx) => {
        const x = await tx.getForUpdate(data, from);
        await new Promise<void>((resolve) => time.soon(resolve));
        const y = await tx.getForUpdate(data, to);
        tx.put(data, from, y!);
        tx.put(data, to, x!);
      });
    await time.run(Promise.all([swap('a', 'b'), swap('b', 'a')]));
    expect([data.get('a'), data.get('b')]).toEqual(['old a', 'old b']);
    expect(db.stats().transactions.deadlocks).toBe(1);
  });
});

describe('plain writes', () => {
  test('that meet a lock are refused with who has it, whatever their form', async () => {
    const { db, data, begin } = await world();
    const tx = begin();
    await tx.getForUpdate(data, 'a');
    const writes: (() => unknown)[] = [
      () => data.put('a', 'x'),
      () => data.delete('a'),
      () => data.deleteRange({ gte: 'a', lt: 'b' }),
      () => data.update('a', () => 'x'),
      () => db.write(db.batch().put(data, 'b', 'x').put(data, 'a', 'x')),
      () => data.put('a', 'x', { durability: 'os' }),
    ];
    for (const write of writes) {
      await expectRefusal(write, 'KEY_LOCKED', 'conflict', { keyspace: 'texts', transaction: tx.id });
    }
    const optimistic = begin();
    optimistic.put(data, 'a', 'x');
    await expectRefusal(() => optimistic.commit(), 'KEY_LOCKED', 'conflict');
    expect([data.get('a'), data.get('b')]).toEqual(['old a', 'old b']);
    data.put('b', 'free');
    tx.put(data, 'a', 'own');
    tx.commit();
    data.put('a', 'after');
    expect(data.get('a')).toBe('after');
  });

  test('with a deadline wait for it', async () => {
    const { db, data, time, begin } = await world();
    const tx = begin();
    await tx.getForUpdate(data, 'a');
    const written = data.put('a', 'waited', { durability: 'os', deadlineMs: 50 });
    const batch = db.batch().put(data, 'a', 'batch');
    const late = expectRefusal(
      () => db.write(batch, { durability: 'os', deadlineMs: 10 }),
      'DEADLINE',
      'busy',
      {
        applied: false,
      },
    );
    await time.advance(20);
    await late;
    tx.put(data, 'a', 'own');
    tx.commit();
    await time.run(written);
    expect(data.get('a')).toBe('waited');
  });
});
