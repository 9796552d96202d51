/** The change feed of a database that other threads write: their batches are in it, and wake it. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Change, open } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const COUNT = 400;

test('an attached thread has no feed of its own', async () => {
  const db = await openAttached(temporaryDirectory(), {});
  onTestFinished(() => db.close());
  await expectRefusal(() => db.changes(), 'CHANGES_UNSUPPORTED', 'invalid');
});

test('a feed that waits when the database is first shared is woken by other threads as well', async () => {
  const db = await open(temporaryDirectory(), { sync: 'manual' });
  onTestFinished(() => db.close());
  // What the owner itself has to hand over or to install would wake the feed: that is over then.
  texts(db, 'data').put('first', 'value');
  await db.flush();
  const waiting = db.changes({ durability: 'os' }).next();
  const worker = new Worker(new URL('change-feed-shared.worker.ts', import.meta.url), {
    workerData: { handle: db.share(), index: 1, count: 1, stays: true },
    execArgv: ['--conditions=varve-source'],
  });
  const left = once(worker, 'exit');
  const { value } = (await waiting) as { value: Change };
  expect(value.operations).toMatchObject([{ type: 'put' }, { type: 'delete' }]);
  worker.postMessage('go');
  await left;
  // The owner's clock keeper would wake it after ten seconds.
}, 8_000);

test("a feed that waits is woken by what other threads hand over and sync, and shows all threads' batches in order", async () => {
  // Nothing but the hand-overs of the threads themselves moves the log on.
  const db = await open(temporaryDirectory(), { sync: 'manual', logBytesMax: 256 * 1024 });
  onTestFinished(() => db.close());
  const data = texts(db, 'data');
  const feeds = [db.changes({ durability: 'os' }), db.changes({ durability: 'disk' })];
  const workers = [0, 1].map(
    (index) =>
      new Worker(new URL('change-feed-shared.worker.ts', import.meta.url), {
        workerData: { handle: db.share(), index, count: COUNT },
        execArgv: ['--conditions=varve-source'],
      }),
  );
  const lasts = workers.map(async (worker) => (await once(worker, 'message'))[0] as number);
  const [os, disk] = feeds.map(async (feed) => {
    const seen: Change[] = [];
    while (seen.filter(({ operations }) => operations[0]!.type !== 'createKeyspace').length < 2 * COUNT + 1) {
      const { value } = (await feed.next()) as { value: Change };
      seen.push(value);
    }
    return seen;
  });
  await Promise.all(lasts);
  data.put('owner', 'last');
  const seen = await os!;
  await db.sync();
  expect((await disk!).map(({ sequence }) => sequence)).toEqual(seen.map(({ sequence }) => sequence));
  expect(seen.map(({ sequence }) => sequence)).toEqual(seen.map((_, i) => seen[0]!.sequence + i));
  const first = seen.filter(({ operations }) => operations[0]!.type !== 'createKeyspace');
  for (const index of [0, 1]) {
    const keys = first
      .map(({ operations }) => new TextDecoder().decode((operations[0] as { key: Uint8Array }).key))
      .filter((key) => key.startsWith(`${index} `));
    expect(keys).toEqual(Array.from({ length: COUNT }, (_, i) => `${index} ${i}`));
  }
});
