/** `db.transaction`, and what is refused of transactions. */
import type { Transaction } from 'varve';
import { describe, expect, test } from 'vitest';
import { collectGarbage, warningOf } from './collect.ts';
import { inMemory, type Texts, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { transactionWorld as world } from './transaction-world.ts';

describe('db.transaction', () => {
  test('commits what the function wrote and resolves with what it returned', async () => {
    const { db, data } = await world();
    expect(await db.transaction((tx) => tx.put(data, 'a', '1') ?? 'done')).toBe('done');
    expect(await db.transaction(async (tx) => tx.get(data, 'a'), { durability: 'os' })).toBe('1');
  });

  test('runs the function again after a conflict', async () => {
    const { db, data } = await world();
    data.put('n', '0');
    const add = (): Promise<void> =>
      db.transaction(async (tx) => {
        const n = Number(tx.get(data, 'n'));
        await Promise.resolve();
        tx.put(data, 'n', String(n + 1));
      });
    await Promise.all(Array.from({ length: 16 }, add));
    expect(data.get('n')).toBe('16');
    expect(db.stats().transactions.retries).toBeGreaterThan(0);
    expect(db.stats().transactions.open).toBe(0);
  });

  test('gives up after so many retries, with the conflict', async () => {
    const { db, data } = await world();
    let runs = 0;
    const run = db.transaction(
      (tx) => {
        runs++;
        tx.get(data, 'a');
        data.put('a', String(runs));
        tx.put(data, 'b', 'x');
      },
      { retriesMax: 3 },
    );
    await expectRefusal(() => run, 'TRANSACTION_CONFLICT', 'conflict');
    expect(runs).toBe(4);
  });

  test('what the function throws rolls back and is thrown on, once', async () => {
    const { db, data } = await world();
    let runs = 0;
    const run = db.transaction((tx) => {
      runs++;
      tx.put(data, 'a', 'never');
      throw new RangeError('mine');
    });
    await expect(run).rejects.toThrow('mine');
    expect([runs, data.get('a'), db.stats().transactions.open]).toEqual([1, 'old a', 0]);
  });

  test('what was committed is not done again, whatever the function meets after it', async () => {
    const { db, data } = await world();
    const holder = db.begin();
    await holder.getForUpdate(data, 'b');
    let runs = 0;
    const run = db.transaction((tx) => {
      runs++;
      tx.put(data, 'a', String(runs));
      tx.commit();
      data.put('b', 'x');
    });
    await expectRefusal(() => run, 'KEY_LOCKED', 'conflict');
    expect([runs, data.get('a')]).toEqual([1, '1']);
    holder.rollback();
  });

  test('a function may end it itself', async () => {
    const { db, data } = await world();
    await db.transaction((tx) => {
      tx.put(data, 'a', '1');
      tx.commit();
    });
    await db.transaction((tx) => {
      tx.put(data, 'a', '2');
      tx.rollback();
    });
    expect(data.get('a')).toBe('1');
  });

  test('one that never settles ends by its timeout or signal, and writes nothing after that', async () => {
    const { db, data } = await world();
    const kept: Transaction[] = [];
    const hang = (tx: Transaction): Promise<void> => {
      kept.push(tx);
      tx.put(data, 'a', 'never');
      return new Promise(() => undefined);
    };
    await expectRefusal(() => db.transaction(hang, { timeoutMs: 5 }), 'TRANSACTION_TIMEOUT', 'busy', {
      timeoutMs: 5,
    });
    const controller = new AbortController();
    const aborted = db.transaction(hang, { signal: controller.signal });
    controller.abort(new Error('enough'));
    const error = await expectRefusal(() => aborted, 'ABORTED', 'busy');
    expect((error.cause as Error).message).toBe('enough');
    for (const tx of kept) await expectRefusal(() => tx.put(data, 'a', 'x'), 'TRANSACTION_ENDED', 'invalid');
    expect([data.get('a'), db.stats().transactions.open]).toEqual(['old a', 0]);
    await expectRefusal(() => db.transaction(() => 1, { signal: controller.signal }), 'ABORTED', 'busy');
  });
});

test('a signal that is aborted before or in the function leaves nothing unhandled', async () => {
  const { db, data } = await world();
  const controller = new AbortController();
  let runs = 0;
  const write = async (tx: Transaction): Promise<void> => {
    runs++;
    controller.abort();
    await Promise.resolve();
    tx.put(data, 'a', 'never');
  };
  await expectRefusal(() => db.transaction(write, { signal: controller.signal }), 'ABORTED', 'busy');
  await expectRefusal(() => db.transaction(write, { signal: controller.signal }), 'ABORTED', 'busy');
  await new Promise((resolve) => setImmediate(resolve));
  expect([runs, data.get('a')]).toEqual([1, 'old a']);
});

test('one that is lost is reported, and nothing else happens', async () => {
  const db = await inMemory();
  const warned = warningOf(db);
  (() => void db.begin().get(texts(db), 'a'))();
  await collectGarbage(3);
  expect((await warned).code).toBe('TRANSACTION_LEAKED');
  expect(db.stats().transactions.open).toBe(1);
});

test('of more than are kept in a list each turn, those that are open are reported when lost and end with the database', async () => {
  const { db, data } = await world();
  const warned = warningOf(db);
  const beginMany = (): Transaction[] => Array.from({ length: 300 }, () => db.begin());
  const [first, lost, last] = [beginMany(), beginMany(), beginMany()];
  for (const tx of first) tx.rollback();
  const [id] = [lost[0]!.id];
  lost.length = 0;
  expect(db.stats().transactions.open).toBe(600);
  await collectGarbage(3);
  const { code, message } = await warned;
  expect(code).toBe('TRANSACTION_LEAKED');
  const reported = Number(/transaction (\d+)/.exec(message)![1]);
  expect([reported >= id, reported < last[0]!.id]).toEqual([true, true]);
  const young = db.begin();
  const pairs: [Transaction, string][] = [
    [last[0]!, 'old'],
    [last[299]!, 'older'],
    [young, 'young'],
  ];
  for (const [tx, value] of pairs) tx.put(data, 'a', value);
  await db.close();
  for (const [tx] of pairs) await expectRefusal(() => tx.commit(), 'CLOSED', 'closed');
});

describe('bad input', () => {
  test('use after the end says how it ended', async () => {
    const { db, data } = await world();
    const tx = db.begin();
    const range = tx.range(data);
    const iterator = range[Symbol.iterator]();
    iterator.next();
    const savepoint = tx.savepoint();
    tx.put(data, 'x', '1');
    tx.commit();
    const uses: (() => unknown)[] = [
      () => tx.get(data, 'a'),
      () => tx.getMany(data, ['a']),
      () => tx.has(data, 'a'),
      () => tx.range(data),
      () => [...range],
      () => iterator.next(),
      () => tx.put(data, 'a', '1'),
      () => tx.delete(data, 'a'),
      () => tx.deleteRange(data, { gte: 'a', lt: 'b' }),
      () => tx.savepoint(),
      () => tx.rollbackTo(savepoint),
      () => tx.getForUpdate(data, 'a'),
      () => tx.lockRange(data, { gte: 'a', lt: 'b' }),
      () => tx.commit(),
    ];
    for (const use of uses) await expectRefusal(use, 'TRANSACTION_ENDED', 'invalid', { endedBy: 'commit' });
  });

  test('options are refused by name', async () => {
    const { db } = await world();
    const bad = (options: object): unknown => db.transaction(() => 1, options);
    for (const options of [
      { isolation: 'loose' },
      { lockTimeoutMs: -1 },
      { timeoutMs: 'soon' },
      { retriesMax: 1.5 },
      { signal: {} },
      { retries: 3 },
    ])
      await expectRefusal(() => bad(options), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => bad({ durability: 'replicated' }), 'DURABILITY_INVALID', 'invalid');
    await expectRefusal(() => db.begin({ timeoutMs: 1 } as object), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => db.begin({ durability: 'disk' } as object), 'OPTION_INVALID', 'invalid');
    expect(await db.transaction(async () => Promise.resolve(1), { timeoutMs: Infinity })).toBe(1);
    await expectRefusal(() => db.transaction(undefined as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => db.begin(null as never), 'OPTION_INVALID', 'invalid');
  });

  test('keys, values, keyspaces and savepoints of others are refused as anywhere, and the transaction goes on', async () => {
    const { db, data } = await world();
    const foreign = texts(await inMemory());
    const tx = db.begin();
    await expectRefusal(() => tx.get(foreign, 'a'), 'KEYSPACE_FOREIGN', 'invalid');
    await expectRefusal(() => tx.put(data, 7 as never, 'x'), 'KEY_INVALID', 'invalid');
    await expectRefusal(() => tx.put(data, 'a', 'x', { ttlMs: -1 }), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => tx.rollbackTo(db.begin().savepoint()), 'SAVEPOINT_INVALID', 'invalid');
    await expectRefusal(() => tx.rollbackTo({ operations: 0 }), 'SAVEPOINT_INVALID', 'invalid');
    await expectRefusal(() => tx.range(data).partitions(2), 'RANGE_INVALID', 'invalid');
    tx.put(data, 'a', '1');
    tx.commit();
    expect(data.get('a')).toBe('1');
  });

  test('on a closed database, and one that closes under it', async () => {
    const db = await inMemory();
    const data = texts(db);
    const tx = db.begin();
    tx.put(data, 'a', '1');
    await db.close();
    await expectRefusal(() => tx.commit(), 'CLOSED', 'closed');
    await expectRefusal(() => tx.get(data, 'a'), 'CLOSED', 'closed');
    await expectRefusal(() => db.begin(), 'CLOSED', 'closed');
    await expectRefusal(() => db.transaction(() => 1), 'CLOSED', 'closed');
  });

  test('a keyspace that was dropped refuses the commit, and nothing of it is written', async () => {
    const { db, data } = await world();
    const other = texts(db, 'other');
    const tx = db.begin();
    tx.put(data, 'a', '1');
    tx.put(other, 'a', '1');
    await db.dropKeyspace('other');
    await expectRefusal(() => tx.commit(), 'KEYSPACE_DROPPED', 'invalid');
    expect(data.get('a')).toBe('old a');
  });

  test('one that has read a keyspace which was dropped can not know what was written there, and is refused', async () => {
    const { db, data } = await world();
    for (const read of [
      (tx: Transaction, from: Texts) => tx.get(from, 'a'),
      (tx: Transaction, from: Texts) => [...tx.range(from)],
    ]) {
      const other = texts(db, 'other');
      other.put('a', '1');
      await db.flush();
      const tx = db.begin();
      read(tx, other);
      tx.put(data, 'a', 'never');
      other.put('a', '2');
      await db.flush();
      await db.dropKeyspace('other');
      await expectRefusal(() => tx.commit(), 'KEYSPACE_DROPPED', 'invalid', { keyspace: 'other' });
    }
    expect(data.get('a')).toBe('old a');
  });

  test('a batch over its limit is refused at commit, with the sizes', async () => {
    const db = await inMemory({ batchBytesMax: 64 * 1024 });
    const data = texts(db);
    const tx = db.begin();
    for (let i = 0; i < 100; i++) tx.put(data, `k${i}`, 'x'.repeat(1000));
    await expectRefusal(() => tx.commit(), 'BATCH_TOO_LARGE', 'invalid', { max: 64 * 1024 });
    expect(data.count()).toBe(0);
  });
});
