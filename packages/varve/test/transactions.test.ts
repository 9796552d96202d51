/**
 * Transactions: what they see, what their commit refuses, savepoints. More in transaction-serializable.test.ts,
 * transaction-run.test.ts and transaction-locks.test.ts.
 */
import { type Isolation, type Transaction, utf8 } from 'varve';
import { describe, expect, test } from 'vitest';
import { type Texts, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { transactionWorld as world } from './transaction-world.ts';

const isolations: readonly Isolation[] = ['snapshot', 'serializable'];

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
