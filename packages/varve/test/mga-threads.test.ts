/** MGA indexes in several threads at once: nothing is lost, unique keys have one row, vacuums and rebuilds come in between. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { attach, open, utf8 } from 'varve';
import { openInventory, openMgaIndex } from 'varve/mga';
import { expect, onTestFinished, test } from 'vitest';
import { decodeEntry, tidAt } from '../src/mga/entry-format.ts';
import { ownerThread } from './attached-database.ts';
import { type Worked, work } from './mga-work.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const THREADS = 2;
const COUNT = 300;

test('three threads put and remove while the index is vacuumed', async () => {
  const db = await open(temporaryDirectory(), {
    sync: 'manual',
    keyspaceDefaults: { memtableBytes: 64 * 1024 },
  });
  onTestFinished(() => db.close());
  const inventory = await openInventory(db, { slots: 1024 });
  const index = await openMgaIndex(db, 'shared', { key: utf8, inventory });
  const unique = await openMgaIndex(db, 'unique', { key: utf8, inventory, unique: true });
  const workers = Array.from(
    { length: THREADS },
    (_, i) =>
      new Worker(new URL('mga-shared.worker.ts', import.meta.url), {
        workerData: { handle: db.share(), buffer: inventory.buffer, index: i + 1, count: COUNT },
        execArgv: ['--conditions=varve-source'],
      }),
  );
  const answers = workers.map(async (worker) => ((await once(worker, 'message')) as [Worked])[0]);
  const ended = workers.map((worker) => once(worker, 'exit'));
  const own = work(db, undefined, 9, COUNT);
  let isDone = false;
  void Promise.allSettled([...answers, own]).then(() => (isDone = true));
  while (!isDone) {
    await index.vacuum();
    await unique.vacuum();
  }
  const worked = [...(await Promise.all(answers)), await own];
  await Promise.all(ended);
  const expectAll = (): void => {
    const reader = inventory.begin();
    const rows = [...index.rangeScan({}, reader)].map(({ key, tid }) => `${key} ${tid}`);
    expect(rows.toSorted()).toEqual(worked.flatMap(({ rows: left }) => left).toSorted());
    for (const key of ['a', 'b', 'c']) {
      expect(index.get(key, reader)).toHaveLength(rows.filter((row) => row.startsWith(key)).length);
    }
    const keys = [...unique.rangeScan({}, reader)].map(({ key }) => key);
    expect(keys.toSorted()).toEqual(worked.flatMap(({ won }) => won).toSorted());
    expect(new Set(keys).size).toBe(keys.length);
    inventory.abort(reader);
  };
  expectAll();
  await index.vacuum();
  expect((await unique.vacuum()).base).toBe(inventory.next);
  expectAll();
});

test('an attached thread reads, writes and commits; what needs the owner is refused by name', async () => {
  const path = temporaryDirectory();
  const made = await open(path);
  const options = { key: utf8, inventory: await openInventory(made) };
  await openMgaIndex(made, 'names', options);
  await made.close();
  const owner = await ownerThread(path, {});
  const db = await attach(owner.handle);
  onTestFinished(async () => {
    await db.close();
    await owner.close();
  });
  await expectRefusal(() => openInventory(db), 'OPTION_INVALID', 'invalid', { option: 'buffer' });
  // The owner of this one has no inventory; its memory may be made by anybody.
  const { buffer } = options.inventory;
  const inventory = await openInventory(db, { buffer });
  const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
  const xid = inventory.begin();
  index.put('a', 1, xid);
  expect([...index.rangeScan({ reverse: true }, xid)].map(({ tid }) => tid)).toEqual([1]);
  await inventory.commit(xid, { durability: 'disk' });
  expect(index.get('a', inventory.begin())).toEqual([1]);
  expect(index.statistics().sampled).toBe(1);
  expect(await index.removeDeadEntries([1])).toBe(1);
  for (const refused of [
    () => index.vacuum(),
    () => index.reindex([]),
    () => index.moveTo(db),
    () => index.drop(),
  ]) {
    await expectRefusal(refused, 'INDEX_ATTACHED', 'invalid', { index: 'names' });
  }
  await expectRefusal(() => openMgaIndex(db, 'other', { inventory }), 'INDEX_NOT_FOUND', 'invalid');
});

test('writers of other threads are told that an index is being rebuilt, and go on with the new one', async () => {
  const db = await open(temporaryDirectory(), { sync: 'manual' });
  onTestFinished(() => db.close());
  const inventory = await openInventory(db);
  const index = await openMgaIndex(db, 'shared', { key: utf8, inventory });
  await openMgaIndex(db, 'unique', { key: utf8, inventory, unique: true });
  const worker = new Worker(new URL('mga-shared.worker.ts', import.meta.url), {
    workerData: { handle: db.share(), buffer: inventory.buffer, index: 1, count: COUNT },
    execArgv: ['--conditions=varve-source'],
  });
  const answer = once(worker, 'message') as Promise<[Worked]>;
  const ended = once(worker, 'exit');
  let isDone = false;
  void answer.then(() => (isDone = true));
  let rebuilds = 0;
  while (!isDone) {
    // What the transactions have left is in the index alone: the rebuild takes it from there.
    const current = db.keyspaces().find((name) => name.startsWith('varve.mga/shared/'))!;
    await index.reindex(entriesOf(current));
    rebuilds++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [worked] = await answer;
  await ended;
  expect(rebuilds).toBeGreaterThan(0);
  expect(db.keyspaces().filter((name) => name.startsWith('varve.mga/shared/'))).toHaveLength(1);
  const reader = inventory.begin();
  const rows = [...index.rangeScan({}, reader)].map(({ key, tid }) => `${key} ${tid}`);
  expect(rows.toSorted()).toEqual(worked.rows.toSorted());

  function* entriesOf(keyspace: string): Generator<{ key: string; tid: number; xmin: number; xmax: number }> {
    for (const [key, value] of db.keyspace(keyspace).range()) {
      const { tid, lives } = decodeEntry(value);
      const row = key.length === 3 ? tid : tidAt(key, key.length - 8);
      for (const { xmin, xmax } of lives) {
        yield { key: utf8.decode(key.subarray(0, 1)), tid: Number(row), xmin, xmax };
      }
    }
  }
});

test('dead rows are taken out by an attached thread also after the index was rebuilt, and not by a closed index', async () => {
  const db = await open(temporaryDirectory());
  onTestFinished(() => db.close());
  const inventory = await openInventory(db);
  const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
  const xid = inventory.begin();
  index.put('a', 1, xid);
  inventory.commit(xid);
  const worker = new Worker(new URL('mga-dead.worker.ts', import.meta.url), {
    workerData: { handle: db.share(), buffer: inventory.buffer },
    execArgv: ['--conditions=varve-source'],
  });
  const ended = once(worker, 'exit');
  expect(await once(worker, 'message')).toEqual([[1]]);
  await index.reindex([
    { key: 'a', tid: 1 },
    { key: 'b', tid: 2 },
  ]);
  for (const [tid, removed] of [
    [2, 1],
    [2, 0],
    [1, 1],
  ]) {
    const answer = once(worker, 'message');
    worker.postMessage([tid]);
    expect(await answer).toEqual([removed]);
  }
  worker.postMessage([]);
  await ended;
  index.close();
  for (const tids of [[1], []]) {
    await expectRefusal(() => index.removeDeadEntries(tids), 'CLOSED', 'closed', { index: 'names' });
  }
});
