/** Transactions larger than a batch in a database that other threads have open: they see all of one, in all keyspaces, or nothing. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { open } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { codecs, smallBatches } from './large-world.ts';
import { key } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const KEYS = 200;

test('an attached thread sees each of them whole, and is told where they are committed', async () => {
  const db = await open(temporaryDirectory(), smallBatches);
  onTestFinished(() => db.close());
  const keyspaces = ['a', 'b'].map((name) => db.keyspace(name, codecs));
  const stop = db.keyspace('stop', codecs);
  const round = (number: number): Promise<unknown> =>
    db.transaction((tx) => {
      for (const data of keyspaces) {
        for (let i = 0; i < KEYS; i++) tx.put(data, key(i), String(number));
      }
    });
  await round(0);
  const worker = new Worker(new URL('large-shared.worker.ts', import.meta.url), {
    workerData: { handle: db.share(), keys: KEYS },
    execArgv: ['--conditions=varve-source'],
  });
  const failed = once(worker, 'error').then(([error]) => Promise.reject(error as Error));
  const [refused] = (await Promise.race([once(worker, 'message'), failed])) as [string];
  expect(refused).toMatch(/^BATCH_TOO_LARGE: .*the thread that opened the database/);
  const report = once(worker, 'message');
  for (let number = 1; number <= 20; number++) await round(number);
  stop.put('stop', 'now');
  const [{ rounds, wrong }] = (await Promise.race([report, failed])) as [{ rounds: number; wrong: string[] }];
  expect(wrong).toEqual([]);
  expect(rounds).toBeGreaterThan(1);
  await worker.terminate();
  expect(db.stats().transactions.large).toBe(21);
  expect((await db.verify()).problems).toEqual([]);
}, 60_000);
