/** Ingestions meet locks of transactions as writes do that wait for them. */
import { type Database, open } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { type Texts, texts } from './in-memory.ts';
import { LockingThread } from './locking-thread.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

async function world(): Promise<{ db: Database; data: Texts; time: ManualScheduler }> {
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: new MemoryFs(), sync: 'manual' });
  onTestFinished(() => db.close());
  const data = texts(db);
  for (const key of ['a', 'b', 'c']) data.put(key, `old ${key}`);
  return { db, data, time };
}

const ingested = (...keys: string[]): [string, string][] => keys.map((key) => [key, `ingested ${key}`]);

test('what is locked is not ingested over, what lies beside it is', async () => {
  const { db, data, time } = await world();
  const tx = db.begin();
  await tx.getForUpdate(data, 'b');
  const { monotonic } = time.clock;
  const before = monotonic();
  const refused = expectRefusal(() => db.ingest(data, ingested('a', 'b', 'c')), 'KEY_LOCKED', 'conflict', {
    keyspace: 'texts',
    transaction: tx.id,
  });
  await time.run(refused);
  expect(monotonic() - before).toBeGreaterThanOrEqual(2000);
  expect([data.get('a'), data.get('b')]).toEqual(['old a', 'old b']);
  await time.run(db.ingest(data, ingested('c', 'd')));
  tx.put(data, 'b', 'new b');
  tx.commit();
  await time.run(db.ingest(data, ingested('a', 'b')));
  expect([data.get('a'), data.get('b'), data.get('c')]).toEqual(['ingested a', 'ingested b', 'ingested c']);
});

test('what is let go while it waits is ingested over, whoever has it in between', async () => {
  const { db, data, time } = await world();
  const [first, second] = [db.begin({ lockTimeoutMs: 60_000 }), db.begin({ lockTimeoutMs: 60_000 })];
  await first.getForUpdate(data, 'b');
  const wait = second.getForUpdate(data, 'b');
  const done = db.ingest(data, ingested('a', 'b'));
  done.catch(() => undefined);
  await time.advance(100);
  first.rollback();
  await wait;
  await time.advance(100);
  expect(data.get('b')).toBe('old b');
  second.put(data, 'b', 'new b');
  second.commit();
  await time.run(done);
  expect([data.get('a'), data.get('b')]).toEqual(['ingested a', 'ingested b']);
});

test('what is prepared is not ingested over', async () => {
  const { db, data, time } = await world();
  const tx = db.begin();
  tx.get(data, 'a');
  tx.put(data, 'b', 'prepared');
  await time.run(tx.prepare('one'));
  for (const key of ['a', 'b']) {
    const refused = expectRefusal(() => db.ingest(data, ingested(key)), 'KEY_LOCKED', 'conflict', {
      prepared: 'one',
    });
    await time.run(refused);
  }
  db.commitPrepared('one');
  expect([data.get('a'), data.get('b')]).toEqual(['old a', 'prepared']);
});

test('what another thread has locked is not ingested over until it is let go', async () => {
  const db = await open(temporaryDirectory(), { sync: 'manual' });
  onTestFinished(() => db.close());
  const data = texts(db);
  const there = await LockingThread.of(db);
  await there.call('begin', 'tx', 60_000);
  await there.call('lockRange', 'tx', 'bb', 'bz');
  const giveUp = new AbortController();
  const aborted = expectRefusal(
    () => db.ingest(data, ingested('a', 'bc'), { signal: giveUp.signal }),
    'ABORTED',
    'busy',
    { applied: false },
  );
  await there.call('locks');
  giveUp.abort();
  await aborted;
  expect(data.count()).toBe(0);
  const done = db.ingest(data, ingested('a', 'bc'));
  await there.call('put', 'tx', 'bc', 'remote');
  await there.call('commit', 'tx');
  await done;
  expect(data.get('bc')).toBe('ingested bc');
});
