/** Ends of transactions that are easily missed: by hand in a function, under pressure, after a prepare; and what is left then. */
import { type Database, open, type Transaction } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { texts } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { transactionWorld as world } from './transaction-world.ts';

test('a function that commits by hand waits for the durability that was asked for', async () => {
  const db = await open('/db', { fileSystem: new MemoryFs(), sync: 'manual' });
  onTestFinished(() => db.close());
  const data = texts(db);
  const commit = (tx: Transaction): void => {
    tx.put(data, 'a', 'b');
    tx.commit();
  };
  await db.transaction(commit, { durability: 'disk' });
  const { log, sequence } = db.stats();
  expect([log.syncedSequence, data.get('a')]).toEqual([sequence, 'b']);
});

test('what was prepared counts as neither committed nor rolled back', async () => {
  const { db, data } = await world();
  const tx = db.begin();
  tx.put(data, 'a', 'x');
  await tx.prepare('one');
  expect(db.stats().transactions).toMatchObject({ committed: 0, rolledBack: 0, prepared: 1, open: 0 });
});

test('a function whose id is taken is not run again', async () => {
  const { db, data } = await world();
  const tx = db.begin();
  tx.put(data, 'a', 'x');
  await tx.prepare('one');
  let runs = 0;
  const again = async (other: Transaction): Promise<void> => {
    runs++;
    other.put(data, 'b', 'x');
    await other.prepare('one');
  };
  await expectRefusal(() => db.transaction(again), 'PREPARED_ID_USED', 'conflict');
  expect(runs).toBe(1);
});

test('commit, prepare and a decision refuse what they can not keep to, and the transaction goes on', async () => {
  const { db, data } = await world();
  const tx = db.begin();
  tx.put(data, 'a', 'x');
  for (const option of [{ signal: AbortSignal.abort() }, { deadlineMs: 0 }]) {
    const wait = { durability: 'memory', ...option } as const;
    await expectRefusal(() => tx.commit(wait), 'OPTION_INVALID', 'invalid', { got: Object.keys(option)[0] });
    await expectRefusal(() => tx.prepare('one', wait), 'OPTION_INVALID', 'invalid');
  }
  await tx.prepare('one');
  await expectRefusal(
    () => db.commitPrepared('one', { durability: 'memory', deadlineMs: 5 } as { durability: 'memory' }),
    'OPTION_INVALID',
    'invalid',
  );
  db.commitPrepared('one');
  expect(data.get('a')).toBe('x');
});

describe('a commit that waits under pressure', () => {
  const value = 'x'.repeat(10_000);

  /** With a full disk, and memtables that are full. */
  async function full(): Promise<{ db: Database; fs: FaultFs; time: ManualScheduler }> {
    const fs = new FaultFs(new MemoryFs());
    const time = new ManualScheduler();
    const memoryBytesMax = 4 * 1024 ** 2;
    const db = await time.open('/db', {
      fileSystem: fs,
      memoryBytesMax,
      pressure: 'block',
      syncWaitMsMax: 0,
    });
    onTestFinished(() => db.close().catch(() => undefined));
    const data = texts(db);
    await time.settle();
    fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
    for (let i = 0; db.pressure.blocked === 0 && i < 1000; i++) {
      try {
        data.put(`k${i}`, value);
      } catch {
        break;
      }
    }
    return { db, fs, time };
  }

  test('ends the transaction for all other uses at once; leaving its block does not undo it', async () => {
    const { db, fs, time } = await full();
    const data = texts(db);
    let committed: Promise<number>;
    {
      using tx = db.begin();
      tx.put(data, 'a', 'first');
      committed = tx.commit({ durability: 'memory' });
      expect(tx.isOpen).toBe(false);
      await expectRefusal(() => tx.put(data, 'b', 'late'), 'TRANSACTION_ENDED', 'invalid');
      await expectRefusal(() => tx.commit(), 'TRANSACTION_ENDED', 'invalid');
    }
    expect(data.has('a')).toBe(false);
    fs.heal();
    await time.run(committed);
    expect([data.get('a'), data.has('b'), db.stats().transactions.open]).toEqual(['first', false, 0]);
  });

  test('is given up by rollback', async () => {
    const { db, fs, time } = await full();
    const data = texts(db);
    const tx = db.begin();
    tx.put(data, 'a', 'never');
    const refused = expectRefusal(() => tx.commit({ durability: 'memory' }), 'TRANSACTION_ENDED', 'invalid', {
      endedBy: 'rollback',
    });
    tx.rollback();
    fs.heal();
    await time.run(refused);
    expect([data.has('a'), db.stats().transactions.open]).toEqual([false, 0]);
  });
});
