/** What an open feed keeps of the log, until when, and how feeds end. */
import { readdirSync } from 'node:fs';
import { type Change, type ChangeFeed, type Database, open, VarveError } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { collectGarbage, type Warning, warningOf } from './collect.ts';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const KIB = 1024;

async function fill(db: Database, segments: number): Promise<void> {
  const data = texts(db);
  for (let i = 0; i < segments * 16; i++) data.put(`key ${i % 100}`, 'x'.repeat(4 * KIB));
  await db.flush();
  await db.sync();
}

test('an open feed keeps the log behind it, and lets it go as it moves on', async () => {
  const db = await inMemory({ logBytesMax: 64 * KIB });
  const feed = db.changes();
  await fill(db, 8);
  const { retainedSegments, feeds, oldestSequence } = db.stats().changes;
  expect([feeds, oldestSequence]).toEqual([1, 0]);
  expect(retainedSegments).toBeGreaterThan(5);
  const last = db.stats().sequence;
  let shown = 0;
  for await (const { sequence } of feed) {
    shown++;
    if (sequence === last) break;
  }
  expect(shown).toBe(last);
  expect(db.stats().changes).toEqual({ feeds: 0, retainedSegments: 0, retainedBytes: 0 });
});

test('however it ends, a feed keeps nothing from then on', async () => {
  const db = await inMemory({ logBytesMax: 64 * KIB });
  const ends: ((feed: ChangeFeed, abort: AbortController) => unknown)[] = [
    (feed) => feed.close(),
    (feed) => feed.return!(),
    (feed) => feed[Symbol.asyncDispose](),
    (_, abort) => abort.abort(),
    async (feed) => {
      for await (const _ of feed) break;
    },
    async (feed) => {
      await expect(
        (async () => {
          for await (const _ of feed) throw new Error('mine');
        })(),
      ).rejects.toThrow('mine');
    },
  ];
  for (const end of ends) {
    const abort = new AbortController();
    const feed = db.changes({ signal: abort.signal });
    await fill(db, 4);
    expect(db.stats().changes.retainedSegments).toBeGreaterThan(2);
    await end(feed, abort);
    expect(db.stats().changes).toEqual({ feeds: 0, retainedSegments: 0, retainedBytes: 0 });
  }
});

test('the log is within its limit all the while: what a feed keeps is not part of it', async () => {
  const db = await inMemory({ logBytesMax: 128 * KIB });
  const feed = db.changes();
  await fill(db, 20);
  expect(db.stats().log.bytes).toBeLessThan(2 * 128 * KIB);
  expect(db.stats().changes.retainedBytes).toBeGreaterThan(1000 * KIB);
  feed.close();
});

test('files that were kept are removed from the directory', async () => {
  const directory = temporaryDirectory();
  const db = await open(directory, { logBytesMax: 64 * KIB });
  onTestFinished(() => db.close());
  const logs = (): number => readdirSync(directory).filter((name) => name.endsWith('.wal')).length;
  const feed = db.changes();
  await fill(db, 10);
  expect(logs()).toBeGreaterThan(8);
  feed.close();
  // What is not recycled is removed by a job; jobs of one lane end in order.
  await fill(db, 1);
  await db.compact();
  for (let i = 0; i < 200 && logs() > 4; i++) await fill(db, 1);
  expect(logs()).toBeLessThanOrEqual(4);
});

test('a feed that is further behind than bytesMax ends, and says where it was; the others go on', async () => {
  const db = await inMemory({ logBytesMax: 64 * KIB, changesRetention: { bytesMax: 300 * KIB } });
  const [slow, waits] = [db.changes(), db.changes({ since: 'oldest' })];
  const first = waits.next();
  texts(db).put('a', '1');
  await db.sync();
  await first;
  await fill(db, 2);
  const data = db.changes({ keyspaces: ['texts'] });
  await fill(db, 9);
  const { token } = slow;
  const error = await expectRefusal(() => slow.next(), 'CHANGES_TOO_SLOW', 'closed', { token });
  expect(error.context['bytesMax']).toBe(300 * KIB);
  expect(await slow.next()).toEqual({ done: true, value: undefined });
  await expectRefusal(() => data.next(), 'CHANGES_TOO_SLOW', 'closed');
  const { retainedBytes, feeds } = db.stats().changes;
  expect(retainedBytes).toBeLessThanOrEqual(300 * KIB);
  expect(feeds).toBe(0);
  const next = db.changes();
  const sequence = texts(db).put('b', '2');
  await db.sync();
  expect(((await next.next()).value as Change).sequence).toBe(sequence);
});

test('close of the feed: whoever waits gets CLOSED, and then it is done', async () => {
  const db = await inMemory();
  const feed = db.changes();
  const waiting = feed.next();
  feed.close();
  feed.close();
  await expectRefusal(() => waiting, 'CLOSED', 'closed');
  expect(await feed.next()).toEqual({ done: true, value: undefined });
  expect(await feed.return!()).toEqual({ done: true, value: undefined });
});

test('close of the database: feeds that wait and feeds that do not get CLOSED', async () => {
  const db = await open(':memory:');
  const feeds = [db.changes(), db.changes()];
  texts(db).put('k', 'v');
  await db.sync();
  const waits = db.changes();
  const waiting = waits.next();
  await db.close();
  await expectRefusal(() => waiting, 'CLOSED', 'closed');
  for (const feed of feeds) await expectRefusal(() => feed.next(), 'CLOSED', 'closed');
  await expectRefusal(() => db.changes(), 'CLOSED', 'closed');
});

test('several calls that wait are all told what has ended it; those that come later are done', async () => {
  const db = await open(':memory:');
  const abort = new AbortController();
  const ends: [() => unknown, string, ChangeFeed][] = [];
  const closed = db.changes();
  ends.push([() => closed.close(), 'CLOSED', closed]);
  ends.push([() => abort.abort(), 'ABORTED', db.changes({ signal: abort.signal })]);
  ends.push([() => db.close(), 'CLOSED', db.changes()]);
  for (const [end, code, feed] of ends) {
    const waiting = [feed.next(), feed.next(), feed.next()].map((next) =>
      next.catch((error: VarveError) => error.code),
    );
    const ended = end();
    expect(await Promise.all(waiting)).toEqual([code, code, code]);
    expect(await feed.next()).toEqual({ done: true, value: undefined });
    await ended;
  }
});

test('an abort ends it: while it waits, in between, and before it began', async () => {
  const db = await inMemory();
  const abort = new AbortController();
  const [waits, idle] = [db.changes({ signal: abort.signal }), db.changes({ signal: abort.signal })];
  const waiting = waits.next();
  const reason = new Error('enough');
  abort.abort(reason);
  const error = await expectRefusal(() => waiting, 'ABORTED', 'busy');
  expect(error.cause).toBe(reason);
  await expectRefusal(() => idle.next(), 'ABORTED', 'busy');
  await expectRefusal(() => db.changes({ signal: abort.signal }).next(), 'ABORTED', 'busy');
  expect(db.stats().changes.feeds).toBe(0);
});

test('a poisoned database: what was durable is shown, then the feed ends with POISONED', async () => {
  const faulty = new FaultFs(new MemoryFs());
  const db = await open('/db', { fileSystem: faulty, sync: 'manual' });
  onTestFinished(() => db.close().catch(() => undefined));
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  const waits = db.changes({ since: 'now', keyspaces: [data] });
  data.put('a', 'durable');
  db.syncNow('disk');
  await waits.next();
  const waiting = waits.next();
  data.put('b', 'not durable');
  faulty.add({ kind: 'EIO', operations: ['dataSync'], path: '.wal' });
  expect(() => db.syncNow('disk')).toThrow(VarveError);
  expect((await feed.next()).value).toMatchObject({ operations: [{ key: 'a' }] });
  await expectRefusal(() => feed.next(), 'POISONED', 'io');
  await expectRefusal(() => waiting, 'POISONED', 'io');
});

test('damage in what is kept is an error of the feed, with file and offset, and of nothing else', async () => {
  const fs = new MemoryFs();
  const db = await open('/db', {
    fileSystem: fs,
    logBytesMax: 64 * KIB,
    changesRetention: { bytes: 1024 ** 2 },
  });
  onTestFinished(() => db.close());
  await fill(db, 5);
  const [name] = fs.list('/db').filter((each) => each.endsWith('.wal'));
  const file = fs.open(`/db/${name}`, 'readWrite');
  file.write(Uint8Array.of(1, 2, 3), 0, 3, 20_000);
  file.close();
  const feed = db.changes({ since: 'oldest' });
  const error = await expectRefusal(
    async () => {
      for await (const _ of feed);
    },
    'CORRUPTION',
    'corruption',
    { file: `/db/${name}` },
  );
  expect(error.context['offset']).toBeLessThanOrEqual(20_000);
  expect(error.context['offset']).toBeGreaterThan(10_000);
  texts(db).put('k', 'v');
  expect((await db.verify()).problems).toEqual([]);
});

test('a feed that was lost is reported', async () => {
  const db = await inMemory();
  const warning = warningOf(db);
  (() => void db.changes())();
  await collectGarbage(3);
  expect((await warning).code).toBe('CHANGES_LEAKED');
  expect(db.stats().changes.feeds).toBe(1);
});

test('one that had ended when it was lost is not', async () => {
  const db = await inMemory({ logBytesMax: 64 * KIB, changesRetention: { bytesMax: 300 * KIB } });
  const codes: string[] = [];
  db.events.addEventListener('warning', (event) => codes.push((event as CustomEvent<Warning>).detail.code));
  const abort = new AbortController();
  // Too slow soon; aborted in between; and before it began.
  (() => void [db.changes(), db.changes({ signal: abort.signal })])();
  await fill(db, 9);
  abort.abort();
  (() => void db.changes({ signal: abort.signal }))();
  await collectGarbage(3);
  expect(codes).toEqual([]);
  // One that had not ended is.
  const warning = warningOf(db);
  (() => void db.changes())();
  await collectGarbage(3);
  expect((await warning).code).toBe('CHANGES_LEAKED');
  expect(codes).toEqual(['CHANGES_LEAKED']);
});

test('options that will not do are refused by name', async () => {
  const db = await inMemory();
  const other = await inMemory();
  const data = texts(db);
  const dropped = texts(db, 'dropped');
  await db.dropKeyspace('dropped');
  const changes = (options: unknown) => () => db.changes(options as object);
  for (const options of [
    null,
    'oldest',
    { sinse: 1 },
    { since: 'yesterday' },
    { since: -1 },
    { since: 1.5 },
    { since: {} },
    { since: { incarnation: 0, sequence: 1 } },
    { since: { incarnation: 1, sequence: '1' } },
    { since: null },
    { since: 1n },
    { durability: 'memory' },
    { durability: 'replicated' },
    { signal: {} },
    { keyspaces: [] },
    { keyspaces: 'texts' },
    { keyspaces: [undefined] },
    { keyspaces: [data, 5] },
    { keyspaces: [null] },
    { keyspaces: [Symbol('texts')] },
    [],
  ]) {
    await expectRefusal(changes(options), 'OPTION_INVALID', 'invalid');
  }
  await expectRefusal(changes({ keyspaces: ['text'] }), 'KEYSPACE_NOT_FOUND', 'invalid', {
    got: 'text',
    keyspaces: ['texts'],
  });
  await expectRefusal(changes({ keyspaces: [texts(other)] }), 'KEYSPACE_FOREIGN', 'invalid');
  await expectRefusal(changes({ keyspaces: [{}] }), 'KEYSPACE_FOREIGN', 'invalid');
  await expectRefusal(changes({ keyspaces: [dropped] }), 'KEYSPACE_DROPPED', 'invalid');
  for (const range of [{ reverse: true }, { limit: 3 }, { from: 'a' }, 'a']) {
    await expectRefusal(changes({ keyspaces: [data], range }), 'RANGE_INVALID', 'invalid');
  }
  await expectRefusal(changes({ keyspaces: [data], range: { gte: 3 } }), 'KEY_INVALID', 'invalid');
  await expectRefusal(changes({ range: { gte: 'text' } }), 'KEY_INVALID', 'invalid');
  expect(db.stats().changes.feeds).toBe(0);
});

test('where there is no log of its own there is no feed', async () => {
  const directory = temporaryDirectory();
  await (await open(directory)).close();
  const reader = await open(directory, { readOnly: true });
  onTestFinished(() => reader.close());
  await expectRefusal(() => reader.changes(), 'READ_ONLY', 'invalid');
  const external = await inMemory({ log: 'external' });
  await expectRefusal(() => external.changes(), 'LOG_EXTERNAL', 'invalid');
});

test('the setting is checked', async () => {
  for (const changesRetention of [
    { bytes: 0 },
    { ms: -1 },
    { bytes: 2 * 1024 ** 3 },
    { bytesMax: 5 },
    { days: 3 },
    3,
    null,
  ]) {
    await expectRefusal(() => open(':memory:', { changesRetention } as object), 'OPTION_INVALID', 'invalid');
  }
  const byTime = { changesRetention: { ms: 1000 }, timestamps: false };
  await expectRefusal(() => open(':memory:', byTime), 'OPTION_INVALID', 'invalid');
});
