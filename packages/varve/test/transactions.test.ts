/** Transactions: what they see, what they refuse, how they end. Locks stand in transaction-locks.test.ts. */
import { type Database, type Isolation, type Transaction, utf8 } from 'varve';
import { describe, expect, test } from 'vitest';
import { inMemory, type Texts, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';

const isolations: readonly Isolation[] = ['snapshot', 'serializable'];

async function world(): Promise<{ db: Database; data: Texts }> {
  const db = await inMemory();
  const data = texts(db);
  for (const key of ['a', 'b', 'c', 'd']) data.put(key, `old ${key}`);
  return { db, data };
}

const entries = (tx: Transaction, data: Texts, range = {}): string[] =>
  [...tx.range(data, range)].map(([key, value]) => `${key}=${value}`);

describe('what it sees', () => {
  test('one state, and its own writes on top', async () => {
    const { db, data } = await world();
    using tx = db.begin();
    data.put('a', 'new a');
    tx.put(data, 'b', 'own b');
    tx.delete(data, 'c');
    tx.put(data, 'e', 'own e');
    expect(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => tx.get(data, key))).toEqual([
      'old a',
      'own b',
      undefined,
      'old d',
      'own e',
      undefined,
    ]);
    expect(tx.getMany(data, ['a', 'b', 'c'])).toEqual(['old a', 'own b', undefined]);
    expect(['a', 'b', 'c', 'e'].map((key) => tx.has(data, key))).toEqual([true, true, false, true]);
    expect(data.get('b')).toBe('old b');
  });

  test('ranges with its own writes, both ways, with limits and cursors', async () => {
    const { db, data } = await world();
    using tx = db.begin();
    tx.put(data, 'bb', 'own');
    tx.delete(data, 'c');
    tx.put(data, 'd', 'own d');
    const all = ['a=old a', 'b=old b', 'bb=own', 'd=own d'];
    expect(entries(tx, data)).toEqual(all);
    expect(entries(tx, data, { reverse: true })).toEqual(all.toReversed());
    expect(entries(tx, data, { gte: 'b', lt: 'd' })).toEqual(['b=old b', 'bb=own']);
    expect(entries(tx, data, { limit: 3 })).toEqual(all.slice(0, 3));
    expect([...tx.range(data, { prefix: 'b' }).keys()]).toEqual(['b', 'bb']);
    const walked: string[] = [];
    for await (const value of tx.range(data).values()) walked.push(value);
    expect(walked).toEqual(['old a', 'old b', 'own', 'own d']);
    const cursor = tx.range(data).cursor();
    expect(cursor.seek(new TextEncoder().encode('ba'))).toBe(true);
    expect(new TextDecoder().decode(cursor.value)).toBe('own');
    cursor.close();
  });

  test('an iteration shows what was written before it began', async () => {
    const { db, data } = await world();
    using tx = db.begin();
    const seen: string[] = [];
    for (const [key] of tx.range(data)) {
      seen.push(key);
      tx.put(data, `${key}!`, 'later');
      tx.delete(data, key);
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    expect([...tx.range(data).keys()]).toEqual(['a!', 'b!', 'c!', 'd!']);
  });

  test('a range delete covers what came before it, in the database and of its own', async () => {
    const { db, data } = await world();
    using tx = db.begin();
    tx.put(data, 'bb', 'own');
    tx.deleteRange(data, { gte: 'b', lt: 'd' });
    tx.put(data, 'c', 'again');
    expect(entries(tx, data)).toEqual(['a=old a', 'c=again', 'd=old d']);
    expect(['b', 'bb', 'c'].map((key) => tx.get(data, key))).toEqual([undefined, undefined, 'again']);
    tx.commit();
    expect([...data.range()].map(([key]) => key)).toEqual(['a', 'c', 'd']);
  });

  test('several keyspaces, and values that expire', async () => {
    const { db, data } = await world();
    const other = texts(db, 'other');
    const tx = db.begin();
    tx.put(data, 'a', 'in data', { ttlMs: 60_000 });
    tx.put(other, 'a', 'in other');
    expect([tx.get(data, 'a'), tx.get(other, 'a')]).toEqual(['in data', 'in other']);
    expect(entries(tx, data, { lt: 'b' })).toEqual(['a=in data']);
    tx.commit();
    expect([data.get('a'), other.get('a')]).toEqual(['in data', 'in other']);
  });

  test('many writes of its own are found by their keys', async () => {
    const { db, data } = await world();
    using tx = db.begin();
    for (let i = 0; i < 5000; i++) tx.put(data, `k${i % 1000}`, `v${i}`);
    for (let i = 0; i < 1000; i += 7) expect(tx.get(data, `k${i}`)).toBe(`v${4000 + i}`);
    expect([...tx.range(data, { prefix: 'k' })]).toHaveLength(1000);
  });
});

describe('commit', () => {
  test('writes all at one sequence, or nothing', async () => {
    const { db, data } = await world();
    const tx = db.begin();
    tx.put(data, 'x', '1');
    tx.put(data, 'y', '2');
    const before = db.stats().sequence;
    expect(tx.commit()).toBe(before + 1);
    expect(db.stats().sequence).toBe(before + 1);
    const rolled = db.begin();
    rolled.put(data, 'x', 'never');
    rolled.rollback();
    rolled.rollback();
    expect(data.get('x')).toBe('1');
    expect(db.stats().transactions).toMatchObject({ open: 0, committed: 1, rolledBack: 1 });
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('with nothing to write it returns what it has read, whatever was written meanwhile', async () => {
    const { db, data } = await world();
    const tx = db.begin();
    tx.get(data, 'a');
    data.put('a', 'new');
    expect(tx.commit()).toBe(tx.sequence);
    expect(await db.transaction((each) => each.get(data, 'a'))).toBe('new');
  });

  test('resolves when the class is reached', async () => {
    const { db, data } = await world();
    const tx = db.begin();
    tx.put(data, 'x', '1');
    expect(await tx.commit({ durability: 'os' })).toBe(db.stats().sequence);
  });

  for (const isolation of isolations) {
    test(`${isolation}: a key that both write is refused to the second, by name`, async () => {
      const { db, data } = await world();
      const [first, second] = [db.begin({ isolation }), db.begin({ isolation })];
      first.put(data, 'a', '1');
      second.put(data, 'a', '2');
      const sequence = first.commit();
      const error = await expectRefusal(() => second.commit(), 'TRANSACTION_CONFLICT', 'conflict', {
        keyspace: 'texts',
        sequence,
        transaction: first.id,
      });
      expect(utf8.decode(error.context['key'] as Uint8Array)).toBe('a');
      expect([data.get('a'), second.isOpen]).toEqual(['1', false]);
      expect(db.stats().transactions.conflicts).toBe(1);
    });

    test(`${isolation}: plain writes, deletes, range deletes and ingestions of a key that it writes count`, async () => {
      const { db, data } = await world();
      const others: (() => unknown)[] = [
        () => data.put('a', 'x'),
        () => data.delete('b'),
        () => data.deleteRange({ gte: 'a', lt: 'c' }),
        () => db.write(db.batch().put(data, 'b', 'y')),
        () => db.ingest(data, [['a', 'z']]),
      ];
      for (const other of others) {
        data.put('a', 'old');
        data.put('b', 'old');
        const tx = db.begin({ isolation });
        tx.put(data, 'a', 'own');
        tx.put(data, 'b', 'own');
        await other();
        await expectRefusal(() => tx.commit(), 'TRANSACTION_CONFLICT', 'conflict');
        expect(data.get('a')).not.toBe('own');
      }
    });

    test(`${isolation}: what it deletes as a range must be untouched`, async () => {
      const { db, data } = await world();
      const tx = db.begin({ isolation });
      tx.deleteRange(data, { gte: 'b', lt: 'd' });
      data.put('bb', 'between');
      await expectRefusal(() => tx.commit(), 'TRANSACTION_CONFLICT', 'conflict');
      const again = db.begin({ isolation });
      again.deleteRange(data, { gte: 'b', lt: 'd' });
      data.put('d', 'outside');
      again.commit();
      expect([...data.range().keys()]).toEqual(['a', 'd']);
    });
  }

  test('write skew goes through under snapshot, and not under serializable', async () => {
    for (const isolation of isolations) {
      const { db, data } = await world();
      const [first, second] = [db.begin({ isolation }), db.begin({ isolation })];
      expect([first.get(data, 'a'), first.get(data, 'b')]).toEqual(['old a', 'old b']);
      expect([second.get(data, 'a'), second.get(data, 'b')]).toEqual(['old a', 'old b']);
      first.put(data, 'a', '1');
      second.put(data, 'b', '2');
      first.commit();
      if (isolation === 'snapshot') second.commit();
      else await expectRefusal(() => second.commit(), 'TRANSACTION_CONFLICT', 'conflict');
      expect(data.get('b')).toBe(isolation === 'snapshot' ? '2' : 'old b');
    }
  });
});

describe('serializable', () => {
  const cases: Record<
    string,
    { read(tx: Transaction, data: Texts): void; write(data: Texts): void; ok?: true }
  > = {
    'a key that was there': { read: (tx, data) => tx.get(data, 'a'), write: (data) => data.put('a', 'x') },
    'a key that was not there': {
      read: (tx, data) => tx.get(data, 'q'),
      write: (data) => data.put('q', 'x'),
    },
    'a key of getMany': {
      read: (tx, data) => tx.getMany(data, ['a', 'q']),
      write: (data) => data.put('q', 'x'),
    },
    has: { read: (tx, data) => tx.has(data, 'q'), write: (data) => data.put('q', 'x') },
    'a new key in a range (phantom)': {
      read: (tx, data) => void [...tx.range(data, { gte: 'a', lt: 'c' })],
      write: (data) => data.put('ab', 'x'),
    },
    'a deleted key in a range': {
      read: (tx, data) => void [...tx.range(data, { gte: 'a', lt: 'c' })],
      write: (data) => data.delete('b'),
    },
    'a range delete over a part of a range': {
      read: (tx, data) => void [...tx.range(data, { gte: 'a', lt: 'c' })],
      write: (data) => void data.deleteRange({ gte: 'bz', lt: 'x' }),
    },
    'an empty range': {
      read: (tx, data) => void [...tx.range(data, { prefix: 'q' })],
      write: (data) => data.put('q1', 'x'),
    },
    'a whole keyspace': {
      read: (tx, data) => void [...tx.range(data)],
      write: (data) => data.put('zzz', 'x'),
    },
    'the first of a queue': {
      read: (tx, data) => void [...tx.range(data, { limit: 1 })],
      write: (data) => data.delete('a'),
    },
    'behind the first of a queue': {
      read: (tx, data) => void [...tx.range(data, { limit: 1 })],
      write: (data) => data.put('b', 'x'),
      ok: true,
    },
    'before the last, from behind': {
      read: (tx, data) => void [...tx.range(data, { reverse: true, limit: 1 })],
      write: (data) => data.put('c', 'x'),
      ok: true,
    },
    'the last, from behind': {
      read: (tx, data) => void [...tx.range(data, { reverse: true, limit: 1 })],
      write: (data) => data.put('e', 'x'),
    },
    'what a loop that was left had not reached': {
      read: (tx, data) => {
        for (const [key] of tx.range(data)) if (key === 'b') break;
      },
      write: (data) => data.put('bb', 'x'),
      ok: true,
    },
    'a range that nobody walked': {
      read: (tx, data) => tx.range(data).cursor().close(),
      write: (data) => data.put('a', 'x'),
      ok: true,
    },
    'the end of a range, which is outside': {
      read: (tx, data) => void [...tx.range(data, { gte: 'a', lt: 'c' })],
      write: (data) => data.put('c', 'x'),
      ok: true,
    },
    'another keyspace': {
      read: (tx, data) => tx.get(data, 'a'),
      write: () => undefined,
      ok: true,
    },
    'a key that it wrote before it read it': {
      read: (tx, data) => {
        tx.put(data, 'own', '1');
        tx.get(data, 'own');
      },
      write: (data) => data.put('a', 'x'),
      ok: true,
    },
  };
  for (const [name, { read, write, ok }] of Object.entries(cases)) {
    for (const flushes of [false, true]) {
      test(`${ok ? 'does not mind' : 'minds'}: ${name}${flushes ? ', in tables' : ''}`, async () => {
        const { db, data } = await world();
        const other = texts(db, 'other');
        if (flushes) await db.flush();
        const tx = db.begin();
        read(tx, data);
        tx.put(other, 'result', '1');
        write(data);
        if (flushes) {
          await db.flush();
          await db.compact();
        }
        if (ok) tx.commit();
        else
          await expectRefusal(() => tx.commit(), 'TRANSACTION_CONFLICT', 'conflict', { keyspace: 'texts' });
        expect(other.get('result')).toBe(ok ? '1' : undefined);
      });
    }
  }
});

describe('savepoints', () => {
  test('undo what came after them, nested, more than once', async () => {
    const { db, data } = await world();
    const tx = db.begin();
    tx.put(data, 'a', '1');
    const outer = tx.savepoint();
    tx.put(data, 'a', '2');
    tx.deleteRange(data, { gte: 'b', lt: 'd' });
    const inner = tx.savepoint();
    expect(inner.operations).toBe(3);
    for (let i = 0; i < 100; i++) tx.put(data, `x${i}`, 'x');
    tx.rollbackTo(inner);
    expect(entries(tx, data)).toEqual(['a=2', 'd=old d']);
    tx.put(data, 'b', 'again');
    tx.rollbackTo(outer);
    expect(entries(tx, data)).toEqual(['a=1', 'b=old b', 'c=old c', 'd=old d']);
    await expectRefusal(() => tx.rollbackTo(inner), 'SAVEPOINT_INVALID', 'invalid');
    tx.rollbackTo(outer);
    tx.commit();
    expect(data.get('a')).toBe('1');
  });

  test('a savepoint before the only write leaves that whole', async () => {
    const { db, data } = await world();
    const tx = db.begin();
    tx.put(data, 'first', '1');
    const savepoint = tx.savepoint();
    tx.put(data, 'second', '2');
    tx.put(data, 'third', '3', { ttlMs: 1000 });
    tx.rollbackTo(savepoint);
    tx.commit();
    expect([data.get('first'), data.get('second'), data.get('third')]).toEqual(['1', undefined, undefined]);
  });

  test('an iteration goes on over what a rollback took', async () => {
    const { db, data } = await world();
    using tx = db.begin();
    const savepoint = tx.savepoint();
    tx.put(data, 'x', 'taken');
    tx.put(data, 'y', 'taken');
    const seen: string[] = [];
    for (const [key, value] of tx.range(data, { gte: 'x' })) {
      seen.push(`${key}=${value}`);
      if (key !== 'x') continue;
      tx.rollbackTo(savepoint);
      tx.put(data, 'z', 'other');
    }
    expect(seen).toEqual(['x=taken', 'y=taken']);
  });
});

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

  test('a batch over its limit is refused at commit, with the sizes', async () => {
    const db = await inMemory({ batchBytesMax: 64 * 1024 });
    const data = texts(db);
    const tx = db.begin();
    for (let i = 0; i < 100; i++) tx.put(data, `k${i}`, 'x'.repeat(1000));
    await expectRefusal(() => tx.commit(), 'BATCH_TOO_LARGE', 'invalid', { max: 64 * 1024 });
    expect(data.count()).toBe(0);
  });
});
