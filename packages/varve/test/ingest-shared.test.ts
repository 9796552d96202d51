/** Ingestion into a database that other threads have open: they see all of it at its sequence, or nothing. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { open, utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { expectRefusal } from './refusal.ts';
import { key, small } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const KEYS = 400;

function* round(number: number): Generator<[string, string]> {
  for (let i = 0; i < KEYS; i++) yield [key(i), String(number)];
}

test('an attached thread does not ingest itself', async () => {
  const db = await openAttached(temporaryDirectory(), {});
  onTestFinished(() => db.close());
  const data = db.keyspace('data', small);
  await expectRefusal(() => db.ingest(data, [['a', 'b']]), 'INGEST_UNSUPPORTED', 'invalid');
});

test('threads see each ingestion whole, while they write beside and over it', async () => {
  const db = await open(temporaryDirectory(), { memtableBytesMax: 4 * 1024 * 1024 });
  onTestFinished(() => db.close());
  const data = db.keyspace('data', small);
  await db.ingest(data, round(0));
  const workers = [0, 1].map((index) => {
    const worker = new Worker(new URL('ingest-shared.worker.ts', import.meta.url), {
      workerData: { handle: db.share(), index, keys: KEYS },
      execArgv: ['--conditions=varve-source'],
    });
    const ready = once(worker, 'message');
    const ended = ready.then(async () => (await once(worker, 'message'))[0] as Report);
    return {
      worker,
      ready,
      ended,
      failed: once(worker, 'error').then(([error]) => Promise.reject(error as Error)),
    };
  });
  await Promise.all(workers.map(({ ready, failed }) => Promise.race([ready, failed])));
  const all = Promise.all(workers.map(({ ended, failed }) => Promise.race([ended, failed])));
  for (let number = 1; number <= 25; number++) {
    const { sequence } = await db.ingest(data, round(number), { durability: 'memory' });
    const seen = db.snapshot();
    expect(seen.sequence).toBeGreaterThanOrEqual(sequence);
    seen.close();
    data.put('z of the owner', String(number));
  }
  db.keyspace('stop', { key: utf8, value: utf8 }).put('stop', 'now');
  for (const { rounds, wrong } of await all) {
    expect(wrong).toEqual([]);
    expect(rounds).toBeGreaterThan(1);
  }
  for (const { worker } of workers) await worker.terminate();
  expect(data.get(key(7))).toBe('25');
  expect((await db.verify()).problems).toEqual([]);
}, 60_000);

interface Report {
  readonly rounds: number;
  readonly wrong: string[];
}
