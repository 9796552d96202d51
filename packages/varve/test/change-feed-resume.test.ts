/** Where a change feed begins: tokens over restarts, what is kept of the log, and what is said of what is not. */
import {
  type Change,
  type ChangeFeed,
  type ChangeToken,
  type Database,
  type DatabaseOptions,
  open,
} from 'varve';
import { MemoryFs, Random, SimFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const KIB = 1024;
/** Segments of 64 KiB. */
const small: DatabaseOptions = { logBytesMax: 64 * KIB };

async function sequences(feed: ChangeFeed<unknown, unknown>, until: number): Promise<number[]> {
  const shown: number[] = [];
  while (feed.token.sequence < until) {
    const { value } = (await feed.next()) as { value: Change };
    shown.push(value.sequence);
  }
  feed.close();
  return shown;
}

const upTo = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Writes about `segments` segments of log, and flushes, so that the database needs none of them. */
async function fill(db: Database, segments: number): Promise<void> {
  const data = texts(db);
  for (let i = 0; i < segments * 16; i++) data.put(`key ${i % 100}`, 'x'.repeat(4 * KIB));
  await db.flush();
  await db.sync();
}

const stored = (token: ChangeToken): ChangeToken => JSON.parse(JSON.stringify(token)) as ChangeToken;

test('a consumer goes on where it stopped, over restarts and through segments that nothing else needs', async () => {
  const directory = temporaryDirectory();
  const options = { ...small, changesRetention: { bytes: 64 * KIB * KIB } };
  const seen: number[] = [];
  let token: ChangeToken | 'oldest' = 'oldest';
  for (let life = 0; life < 4; life++) {
    const db = await open(directory, options);
    const feed: ChangeFeed = db.changes({ since: token });
    await fill(db, 3);
    // Part of it: the rest is of earlier lives next time.
    const part = db.stats().sequence - 20;
    seen.push(...(await sequences(feed, part)));
    token = stored(feed.token);
    await db.close();
  }
  const db = await open(directory, options);
  onTestFinished(() => db.close());
  seen.push(...(await sequences(db.changes({ since: token }), db.stats().sequence)));
  expect(seen).toEqual(upTo(1, db.stats().sequence));
  // Also all of it once more, from the oldest on, and from any token in between.
  expect(await sequences(db.changes({ since: 'oldest' }), seen.length)).toEqual(seen);
  for (const sequence of [0, 1, 50, 100, 190]) {
    const since = { incarnation: db.stats().incarnation, sequence };
    expect(await sequences(db.changes({ since }), seen.length)).toEqual(upTo(sequence + 1, seen.length));
  }
});

test('reopening without having written keeps what there is, and the token', async () => {
  const directory = temporaryDirectory();
  const options = { ...small, changesRetention: { bytes: 64 * KIB * KIB } };
  let db = await open(directory, options);
  await fill(db, 2);
  const last = db.stats().sequence;
  const token = db.changes().token;
  await db.close();
  for (let i = 0; i < 3; i++) {
    db = await open(directory, options);
    expect(await sequences(db.changes({ since: 'oldest' }), last)).toEqual(upTo(1, last));
    await db.close();
  }
  db = await open(directory, options);
  onTestFinished(() => db.close());
  const feed = db.changes({ since: token });
  texts(db).put('k', 'v');
  await db.sync();
  expect(await sequences(feed, last + 1)).toEqual([last + 1]);
});

test('a consumer by name goes on when the keyspace was dropped while it was away', async () => {
  const directory = temporaryDirectory();
  const options = { ...small, changesRetention: { bytes: 64 * KIB * KIB } };
  let db = await open(directory, options);
  texts(db).put('a', '1');
  const { token } = db.changes({ keyspaces: ['texts'] });
  texts(db).put('b', '2');
  await db.dropKeyspace('texts');
  await db.close();
  db = await open(directory, options);
  onTestFinished(() => db.close());
  const feed = db.changes({ since: token, keyspaces: ['texts'] });
  const types: string[] = [];
  while (types.length < 2) types.push(((await feed.next()).value as Change).operations[0]!.type);
  expect(types).toEqual(['put', 'dropKeyspace']);
  // Without a past there is nothing that such a name could stand for.
  await expectRefusal(() => db.changes({ keyspaces: ['texts'] }), 'KEYSPACE_NOT_FOUND', 'invalid');
  await expectRefusal(
    () => db.changes({ since: 'now', keyspaces: ['texts'] }),
    'KEYSPACE_NOT_FOUND',
    'invalid',
  );
});

test('a token is good as long as the log behind it is kept, however often the database was opened since', async () => {
  const options = { fileSystem: new MemoryFs(), changesRetention: { bytes: 64 * KIB * KIB } };
  let since: ChangeToken | undefined;
  for (let life = 0; life < 260; life++) {
    const db = await open('/db', options);
    texts(db).put('k', 'v');
    since ??= db.changes().token;
    await db.close();
  }
  const db = await open('/db', options);
  onTestFinished(() => db.close());
  const last = db.stats().sequence;
  expect(await sequences(db.changes({ since: since! }), last)).toEqual(upTo(since!.sequence + 1, last));
}, 30_000);

test('a token at the end is good whatever was kept', async () => {
  const directory = temporaryDirectory();
  let db = await open(directory, small);
  await fill(db, 3);
  const { token } = db.changes();
  await db.close();
  for (let i = 0; i < 2; i++) {
    db = await open(directory, small);
    expect(db.changes({ since: token }).token).toEqual(token);
    await db.close();
  }
  db = await open(directory, small);
  onTestFinished(() => db.close());
  const feed = db.changes({ since: token });
  const sequence = texts(db).put('k', 'v');
  await db.sync();
  expect(await sequences(feed, sequence)).toEqual([sequence]);
});

test('a sequence that is not kept any more is refused, with the oldest that is', async () => {
  const db = await inMemory(small);
  await fill(db, 6);
  const error = await expectRefusal(() => db.changes({ since: 1 }), 'CHANGES_GONE', 'invalid', {
    since: { incarnation: 1, sequence: 1 },
  });
  const oldest = error.context['oldest'] as ChangeToken;
  expect(error.context['oldestSequence']).toBe(oldest.sequence + 1);
  expect(error.message).toContain(String(oldest.sequence + 1));
  expect(oldest.sequence).toBeGreaterThan(1);
  expect(db.changes({ since: 'oldest' }).token).toEqual(oldest);
  const last = db.stats().sequence;
  expect(await sequences(db.changes({ since: oldest }), last)).toEqual(upTo(oldest.sequence + 1, last));
});

test('the last bytes of the log are kept, or what is young enough, and of both what both ask for', async () => {
  const time = new ManualScheduler();
  const cases: [DatabaseOptions['changesRetention'], number, number][] = [
    [{}, 0, 0],
    [{ bytes: 256 * KIB }, 2, 5],
    [{ ms: 60_000 }, 6, 8],
    [{ ms: 60_000, bytes: 256 * KIB }, 2, 5],
    [{ ms: 60_000, bytesMax: 200 * KIB }, 1, 4],
  ];
  for (const [changesRetention, least, most] of cases) {
    const db = await time.open('/db', {
      ...small,
      fileSystem: new SimFs(),
      changesRetention: changesRetention!,
    });
    const data = texts(db);
    const write = async (): Promise<void> => {
      for (let i = 0; i < 16; i++) data.put(`key ${i}`, 'x'.repeat(4 * KIB));
      await time.run(db.flush());
      await time.run(db.sync());
    };
    for (let i = 0; i < 6; i++) await write();
    // These are too old by the time of the next ones.
    await time.advance(100_000);
    for (let i = 0; i < 7; i++) await write();
    const { retainedSegments } = db.stats().changes;
    expect([changesRetention, retainedSegments >= least, retainedSegments <= most]).toEqual([
      changesRetention,
      true,
      true,
    ]);
    await time.run(db.close());
  }
});

test('what was kept longer by an earlier open goes when less is asked for', async () => {
  const directory = temporaryDirectory();
  let db = await open(directory, { ...small, changesRetention: { bytes: 64 * KIB * KIB } });
  await fill(db, 6);
  expect(db.stats().changes.retainedSegments).toBeGreaterThan(3);
  await db.close();
  db = await open(directory, { ...small, changesRetention: { bytes: 100 * KIB } });
  expect(db.stats().changes.retainedSegments).toBeLessThan(4);
  expect(db.stats().changes.retainedSegments).toBeGreaterThan(0);
  await db.close();
  db = await open(directory, small);
  onTestFinished(() => db.close());
  expect(db.stats().changes.retainedSegments).toBe(0);
});

test('a token of batches that a crash has lost is refused, with the last one that both histories have', async () => {
  const time = new ManualScheduler();
  let fs = new SimFs();
  let db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  const first = texts(db).put('a', '1');
  db.syncNow('disk');
  const feed = db.changes({ since: first, durability: 'os' });
  for (const key of ['b', 'c', 'd']) texts(db).put(key, 'lost');
  db.syncNow('os');
  const lost: ChangeToken[] = [];
  for (let i = 0; i < 3; i++) lost.push(stored(((await feed.next()).value as Change).token));
  fs = fs.crash(new Random(1), { data: 'nothing' });
  db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  const lastCommon = { incarnation: 1, sequence: first };
  for (const since of lost) {
    await expectRefusal(() => db.changes({ since }), 'CHANGES_LOST', 'invalid', { since, lastCommon });
  }
  // The sequences are given out again: the tokens are of the other history all the same, over later opens as well.
  for (const key of ['e', 'f', 'g', 'h']) texts(db).put(key, 'kept');
  await time.run(db.flush());
  for (let i = 0; i < 3; i++) {
    for (const since of lost) {
      await expectRefusal(() => db.changes({ since }), 'CHANGES_LOST', 'invalid', { since, lastCommon });
    }
    await time.run(db.close());
    db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  }
  await time.run(db.close());
});

test('who goes on from the last common one sees what took the place of what was lost', async () => {
  const time = new ManualScheduler();
  let fs = new SimFs();
  let db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  const first = texts(db).put('a', '1');
  db.syncNow('disk');
  texts(db).put('b', 'lost');
  db.syncNow('os');
  const since = { incarnation: 1, sequence: first + 1 };
  fs = fs.crash(new Random(1), { data: 'nothing' });
  db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  texts(db).put('c', 'kept');
  db.syncNow('disk');
  const error = await expectRefusal(() => db.changes({ since }), 'CHANGES_LOST', 'invalid');
  const feed = db.changes({ since: error.context['lastCommon'] as ChangeToken, keyspaces: [texts(db)] });
  const { value } = (await feed.next()) as { value: Change<string, string> };
  expect(value).toMatchObject({
    token: { incarnation: 2, sequence: first + 1 },
    operations: [{ type: 'put', key: 'c' }],
  });
  await time.run(db.close());
});

test('what lies ahead of everything is refused: a later sequence, a later incarnation', async () => {
  const db = await inMemory();
  const last = texts(db).put('a', '1');
  for (const since of [last + 1, { incarnation: 1, sequence: last + 1 }]) {
    await expectRefusal(() => db.changes({ since }), 'CHANGES_LOST', 'invalid', {
      lastCommon: { incarnation: 1, sequence: last },
    });
  }
  // Of another directory, or of this one before an older copy was put in its place.
  await expectRefusal(
    () => db.changes({ since: { incarnation: 7, sequence: last } }),
    'CHANGES_LOST',
    'invalid',
  );
});

test('segments that are kept are no damage, and no replay', async () => {
  const directory = temporaryDirectory();
  const options = { ...small, changesRetention: { bytes: 64 * KIB * KIB } };
  let db = await open(directory, options);
  await fill(db, 6);
  await db.close();
  db = await open(directory, { ...options, recovery: 'strict' });
  expect(db.recovered.segments).toBeLessThan(3);
  expect(db.recovered.warnings).toEqual([]);
  expect((await db.verify()).problems).toEqual([]);
  await db.close();
  const reader = await open(directory, { readOnly: true });
  expect(texts(reader).count()).toBe(96);
  await reader.close();
});

test('after salvage no feed passes over what was stepped over', async () => {
  const directory = temporaryDirectory();
  let db = await open(directory, { ...small, changesRetention: { bytes: 64 * KIB * KIB } });
  await fill(db, 2);
  await db.close();
  db = await open(directory, { ...small, recovery: 'salvage', changesRetention: { bytes: 64 * KIB * KIB } });
  onTestFinished(() => db.close());
  const last = db.stats().sequence;
  await expectRefusal(
    () => db.changes({ since: { incarnation: 1, sequence: 3 } }),
    'CHANGES_GONE',
    'invalid',
    {
      oldestSequence: last + 1,
    },
  );
  const feed = db.changes({ since: 'oldest' });
  const sequence = texts(db).put('k', 'v');
  await db.sync();
  expect(await sequences(feed, sequence)).toEqual([sequence]);
});

test('nor do the feeds of later opens, also when a crash has kept the damaged log', async () => {
  const time = new ManualScheduler();
  const options = { ...small, changesRetention: { bytes: 64 * KIB * KIB } };
  for (const crashed of [false, true]) {
    let fs = new SimFs();
    const life = async (more: DatabaseOptions, use: (db: Database) => Promise<void>): Promise<void> => {
      const db = await time.open('/db', { ...options, fileSystem: fs, ...more });
      await use(db);
      await time.run(db.close());
    };
    // Not flushed: the log is all there is.
    await life({}, async (db) => {
      for (let i = 0; i < 200; i++) texts(db).put(`key ${i}`, 'x'.repeat(100));
    });
    const damaged = fs.list('/db').filter((name) => name.endsWith('.wal'));
    const file = fs.open(`/db/${damaged[0]}`, 'readWrite');
    file.write(Uint8Array.of(1, 2, 3), 0, 3, 10_000);
    file.dataSync();
    file.close();
    let last = 0;
    if (crashed) {
      // Nothing that is due later, such as the removal of files, is done before it.
      await time.open('/db', { ...options, fileSystem: fs, recovery: 'salvage' });
      fs = fs.crash(new Random(1));
      expect(fs.list('/db')).toContain(damaged[0]);
    } else {
      await life({ recovery: 'salvage' }, async (db) => {
        last = db.stats().sequence;
        texts(db).put('later', 'value');
        expect(db.stats().changes.retainedSegments).toBe(0);
      });
      expect(fs.list('/db')).not.toContain(damaged[0]);
    }
    await life({}, async (db) => {
      expect(texts(db).get('key 199')).toBe('x'.repeat(100));
      if (crashed) last = db.stats().sequence;
      const since = { incarnation: 1, sequence: 3 };
      await expectRefusal(() => db.changes({ since }), 'CHANGES_GONE', 'invalid', {
        oldestSequence: last + 1,
      });
      texts(db).put('k', 'v');
      await time.run(db.sync());
      const until = db.stats().sequence;
      expect(await time.run(sequences(db.changes({ since: 'oldest' }), until))).toEqual(
        upTo(last + 1, until),
      );
    });
  }
});
