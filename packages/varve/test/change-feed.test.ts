/** What a change feed shows: committed batches, in order, whole, as the keyspaces' own types or as bytes. */
import { type Change, type ChangeFeed, json, open, utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { bytes, inMemory, texts } from './in-memory.ts';
import { temporaryDirectory } from './temp-directory.ts';
import { turnsDuring } from './turns.ts';

/** The next changes. */
async function take<K, V>(feed: ChangeFeed<K, V>, count: number): Promise<Change<K, V>[]> {
  const taken: Change<K, V>[] = [];
  while (taken.length < count) taken.push((await feed.next()).value as Change<K, V>);
  return taken;
}

test('every batch is a change, with its sequence, its time and its operations in the order of the calls', async () => {
  const db = await inMemory();
  const users = db.keyspace('users', { key: utf8, value: json<{ name: string }>() });
  const counts = texts(db, 'counts');
  const feed = db.changes({ durability: 'os', keyspaces: [users, counts] });
  const first = users.put('ada', { name: 'Ada' });
  const batch = db.batch();
  batch.put(users, 'bob', { name: 'Bob' }).delete(users, 'ada').put(counts, 'users', '1');
  batch.deleteRange(users, { gte: 'x', lt: 'z' });
  const second = db.write(batch);
  await db.sync('os');
  const [one, two] = await take(feed, 2);
  expect(one).toMatchObject({
    sequence: first,
    operations: [{ type: 'put', keyspace: 'users', key: 'ada', value: { name: 'Ada' } }],
  });
  expect(one!.token).toEqual({ incarnation: 1, sequence: first });
  expect(Math.abs(one!.time! - Date.now())).toBeLessThan(60_000);
  expect(two!.sequence).toBe(second);
  expect(two!.operations).toEqual([
    { type: 'put', keyspace: 'users', key: 'bob', value: { name: 'Bob' } },
    { type: 'delete', keyspace: 'users', key: 'ada' },
    { type: 'put', keyspace: 'counts', key: 'users', value: '1' },
    { type: 'deleteRange', keyspace: 'users', range: { gte: 'x', lt: 'z' } },
  ]);
});

test('a transaction is one change', async () => {
  const db = await inMemory();
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  await db.transaction((tx) => {
    tx.put(data, 'a', '1');
    tx.put(data, 'b', '2');
    tx.delete(data, 'c');
  });
  await db.sync();
  const [change] = await take(feed, 1);
  expect(change!.operations.map(({ type }) => type)).toEqual(['put', 'put', 'delete']);
});

test('a prepared transaction is shown when it is committed, at that sequence, and never when it is rolled back', async () => {
  const db = await inMemory();
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  for (const id of ['one', 'two']) {
    const tx = db.begin();
    tx.put(data, id, 'prepared');
    tx.delete(data, `not ${id}`);
    await tx.prepare(id);
  }
  data.put('between', 'shown before');
  db.rollbackPrepared('two');
  const sequence = db.commitPrepared('one');
  await db.begin().prepare('nothing');
  db.commitPrepared('nothing');
  const last = data.put('after', 'shown after');
  await db.sync();
  const shown = await take(feed, 3);
  expect(shown.map((change) => change.sequence)).toEqual([sequence - 2, sequence, last]);
  expect(shown[1]!.operations).toEqual([
    { type: 'put', keyspace: 'texts', key: 'one', value: 'prepared' },
    { type: 'delete', keyspace: 'texts', key: 'not one' },
  ]);
});

test('how much of its past a keyspace keeps is not shown', async () => {
  const db = await inMemory();
  const feed = db.changes();
  const data = db.keyspace('texts', { key: utf8, value: utf8, retention: { ms: 60_000 } });
  const sequence = data.put('k', 'v');
  await db.sync();
  const shown = await take(feed, 2);
  expect(shown.map(({ operations }) => operations[0]!.type)).toEqual(['createKeyspace', 'put']);
  expect(shown[1]!.sequence).toBe(sequence);
});

test('without keyspaces, and for names, keys and values are bytes of the caller', async () => {
  const db = await inMemory();
  const data = texts(db);
  const all = db.changes();
  const named = db.changes({ keyspaces: ['texts'] });
  data.put('key', 'value');
  data.put('key2', 'value2');
  await db.sync();
  for (const feed of [all, named]) {
    const [one, two] = await take(feed, 2);
    const [operation] = one!.operations;
    expect(operation).toEqual({
      type: 'put',
      keyspace: 'texts',
      key: bytes('key'),
      value: bytes('value'),
    });
    if (operation!.type === 'put') operation!.key.fill(0);
    expect(two!.operations[0]).toMatchObject({ key: bytes('key2'), value: bytes('value2') });
  }
});

test('a put with a time to live says when it expires', async () => {
  const db = await inMemory();
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  data.put('k', 'v', { ttlMs: 60_000 });
  await db.sync();
  const [change] = await take(feed, 1);
  expect(change!.operations).toEqual([
    { type: 'put', keyspace: 'texts', key: 'k', value: 'v', expiresAt: change!.time! + 60_000 },
  ]);
});

test('keyspaces that are created and dropped are shown, and what was in them before', async () => {
  const db = await inMemory();
  const feed = db.changes();
  texts(db, 'old').put('k', 'v');
  await db.dropKeyspace('old');
  texts(db, 'old').put('k', 'w');
  await db.sync();
  const shown = (await take(feed, 5)).map(({ operations }) => operations);
  expect(shown[0]).toEqual([
    { type: 'createKeyspace', keyspace: 'old', keyCodec: 'utf8', valueCodec: 'utf8' },
  ]);
  expect(shown[1]).toMatchObject([{ type: 'put', keyspace: 'old' }]);
  expect(shown[2]).toEqual([{ type: 'dropKeyspace', keyspace: 'old' }]);
  expect(shown.slice(3).map(([operation]) => operation!.type)).toEqual(['createKeyspace', 'put']);
});

test('what was written to a keyspace that is gone by now has its name', async () => {
  const directory = temporaryDirectory();
  const db = await open(directory, { changesRetention: { bytes: 1024 ** 2 } });
  texts(db, 'gone').put('k', 'v');
  await db.dropKeyspace('gone');
  // Also when the record that drops it is not in the file yet.
  const names = (changes: Change[]): string[] => changes.map(({ operations }) => operations[0]!.keyspace);
  expect(names(await take(db.changes({ since: 'oldest' }), 3))).toEqual(['gone', 'gone', 'gone']);
  await db.close();
  const again = await open(directory, { changesRetention: { bytes: 1024 ** 2 } });
  onTestFinished(() => again.close());
  expect(names(await take(again.changes({ since: 'oldest' }), 3))).toEqual(['gone', 'gone', 'gone']);
});

test('a name means every keyspace that gets it', async () => {
  const db = await inMemory();
  texts(db).put('a', '1');
  const feed = db.changes({ keyspaces: ['texts'] });
  await db.dropKeyspace('texts');
  texts(db).put('b', '2');
  await db.sync();
  const types = (await take(feed, 3)).map(({ operations }) => operations[0]!.type);
  expect(types).toEqual(['dropKeyspace', 'createKeyspace', 'put']);
});

test('a feed of keyspaces that are all dropped ends behind that', async () => {
  const db = await inMemory();
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data], since: 'oldest' });
  data.put('a', '1');
  await db.dropKeyspace('texts');
  await db.sync();
  const types: string[] = [];
  for await (const { operations } of feed) types.push(operations[0]!.type);
  expect(types).toEqual(['createKeyspace', 'put', 'dropKeyspace']);
  expect(db.stats().changes.feeds).toBe(0);
});

test('keyspaces and range leave out operations, and batches of which nothing is left; the token goes on', async () => {
  const db = await inMemory();
  const data = texts(db);
  const other = texts(db, 'other');
  const feed = db.changes({ keyspaces: [data], range: { gte: 'b', lt: 'd' } });
  other.put('b', 'no');
  data.put('a', 'no');
  const batch = db
    .batch()
    .put(data, 'a', 'no')
    .put(data, 'b', 'yes')
    .put(other, 'c', 'no')
    .put(data, 'd', 'no');
  const sequence = db.write(batch);
  const last = data.put('z', 'no');
  await db.sync();
  const [change] = await take(feed, 1);
  expect(change).toMatchObject({
    sequence,
    operations: [{ type: 'put', keyspace: 'texts', key: 'b', value: 'yes' }],
  });
  const more = feed.next();
  await new Promise((resolve) => setImmediate(resolve));
  expect(feed.token).toEqual({ incarnation: 1, sequence: last });
  data.put('c', 'yes');
  await db.sync();
  expect((await more).value).toMatchObject({ operations: [{ key: 'c' }] });
});

test('a range of one keyspace has its keys, any other has bytes; a range delete that meets it is shown whole', async () => {
  const db = await inMemory();
  const data = texts(db);
  const other = texts(db, 'other');
  const feeds = [
    db.changes({ keyspaces: [data, other], range: { prefix: bytes('c') } }),
    db.changes({ keyspaces: ['texts'], range: { prefix: bytes('c') } }),
    db.changes({ range: { gt: bytes('b'), lte: bytes('c') } }),
    db.changes<string, string>({ keyspaces: [data], range: { gt: 'b', lte: 'c' } }),
  ];
  data.deleteRange({ gte: 'a', lt: 'b' });
  data.deleteRange({ gte: 'd', lt: 'e' });
  const sequence = data.deleteRange({ gte: 'a', lt: 'c1' });
  await db.sync();
  for (const feed of feeds) {
    const [change] = await take(feed as ChangeFeed<unknown, unknown>, 1);
    expect(change!.sequence).toBe(sequence);
    const [operation] = change!.operations;
    const gte = (operation as { range: { gte: unknown } }).range.gte;
    expect(gte instanceof Uint8Array ? gte : bytes(String(gte))).toEqual(bytes('a'));
  }
});

test('nothing is shown before it has reached the class', async () => {
  const db = await inMemory({ sync: 'manual' });
  const data = texts(db);
  await db.sync();
  const [disk, os] = [db.changes(), db.changes({ durability: 'os' })];
  data.put('k', 'v');
  const isPending = async (promise: Promise<unknown>): Promise<boolean> =>
    (await Promise.race([promise, new Promise((resolve) => setImmediate(() => resolve('pending')))])) ===
    'pending';
  const onDisk = disk.next();
  const handedOver = os.next();
  db.syncNow('os');
  expect((await handedOver).value).toMatchObject({ operations: [{ type: 'put' }] });
  expect(await isPending(onDisk)).toBe(true);
  db.syncNow('disk');
  expect((await onDisk).value).toMatchObject({ operations: [{ type: 'put' }] });
});

test('changes that come while the feed waits wake it; several waiting calls get one each, in order', async () => {
  const db = await inMemory();
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  const waiting = [feed.next(), feed.next(), feed.next()];
  for (const key of ['a', 'b', 'c']) data.put(key, key);
  await db.sync();
  const keys = (await Promise.all(waiting)).map(
    ({ value }) => ((value as Change<string>).operations[0] as { key: string }).key,
  );
  expect(keys).toEqual(['a', 'b', 'c']);
});

test('large values and batches come whole', async () => {
  const db = await inMemory();
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  const large = 'x'.repeat(3 * 1024 * 1024);
  data.put('large', large);
  const batch = db.batch();
  for (let i = 0; i < 20_000; i++) batch.put(data, `key ${i}`, `value ${i}`);
  db.write(batch);
  data.put('small', 'y');
  await db.sync();
  const [one, two, three] = await take(feed, 3);
  expect((one!.operations[0] as { value: string }).value === large).toBe(true);
  expect(two!.operations).toHaveLength(20_000);
  expect(two!.operations.at(-1)).toMatchObject({ key: 'key 19999', value: 'value 19999' });
  expect(three!.operations).toMatchObject([{ key: 'small', value: 'y' }]);
});

test('an initial copy and what follows it: a snapshot, then the changes behind it', async () => {
  const db = await inMemory();
  const data = texts(db);
  for (let i = 0; i < 100; i++) data.put(`key ${i % 40}`, `value ${i}`);
  const copy = new Map<string, string>();
  const snapshot = db.snapshot();
  const feed = db.changes({ since: snapshot.sequence, keyspaces: [data] });
  expect(feed.token).toEqual({ incarnation: db.stats().incarnation, sequence: snapshot.sequence });
  data.put('key 1', 'new');
  data.delete('key 2');
  data.deleteRange({ gte: 'key 30', lt: 'key 35' });
  for (const [key, value] of snapshot.range(data)) copy.set(key, value);
  snapshot.close();
  await db.sync();
  for (const { operations } of await take(feed, 3)) {
    for (const operation of operations) {
      if (operation.type === 'put') copy.set(operation.key, operation.value);
      else if (operation.type === 'delete') copy.delete(operation.key);
      else if (operation.type === 'deleteRange') {
        const { gte, lt } = operation.range;
        for (const key of copy.keys()) if (key >= gte && key < lt) copy.delete(key);
      }
    }
  }
  expect(copy).toEqual(new Map(data.range()));
});

test('the event loop turns while a feed catches up, and other writes go on', async () => {
  const db = await inMemory();
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  for (let i = 0; i < 10_000; i++) data.put(`key ${i}`, 'value');
  await db.sync();
  const turns = await turnsDuring(() => take(feed, 10_000));
  expect(turns).toBeGreaterThanOrEqual(9);
});

test('without stored times a change has none', async () => {
  const db = await inMemory({ timestamps: false });
  const data = texts(db);
  const feed = db.changes({ keyspaces: [data] });
  data.put('k', 'v');
  await db.sync();
  expect((await take(feed, 1))[0]!.time).toBeUndefined();
});
