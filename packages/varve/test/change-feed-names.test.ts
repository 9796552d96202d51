/** Names of keyspaces that are gone, which a change feed looks for further on in the log. */
import { type Change, type Database, open } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { turnsDuring } from './turns.ts';

const KIB = 1024;

/** A keyspace that is dropped behind `count` batches. */
async function droppedBehind(db: Database, count: number, value: string): Promise<void> {
  texts(db, 'gone').put('k', 'v');
  const data = texts(db);
  for (let i = 0; i < count; i++) data.put(`key ${i}`, value);
  await db.dropKeyspace('gone');
  await db.sync();
}

test('the event loop turns while a name is looked for', async () => {
  const db = await inMemory();
  await droppedBehind(db, 10_000, 'value');
  let value: Change | undefined;
  const turns = await turnsDuring(async () => {
    ({ value } = (await db.changes({ since: 'oldest' }).next()) as { value: Change });
  });
  expect(value!.operations).toMatchObject([{ type: 'createKeyspace', keyspace: 'gone' }]);
  expect(turns).toBeGreaterThanOrEqual(9);
});

test('a feed that ends while it looks for a name says what it has ended by, not that its log is gone', async () => {
  const db = await inMemory({ logBytesMax: 64 * KIB });
  const feed = db.changes();
  await droppedBehind(db, 1000, 'x'.repeat(4 * KIB));
  await db.flush();
  const waiting = feed.next();
  await Promise.resolve();
  feed.close();
  expect(db.stats().changes.retainedSegments).toBe(0);
  await expectRefusal(() => waiting, 'CLOSED', 'closed');
});

test('a name that a full disk keeps out of the log is waited for', async () => {
  const fs = new FaultFs(new MemoryFs());
  const db = await open('/db', { fileSystem: fs });
  onTestFinished(() => db.close());
  texts(db, 'gone').put('k', 'v');
  await db.sync();
  const heal = fs.add({ kind: 'ENOSPC', operations: ['write'], path: '.wal' });
  const dropped = db.dropKeyspace('gone');
  const feed = db.changes({ since: 'oldest' });
  const waiting = feed.next();
  await new Promise((resolve) => setImmediate(resolve));
  expect(fs.injected.ENOSPC).toBeGreaterThan(0);
  heal();
  await dropped;
  const { value } = (await waiting) as { value: Change };
  expect(value.operations).toMatchObject([{ type: 'createKeyspace', keyspace: 'gone' }]);
});
