/** Reads of transactions beside what can not be read, and cursors that outlive their transaction. */
import { append, type Database, type Keyspace, open, utf8, type ValueCodec } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { expectRefusal } from './refusal.ts';
import { transactionWorld as world } from './transaction-world.ts';

const codecs = { key: utf8, value: utf8 };

/** 'a' has operands, and nobody brings their operator. */
async function unreadable(): Promise<{ db: Database; data: Keyspace<string, string> }> {
  const fileSystem = new MemoryFs();
  const before = await open('/db', { fileSystem });
  before.keyspace('texts', { key: utf8, value: utf8, mergeOperator: append }).merge('a', '1');
  await before.close();
  const db = await open('/db', { fileSystem });
  onTestFinished(() => db.close());
  const data = db.keyspace('texts', codecs);
  data.put('b', 'two');
  return { db, data };
}

test('keys of a range are read without their values, to the end or not, and nothing stays registered', async () => {
  const { db, data } = await unreadable();
  const first = await db.transaction((tx) => {
    for (const key of tx.range(data).keys()) return key;
    return undefined;
  });
  expect(first).toBe('a');
  expect(await db.transaction((tx) => [...tx.range(data).keys()])).toEqual(['a', 'b']);
  const leave = (): Promise<void> =>
    db.transaction((tx) => {
      for (const _ of tx.range(data)) return;
    });
  await expectRefusal(leave, 'MERGE_OPERATOR_MISSING', 'invalid');
  expect(db.stats().snapshots.count).toBe(0);
});

test('getMany reads nothing of what the transaction has written', async () => {
  const { db, data } = await unreadable();
  const tx = db.begin();
  tx.put(data, 'a', 'own');
  tx.delete(data, 'b');
  tx.put(data, 'd', 'new');
  expect(tx.getMany(data, ['b', 'a', 'c', 'd', 'a'])).toEqual([undefined, 'own', undefined, 'new', 'own']);
  tx.commit();
  expect(data.get('a')).toBe('own');
});

test('a key that was read with one that can not be decoded is a read of the transaction', async () => {
  const { db } = await world();
  const picky: ValueCodec<string> = {
    name: 'utf8',
    encode: utf8.encode,
    decode: (bytes) => {
      const text = utf8.decode(bytes);
      if (text === 'bad') throw new Error('not this one');
      return text;
    },
  };
  const data = db.keyspace('picky', { key: utf8, value: picky });
  data.put('a', 'bad');
  const tx = db.begin();
  await expectRefusal(() => tx.getMany(data, ['z', 'a']), 'VALUE_INVALID', 'invalid');
  data.put('z', 'written meanwhile');
  tx.put(data, 'b', 'x');
  await expectRefusal(() => tx.commit(), 'TRANSACTION_CONFLICT', 'conflict');
});

test('a cursor at an own write does not show the writes of a later transaction', async () => {
  const { db, data } = await world();
  let tx = db.begin();
  tx.put(data, '0', 'hello');
  const cursor = tx.range(data).cursor();
  cursor.next();
  expect(utf8.decode(cursor.value)).toBe('hello');
  tx.commit();
  tx = db.begin();
  tx.put(data, '9', 'later');
  await expectRefusal(() => cursor.key, 'TRANSACTION_ENDED', 'invalid', { endedBy: 'commit' });
  await expectRefusal(() => cursor.value, 'TRANSACTION_ENDED', 'invalid');
  cursor.close();
  tx.rollback();
});

test('nor the operands of a merge, once its transaction has ended', async () => {
  const { db } = await world();
  const data = db.keyspace('lists', { ...codecs, mergeOperator: append });
  const tx = db.begin();
  tx.merge(data, 'a', 'm');
  const cursor = tx.range(data).cursor();
  cursor.next();
  tx.commit();
  await expectRefusal(() => cursor.value, 'TRANSACTION_ENDED', 'invalid');
});

test('a closed cursor still shows its last entry, of the database or written', async () => {
  const { db, data } = await world();
  const tx = db.begin();
  tx.put(data, 'b', 'own');
  for (const [moves, value] of [
    [1, 'old a'],
    [2, 'own'],
  ] as const) {
    const cursor = tx.range(data).cursor();
    for (let i = 0; i < moves; i++) cursor.next();
    cursor.close();
    expect(utf8.decode(cursor.value)).toBe(value);
  }
  tx.rollback();
});
