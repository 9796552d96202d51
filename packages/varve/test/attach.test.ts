/** What attach and share refuse, and what happens to threads when the owner closes or dies. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { attach, type Database, open, type Snapshot, utf8 } from 'varve';
import { SimFs } from 'varve/testing';
import { ownerThread } from './attached-database.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const texts = (db: Database) => db.keyspace('texts', { key: utf8, value: utf8 });

const attached = async (handle: unknown): Promise<Database> => {
  const db = await attach(handle);
  onTestFinished(() => db.close());
  return db;
};

test('only a handle is attached, by name of what it is not', async () => {
  for (const wrong of [undefined, null, 7, {}, 'handle', { kind: 'other' }]) {
    await expectRefusal(() => attach(wrong), 'HANDLE_INVALID', 'invalid');
  }
});

test('a handle of another version of the package, or of another process, is refused', async () => {
  const owner = await ownerThread(temporaryDirectory(), {});
  onTestFinished(owner.close);
  const handle = owner.handle as object;
  await expectRefusal(() => attach({ ...handle, version: 0 }), 'HANDLE_INVALID', 'invalid');
  await expectRefusal(() => attach({ ...handle, process: process.pid + 1 }), 'HANDLE_INVALID', 'invalid');
});

test('a handle does not go to another process', async () => {
  const owner = await ownerThread(temporaryDirectory(), {});
  onTestFinished(owner.close);
  const child = fork(new URL('attach.process.ts', import.meta.url), {
    execArgv: ['--conditions=varve-source'],
  });
  onTestFinished(() => void child.kill());
  const ended = once(child, 'exit');
  child.send(JSON.parse(JSON.stringify(owner.handle)));
  const [answer] = await once(child, 'message');
  expect(answer).toBe('HANDLE_INVALID');
  await ended;
});

test('the thread that opened the database does not attach it, and no thread does so twice', async () => {
  const db = await open(temporaryDirectory());
  onTestFinished(() => db.close());
  await expectRefusal(() => attach(db.share()), 'ATTACH_OWNER', 'invalid');
  const owner = await ownerThread(temporaryDirectory(), {});
  onTestFinished(owner.close);
  const first = await attached(owner.handle);
  await expectRefusal(() => attach(owner.handle), 'ATTACHED', 'invalid');
  await first.close();
  const again = await attached(owner.handle);
  expect(again.keyspaces()).toEqual([]);
});

test('what can not be shared says why', async () => {
  const directory = temporaryDirectory();
  await (await open(directory)).close();
  const refused = async (db: Database): Promise<void> => {
    onTestFinished(() => db.close());
    await expectRefusal(() => db.share(), 'SHARE_UNSUPPORTED', 'invalid');
  };
  await refused(await open(':memory:'));
  await refused(await open('/db', { fileSystem: new SimFs() }));
  await refused(await open(directory, { readOnly: true }));
  await refused(await open(temporaryDirectory(), { log: 'external' }));
});

test('a handle is the same each time, and of no use after the close', async () => {
  const owner = await ownerThread(temporaryDirectory(), {});
  const db = await attached(owner.handle);
  await expectRefusal(() => db.share(), 'SHARE_UNSUPPORTED', 'invalid');
  await db.close();
  await owner.close();
  await expectRefusal(() => attach(owner.handle), 'CLOSED', 'closed');
});

test('when the owner closes, what is pending settles and every later call says closed', async () => {
  const owner = await ownerThread(temporaryDirectory(), {});
  const db = await attached(owner.handle);
  const keyspace = texts(db);
  keyspace.put('a', '1');
  const snapshot = db.snapshot();
  const cursor = keyspace.range().cursor();
  const written = keyspace.put('b', '2', { durability: 'disk' }).then(
    () => 'written',
    (error: { code: string }) => error.code,
  );
  await owner.close();
  expect(['written', 'CLOSED']).toContain(await written);
  const calls: (() => unknown)[] = [
    () => keyspace.put('c', '3'),
    () => keyspace.get('a'),
    () => keyspace.putIfAbsent('d', '4'),
    () => keyspace.getMany(['a', 'b']),
    () => snapshot.get(keyspace, 'a'),
    () => cursor.next(),
    () => db.keyspace('other'),
    () => db.stats(),
    () => db.flush(),
    () => db.sync(),
  ];
  for (const call of calls) await expectRefusal(call, 'CLOSED', 'closed');
  await db.close();
});

test('when the owner dies, calls say so, nothing hangs, and a new owner finds what was handed over', async () => {
  const directory = temporaryDirectory();
  const owner = await ownerThread(directory, {});
  const db = await attached(owner.handle);
  const keyspace = texts(db);
  for (let i = 0; i < 1000; i++) keyspace.put(`key-${i}`, 'value');
  await db.sync('os');
  const pending = db.compact().then(
    () => 'done',
    (error: { code: string }) => error.code,
  );
  await owner.terminate();
  expect(['done', 'OWNER_GONE']).toContain(await pending);
  await expectRefusal(() => keyspace.put('more', 'value'), 'OWNER_GONE', 'closed');
  await expectRefusal(() => keyspace.get('key-1'), 'OWNER_GONE', 'closed');
  await expectRefusal(() => db.flush(), 'OWNER_GONE', 'closed');
  const next = await open(directory);
  onTestFinished(() => next.close());
  expect(texts(next).count()).toBe(1000);
});

test('what one thread wrote and told another about is there', async () => {
  const db = await open(temporaryDirectory());
  onTestFinished(() => db.close());
  const keyspace = texts(db);
  const worker = new Worker(new URL('echo.worker.ts', import.meta.url), {
    workerData: db.share(),
    execArgv: ['--conditions=varve-source'],
  });
  for (let i = 0; i < 200; i++) {
    keyspace.put('question', String(i));
    worker.postMessage(i);
    const [sequence] = (await once(worker, 'message')) as [number];
    expect(keyspace.get('answer')).toBe(`answer to ${i}`);
    expect(db.stats().sequence).toBeGreaterThanOrEqual(sequence);
  }
  worker.postMessage('end');
  await once(worker, 'exit');
});

test('update in a shared database takes what its function writes itself for what it knows', async () => {
  const db = await open(temporaryDirectory());
  onTestFinished(() => db.close());
  db.share();
  const keyspace = texts(db);
  let calls = 0;
  const value = keyspace.update('a', (old) => {
    calls++;
    keyspace.put('a', 'of the function');
    keyspace.put('b', 'beside it');
    return `${old} and more`;
  });
  expect([calls, value, keyspace.get('a'), keyspace.get('b')]).toEqual([
    1,
    'undefined and more',
    'undefined and more',
    'beside it',
  ]);
});

test('a thread that holds a snapshot is told by its id and age, and a dead one holds nothing', async () => {
  const db = await open(temporaryDirectory());
  onTestFinished(() => db.close());
  texts(db).put('a', '1');
  const worker = new Worker(new URL('echo.worker.ts', import.meta.url), {
    workerData: db.share(),
    execArgv: ['--conditions=varve-source'],
  });
  worker.postMessage('hold');
  await once(worker, 'message');
  const { threads, snapshots } = db.stats();
  const held = threads.find((thread) => !thread.isOwner)!;
  expect(held).toMatchObject({ threadId: worker.threadId, snapshots: 1, oldestSequence: 2 });
  expect(held.oldestAgeMs).toBeGreaterThanOrEqual(0);
  expect(snapshots).toMatchObject({ count: 1, oldestSequence: 2 });
  await worker.terminate();
  const own: Snapshot = db.snapshot();
  own.close();
  await expect.poll(() => db.stats().threads.length).toBe(1);
  expect(db.stats().snapshots.count).toBe(0);
});

test('a keyspace that is opened without settings lets entries live as long as its owner says', async () => {
  const offset = new SharedArrayBuffer(4);
  const owner = await ownerThread(temporaryDirectory(), {}, offset);
  onTestFinished(owner.close);
  const first = await attached(owner.handle);
  first.keyspace('texts', { key: utf8, value: utf8, ttlMs: 60_000 });
  await first.flush();
  await first.close();
  const again = await attached(owner.handle);
  const short = texts(again);
  short.put('a', '1');
  short.put('b', '2', { ttlMs: 3_600_000 });
  expect(short.getMany(['a', 'b'])).toEqual(['1', '2']);
  Atomics.store(new Int32Array(offset), 0, 60_000);
  again.stats();
  expect(short.getMany(['a', 'b'])).toEqual([undefined, '2']);
});
