/** Transactions of several threads on one database: what one writes the others' commits see. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { open, u64, utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';
import { ACCOUNTS, accountOf, BALANCE, sumOf, transfers } from './transfers.ts';

const THREADS = 2;
const TRANSFERS = 150;

test('transfers of three threads lose nothing, and no snapshot sees a sum in between', async () => {
  const db = await open(temporaryDirectory(), {
    sync: 'manual',
    keyspaceDefaults: { memtableBytes: 64 * 1024 },
  });
  onTestFinished(() => db.close());
  const accounts = db.keyspace('accounts', { key: utf8, value: u64 });
  for (let i = 0; i < ACCOUNTS; i++) accounts.put(accountOf(i), BALANCE);
  accounts.put('transfers', 0);
  const workers = Array.from(
    { length: THREADS },
    (_, i) =>
      new Worker(new URL('transaction-shared.worker.ts', import.meta.url), {
        workerData: { handle: db.share(), index: i + 1, count: TRANSFERS },
        execArgv: ['--conditions=varve-source'],
      }),
  );
  const done = workers.map((worker) => once(worker, 'exit'));
  const sums = new Set<number>();
  const own = transfers(db, accounts, 77, TRANSFERS);
  let isDone = false;
  void Promise.all([...done, own]).then(() => (isDone = true));
  while (!isDone) {
    using snapshot = db.snapshot();
    sums.add(sumOf(snapshot.range(accounts)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await own;
  expect([...sums]).toEqual([ACCOUNTS * BALANCE]);
  expect(accounts.get('transfers')).toBe((THREADS + 1) * TRANSFERS);
  expect(sumOf(accounts.range())).toBe(ACCOUNTS * BALANCE);
});

test('a conflict with another thread is found at commit, in keys and in ranges', async () => {
  const directory = temporaryDirectory();
  const here = await openAttached(directory, { sync: 'manual' });
  onTestFinished(() => here.close());
  const data = here.keyspace('data', { key: utf8, value: utf8 });
  data.put('a', 'old');
  for (const write of [() => data.put('a', 'new'), () => data.put('ab', 'new'), () => data.delete('a')]) {
    const tx = here.begin();
    expect([...tx.range(data, { gte: 'a', lt: 'b' })].length).toBeGreaterThan(0);
    tx.put(data, 'result', 'x');
    write();
    await expectRefusal(() => tx.commit(), 'TRANSACTION_CONFLICT', 'conflict', { keyspace: 'data' });
  }
  await here.transaction((tx) => tx.put(data, 'result', String([...tx.range(data)].length)));
  expect(data.get('result')).toBe('1');
});
