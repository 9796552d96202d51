/** Prepared transactions of a database that threads share: their locks hold in every thread, until somebody decides. */
import { type Database, open, type Keyspace, utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { LockingThread, untilWaiting } from './locking-thread.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const LONG_MS = 60_000;

const texts = (db: Database): Keyspace<string, string> => db.keyspace('texts', { key: utf8, value: utf8 });

async function prepare(db: Database, id: string, key: string): Promise<void> {
  const data = texts(db);
  const tx = db.begin();
  await tx.getForUpdate(data, `${key}-held`);
  tx.get(data, `${key}-read`);
  tx.put(data, `${key}-written`, id);
  await tx.prepare(id);
}

/** All that is locked for a transaction of `prepare` is so in the other thread. */
async function expectLocked(there: LockingThread, id: string, key: string): Promise<void> {
  for (const what of ['held', 'read', 'written']) {
    await expectRefusal(() => there.call('plainPut', `${key}-${what}`, 'x'), 'KEY_LOCKED', 'conflict', {
      prepared: id,
    });
  }
}

test('those from before the database was shared, and those after, are locked in all threads until they are decided', async () => {
  const db = await open(temporaryDirectory(), { sync: 'manual' });
  onTestFinished(() => db.close());
  await prepare(db, 'before', 'a');
  const there = await LockingThread.of(db);
  await prepare(db, 'after', 'b');
  await expectLocked(there, 'before', 'a');
  await expectLocked(there, 'after', 'b');
  expect(await there.call('prepared')).toEqual(['before', 'after']);
  await there.call('begin', 'tx', LONG_MS);
  const wait = there.call('lock', 'tx', 'b-written');
  await untilWaiting(db, 1);
  db.commitPrepared('after');
  expect(await wait).toBe('after');
  await there.call('commit', 'tx');
  await there.call('decide', 'before', false);
  await there.call('plainPut', 'a-written', 'free');
  expect(db.preparedTransactions()).toEqual([]);
  expect(db.stats().transactions.locks).toBe(0);
});

test('one that another thread is told to commit is there for all', async () => {
  const db = await open(temporaryDirectory(), { sync: 'manual' });
  onTestFinished(() => db.close());
  const there = await LockingThread.of(db);
  await prepare(db, 'one', 'a');
  const sequence = await there.call('decide', 'one', true);
  expect(sequence).toBe(db.stats().sequence);
  expect(texts(db).get('a-written')).toBe('one');
  await there.call('plainPut', 'a-held', 'free');
});

test('one that conflicts with what another thread has locked or written is not prepared', async () => {
  const db = await open(temporaryDirectory(), { sync: 'manual' });
  onTestFinished(() => db.close());
  const data = texts(db);
  const there = await LockingThread.of(db);
  await there.call('begin', 'tx', LONG_MS);
  await there.call('lock', 'tx', 'a');
  const locked = db.begin();
  locked.put(data, 'a', 'x');
  await expectRefusal(() => locked.prepare('one'), 'KEY_LOCKED', 'conflict', { thread: there.id });
  await there.call('rollback', 'tx');
  const overtaken = db.begin();
  overtaken.get(data, 'a');
  overtaken.put(data, 'b', 'x');
  await there.call('plainPut', 'a', 'new');
  await expectRefusal(() => overtaken.prepare('one'), 'TRANSACTION_CONFLICT', 'conflict');
  expect(db.preparedTransactions()).toEqual([]);
  expect(db.stats().transactions).toMatchObject({ locks: 0, prepared: 0 });
});

test('it is there after a reopening, with its locks, and what threads wrote beside it', async () => {
  const path = temporaryDirectory();
  const first = await open(path);
  const there = await LockingThread.of(first);
  await prepare(first, 'one', 'a');
  await there.call('plainPut', 'beside', 'it');
  await there.call('close');
  await first.close();
  const db = await open(path);
  onTestFinished(() => db.close());
  expect(db.preparedTransactions()).toMatchObject([{ id: 'one', operations: 1 }]);
  await expectLocked(await LockingThread.of(db), 'one', 'a');
  db.commitPrepared('one');
  expect([...texts(db).range()]).toEqual([
    ['a-written', 'one'],
    ['beside', 'it'],
  ]);
});
