/** What `db.ingest` has brought, as changes: in its place, in parts, out of tables that are kept for it. */
import { getEventListeners } from 'node:events';
import { readdirSync } from 'node:fs';
import { type Change, type ChangeFeed, type Database, open } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { key, small } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const entries = (count: number, value = 'ingested'): [string, string][] =>
  Array.from({ length: count }, (_, i): [string, string] => [key(i), `${value} ${i}`]);

/** Everything up to the sequence `last`. */
async function all<K, V>(feed: ChangeFeed<K, V>, last: number): Promise<Change<K, V>[]> {
  const changes: Change<K, V>[] = [];
  while (feed.token.sequence < last) changes.push((await feed.next()).value as Change<K, V>);
  return changes;
}

/** So that nothing but a feed has a use for the tables as they were ingested. */
async function compactAway(db: Database): Promise<void> {
  const data = db.keyspace('texts', small);
  for (let i = 0; i < 1000; i++) data.put(key(i), 'later');
  await db.flush();
  await db.compact();
}

test('an ingestion comes in its place, in parts of one sequence; the token moves on with the last', async () => {
  const db = await inMemory();
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  const before = data.put('a', 'before');
  const { sequence } = await db.ingest(data, entries(1000));
  const after = data.put('z', 'after');
  await db.sync();
  const changes = await all(feed, after);
  expect(changes[0]).toMatchObject({ sequence: before });
  expect(changes.at(-1)).toMatchObject({ sequence: after });
  const parts = changes.slice(1, -1);
  expect(parts.length).toBeGreaterThan(2);
  expect(parts.map((part) => part.sequence)).toEqual(parts.map(() => sequence));
  expect(parts.map(({ ingestion }) => ingestion)).toEqual(
    parts.map((_, part) => ({ part, isLast: part === parts.length - 1 })),
  );
  expect(parts.map(({ token }) => token.sequence)).toEqual(
    parts.map(({ ingestion }) => (ingestion!.isLast ? sequence : before)),
  );
  expect(parts.flatMap(({ operations }) => operations)).toEqual(
    entries(1000).map(([name, value]) => ({ type: 'put', keyspace: 'texts', key: name, value })),
  );
});

test('who stops in the middle of one sees it from its beginning again', async () => {
  const db = await inMemory();
  const data = texts(db);
  await db.ingest(data, entries(1000));
  await db.sync();
  const feed = db.changes({ since: 'oldest', keyspaces: [data] });
  await feed.next();
  const { value } = (await feed.next()) as { value: Change<string, string> };
  expect(value.ingestion).toEqual({ part: 0, isLast: false });
  feed.close();
  const again = await all(db.changes({ since: value.token, keyspaces: [data] }), db.stats().sequence);
  expect(again.flatMap(({ operations }) => operations)).toHaveLength(1000);
});

test('who closes in the middle of one and goes on at once has it all, whatever becomes of its tables then', async () => {
  const db = await inMemory();
  const data = db.keyspace('texts', small);
  await db.ingest(data, entries(1000));
  await db.sync();
  const first = db.changes({ since: 'oldest', keyspaces: [data] });
  await first.next();
  await first.next();
  const { token } = first;
  first.close();
  const feed = db.changes({ since: token, keyspaces: [data] });
  await compactAway(db);
  await db.sync();
  const shown = await all(feed, token.sequence + 1);
  expect(shown.flatMap(({ operations }) => operations)).toHaveLength(1000);
});

test('one that is ended from outside in the middle of one has no file open then, and no listener', async () => {
  let tables = 0;
  const fs = new (class extends MemoryFs {
    override open(...[path, mode]: Parameters<MemoryFs['open']>): ReturnType<MemoryFs['open']> {
      const file = super.open(path, mode);
      if (!/-\d+\.sst$/.test(path)) return file;
      tables++;
      const close = file.close.bind(file);
      file.close = () => {
        tables--;
        close();
      };
      return file;
    }
  })();
  const retention = { bytes: 128 * 1024, bytesMax: 256 * 1024 };
  const db = await open('/db', { fileSystem: fs, logBytesMax: 64 * 1024, changesRetention: retention });
  onTestFinished(() => db.close());
  const data = db.keyspace('texts', small);
  const ends: [string, (abort: AbortController) => unknown][] = [
    ['ABORTED', (abort) => abort.abort()],
    [
      'CHANGES_TOO_SLOW',
      async () => {
        for (let i = 0; i < 100; i++) data.put(`z ${i}`, 'x'.repeat(8192));
        await db.flush();
        await db.sync();
      },
    ],
    ['CLOSED', () => db.close()],
  ];
  for (const [code, end] of ends) {
    const abort = new AbortController();
    const feed = db.changes({ keyspaces: [data], signal: abort.signal });
    await db.ingest(data, entries(1000));
    await db.sync();
    await feed.next();
    expect([tables, getEventListeners(abort.signal, 'abort').length]).toEqual([1, 1]);
    await end(abort);
    expect([tables, getEventListeners(abort.signal, 'abort').length]).toEqual([0, 0]);
    await expectRefusal(() => feed.next(), code, code === 'ABORTED' ? 'busy' : 'closed');
  }
});

test('keyspaces and range hold for it; where nothing is left of it nothing is shown', async () => {
  const db = await inMemory();
  const data = db.keyspace('texts', small);
  const other = texts(db, 'other');
  const feeds = [
    db.changes({ keyspaces: [data], range: { gte: key(300), lt: key(700) } }),
    db.changes({ keyspaces: [data], range: { gte: key(5000) } }),
    db.changes({ keyspaces: [other] }),
  ];
  await db.ingest(data, entries(1000));
  const last = data.put(key(400), 'end');
  await db.sync();
  const [some, none, others] = await Promise.all(
    feeds.map(async (feed) => {
      const shown: Change<string, string>[] = [];
      const waiting = (async () => {
        for await (const change of feed) shown.push(change);
      })();
      while (feed.token.sequence < last) await new Promise((resolve) => setImmediate(resolve));
      feed.close();
      await waiting.catch(() => undefined);
      return shown.flatMap(({ operations }) =>
        operations.map((operation) => (operation as { key: string }).key),
      );
    }),
  );
  expect(some).toEqual([
    ...entries(1000)
      .slice(300, 700)
      .map(([name]) => name),
    key(400),
  ]);
  expect([none, others]).toEqual([[], []]);
});

test('times to live are told', async () => {
  const db = await inMemory({ keyspaceDefaults: { ttlMs: 60_000 } });
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  await db.ingest(data, entries(3));
  await db.sync();
  const { value } = (await feed.next()) as { value: Change<string, string> };
  for (const operation of value.operations) {
    const { expiresAt } = operation as { expiresAt: number };
    expect(Math.abs(expiresAt - value.time! - 60_000)).toBeLessThan(5000);
  }
});

test('for a feed that is open, or opened before they are gone, tables are kept when they are compacted away', async () => {
  const fs = new MemoryFs();
  const db = await open('/db', { fileSystem: fs });
  onTestFinished(() => db.close());
  const data = db.keyspace('texts', small);
  const links = (): number => fs.list('/db').filter((name) => /-\d+\.sst$/.test(name)).length;
  const [before] = [db.changes({ keyspaces: [data] })];
  await db.ingest(data, entries(1000));
  expect(links()).toBeGreaterThan(0);
  const late = db.changes({ since: before.token, keyspaces: [data] });
  await compactAway(db);
  await db.sync();
  for (const feed of [before, late]) {
    const shown: string[] = [];
    for await (const { operations, ingestion } of feed) {
      for (const operation of operations) if (operation.type === 'put') shown.push(operation.value);
      if (ingestion?.isLast === true) break;
    }
    expect(shown).toEqual(entries(1000).map(([, value]) => value));
  }
  await compactAway(db);
  expect(links()).toBe(0);
});

test('a feed that begins later keeps them from then on', async () => {
  const db = await inMemory();
  const data = db.keyspace('texts', small);
  const { sequence } = await db.ingest(data, entries(1000));
  const feed = db.changes({ since: sequence - 1, keyspaces: [data] });
  await compactAway(db);
  await db.sync();
  expect((await all(feed, sequence)).flatMap(({ operations }) => operations)).toHaveLength(1000);
});

test('with retention they are kept over a restart', async () => {
  const directory = temporaryDirectory();
  const options = { changesRetention: { bytes: 64 * 1024 ** 2 } };
  let db = await open(directory, options);
  const { sequence } = await db.ingest(db.keyspace('texts', small), entries(1000));
  await compactAway(db);
  await db.close();
  db = await open(directory, options);
  onTestFinished(() => db.close());
  const data = db.keyspace('texts', small);
  const changes = await all(db.changes({ since: 'oldest', keyspaces: [data] }), sequence);
  expect(changes.flatMap(({ operations }) => operations).slice(1)).toEqual(
    entries(1000).map(([name, value]) => ({ type: 'put', keyspace: 'texts', key: name, value })),
  );
  expect(readdirSync(directory).some((name) => /-\d+\.sst$/.test(name))).toBe(true);
});

test('what nobody kept is said to be gone, with the token to go on from', async () => {
  const fs = new MemoryFs();
  const db = await open('/db', { fileSystem: fs });
  onTestFinished(() => db.close());
  const data = db.keyspace('texts', small);
  const start = db.stats().sequence;
  const { sequence } = await db.ingest(data, entries(1000));
  const brought = fs.list('/db').filter((name) => name.endsWith('.sst'));
  await compactAway(db);
  await db.sync();
  // Files go in the background.
  while (fs.list('/db').some((name) => brought.includes(name)))
    await new Promise((resolve) => setImmediate(resolve));
  const feed = db.changes({ since: start, keyspaces: [data] });
  const error = await expectRefusal(() => feed.next(), 'INGESTION_GONE', 'invalid', {
    keyspace: 'texts',
    sequence,
    next: { incarnation: 1, sequence },
  });
  const next = db.changes({
    since: error.context['next'] as { incarnation: number; sequence: number },
    keyspaces: [data],
  });
  expect((await next.next()).value).toMatchObject({ sequence: sequence + 1 });
});

test('what is kept of tables is part of bytesMax', async () => {
  const db = await inMemory({ changesRetention: { bytesMax: 64 * 1024 } });
  const data = db.keyspace('texts', small);
  const feed = db.changes({ keyspaces: [data] });
  await db.ingest(data, entries(1000, 'x'.repeat(200)));
  for (let i = 0; i < 1000; i++) data.put(key(i), 'later');
  await db.flush();
  await db.compact();
  await db.sync();
  await expectRefusal(
    async () => {
      for await (const _ of feed);
    },
    'INGESTION_GONE',
    'invalid',
  );
});
