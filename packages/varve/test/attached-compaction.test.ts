/** What threads that attach a database can ask about its compactions, and pickers, which do not go from thread to thread. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type CompactionPicker, open, utf8 } from 'varve';
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
