/** What is kept of a prepared transaction: its id, over reopenings and in readers, and the ranges that it has locked. */
import { open } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { transactionWorld } from './transaction-world.ts';

test('an id is what it was given as, also with a byte order mark in front', async () => {
  const fileSystem = new MemoryFs();
  let db = await open('/db', { fileSystem });
  const ids = ['\uFEFFa', 'a', '\uFEFF'];
  for (const id of ids) {
    const tx = db.begin();
    tx.put(texts(db), `key of ${id}`, 'v');
    await tx.prepare(id);
  }
  await db.rollbackPrepared('\uFEFFa', { durability: 'disk' });
  await db.close();
  db = await open('/db', { fileSystem });
  onTestFinished(() => db.close());
  expect(db.preparedTransactions().map(({ id }) => id)).toEqual(['a', '\uFEFF']);
  db.commitPrepared('a');
  expect(texts(db).get('key of a')).toBe('v');
});

test('a reader follows what is prepared and decided, also by a writer that was opened again', async () => {
  const fileSystem = new MemoryFs();
  let db = await open('/db', { fileSystem });
  const prepare = async (id: string): Promise<void> => {
    const tx = db.begin();
    tx.put(texts(db), id, 'v');
    await tx.prepare(id);
  };
  await prepare('p');
  await db.close();
  const reader = await open('/db', { fileSystem, readOnly: true });
  onTestFinished(() => reader.close());
  const shown = () => reader.preparedTransactions().map(({ id }) => id);
  expect(shown()).toEqual(['p']);
  db = await open('/db', { fileSystem });
  onTestFinished(() => db.close());
  await db.commitPrepared('p', { durability: 'disk' });
  await prepare('q');
  expect(shown()).toEqual(['p']);
  await reader.refresh();
  expect([shown(), texts(reader).get('p')]).toEqual([['q'], 'v']);
  await db.rollbackPrepared('q', { durability: 'disk' });
  await reader.refresh();
  expect(shown()).toEqual([]);
});

test('locks ranges that meet as one, and nothing between those that do not', async () => {
  const { db, data } = await transactionWorld();
  const tx = db.begin();
  for (let i = 0; i < 100; i++) for (const _ of tx.range(data, { gte: 'a', lt: 'b' })) break;
  for (const range of [
    { gte: 'g', lt: 'k' },
    { gte: 'e', lt: 'h' },
    { gte: 'k', lt: 'l' },
    { gte: 'f', lt: 'g' },
  ]) {
    expect([...tx.range(data, range)]).toEqual([]);
  }
  await tx.prepare('one');
  expect(db.stats().transactions.locks).toBe(2);
  for (const key of ['a', 'e', 'ff', 'gg', 'kk']) {
    await expectRefusal(() => data.put(key, 'x'), 'KEY_LOCKED', 'conflict');
  }
  for (const key of ['b', 'dd', 'l', '0']) data.put(key, 'free');
  db.rollbackPrepared('one');
});
