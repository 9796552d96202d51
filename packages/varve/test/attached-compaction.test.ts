/** What threads that attach a database can ask about its compactions, and pickers, which do not go from thread to thread. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type CompactionPicker, type CompactionProgress, type Database, open, utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const options = { key: utf8, value: utf8 };

test('a database with a picker in its defaults is shared; threads use it, and are refused pickers of their own', async () => {
  const picker: CompactionPicker = { name: 'mine', pick: () => undefined };
  const db = await open(temporaryDirectory(), { keyspaceDefaults: { compaction: { strategy: picker } } });
  onTestFinished(() => db.close());
  const data = db.keyspace('data', options);
  data.put('a', '1');
  const worker = new Worker(new URL('picker.worker.ts', import.meta.url), {
    workerData: db.share(),
    execArgv: ['--conditions=varve-source'],
  });
  const [answers] = (await once(worker, 'message')) as [Record<string, string>];
  expect(answers).toMatchObject({
    before: '1',
    after: 'from the thread',
    created: 'none',
    withSettings: 'none',
    strategy: 'mine',
  });
  const refused = /^invalid OPTION_INVALID keyspace '\w+': a picker is a function of one thread/;
  expect(answers['picker']).toMatch(refused);
  expect(answers['newWithPicker']).toMatch(refused);
  expect(answers['function']).toMatch(/^invalid OPTION_INVALID 'keyspace' is asked of the thread/);
  expect(db.keyspaces()).toEqual(['data', 'new']);
  expect(db.levels().keyspaces['new']!.strategy).toBe('mine');
});

test('an attached thread reclaims, looks at the levels, pauses and resumes', async () => {
  const db = await openAttached(temporaryDirectory(), { defragment: false });
  onTestFinished(() => db.close());
  const data = db.keyspace('data', options);
  for (let i = 0; i < 1000; i++) data.put(`k${i}`, 'v'.repeat(50));
  await db.compact();
  for (let i = 0; i < 1000; i++) data.delete(`k${i}`);
  db.pauseCompaction();
  expect(db.levels()).toMatchObject({ isPaused: true, running: [] });
  const report = await db.reclaim({ keyspace: 'data', liveRatio: 0.5 });
  expect(report).toMatchObject({ compactions: 1, bytesAfter: 0 });
  db.resumeCompaction();
  const levels = db.levels();
  expect(levels.isPaused).toBe(false);
  expect(levels.decisions[0]).toMatchObject({ keyspace: 'data', reason: 'tombstones' });
  expect(db.pressure).toMatchObject({ state: 'none', failed: 0 });
  expect(db.stats().reclaimed).toMatchObject({ compactions: 1 });
});

test('an attached thread is refused what the owner would refuse, by the same errors', async () => {
  const db = await openAttached(temporaryDirectory(), {});
  onTestFinished(() => db.close());
  for (const call of [db.compact.bind(db), db.reclaim.bind(db)] as ((options: never) => Promise<unknown>)[]) {
    await expectRefusal(() => call({ unknown: 1 } as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => call({ signal: 'now' } as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => call({ onProgress: 1 } as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => call(null as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => call({ keyspace: 'nobody' } as never), 'KEYSPACE_NOT_FOUND', 'invalid');
    await expectRefusal(() => call({ signal: AbortSignal.abort() } as never), 'ABORTED', 'busy');
  }
  await expectRefusal(() => db.reclaim({ liveRatio: 2 }), 'OPTION_INVALID', 'invalid');
});

/** Three overlapping flushes, to merge which takes some seconds. */
async function slow(): Promise<Database> {
  const db = await openAttached(temporaryDirectory(), { compactionRate: 2 ** 20, defragment: false });
  onTestFinished(() => db.close());
  const data = db.keyspace('data', options);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 1000; i++) data.put(`k${i}`, `${round}${'v'.repeat(1000)}`);
    await db.flush();
  }
  return db;
}

test.each(['compact', 'reclaim'] as const)(
  'an attached thread that aborts %s waits no longer, and the owner calls it off',
  async (what) => {
    const db = await slow();
    // Only what is asked for runs.
    db.pauseCompaction();
    // Deletes give reclaim something to do.
    for (let i = 0; i < 1000; i++) db.keyspace('data', options).delete(`k${i}`);
    const abort = new AbortController();
    const told: CompactionProgress[] = [];
    const onProgress = (progress: CompactionProgress): void => {
      told.push(progress);
      abort.abort(new Error('enough'));
    };
    const error = await expectRefusal(
      () => db[what]({ signal: abort.signal, onProgress }),
      'ABORTED',
      'busy',
    );
    expect(error.cause).toEqual(new Error('enough'));
    for (const until = performance.now() + 20_000; db.levels().running.length > 0; ) {
      expect(performance.now()).toBeLessThan(until);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // What comes on the way is not heard any more.
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ keyspace: 'data', isDone: false });
  },
);

test('an attached thread hears how far its compaction is, and what its function throws ends it', async () => {
  const db = await slow();
  const failure = new Error('mine');
  const throws = (): void => {
    throw failure;
  };
  await expect(db.compact({ onProgress: throws })).rejects.toBe(failure);
  const quick = await openAttached(temporaryDirectory(), { defragment: false });
  onTestFinished(() => quick.close());
  const data = quick.keyspace('data', options);
  data.put('a', 'b');
  const told: CompactionProgress[] = [];
  await quick.compact({ onProgress: (progress) => told.push(progress) });
  expect(told.at(-1)).toMatchObject({ keyspace: 'data', isDone: true });
});

test.each(['closes the database', 'dies'])('pauses of a thread that %s end', async (how) => {
  const db = await open(temporaryDirectory(), { defragment: false });
  onTestFinished(() => db.close());
  const data = db.keyspace('data', options);
  const worker = new Worker(new URL('pausing.worker.ts', import.meta.url), {
    workerData: db.share(),
    execArgv: ['--conditions=varve-source'],
  });
  const ended = once(worker, 'exit');
  await once(worker, 'message');
  for (let round = 0; round < 4; round++) {
    data.put('a', `${round}`);
    await db.flush();
  }
  db.pauseCompaction();
  const compacted = once(db.events, 'compaction');
  if (how === 'dies') await worker.terminate();
  else worker.postMessage('close');
  await ended;
  // Its own pause is not ended by the thread that has gone.
  expect(db.levels().isPaused).toBe(true);
  db.resumeCompaction();
  await compacted;
  expect(db.levels().isPaused).toBe(false);
});
