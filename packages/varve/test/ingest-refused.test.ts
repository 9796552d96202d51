/** Ingestions that do not come to their end: nothing of them is visible, and no file is left. */
import { readdirSync } from 'node:fs';
import { type Database, type Keyspace, open, utf8 } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { key } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const tables = (path: string): string[] => readdirSync(path).filter((name) => name.endsWith('.sst'));

function* many(count: number, end: () => unknown = () => undefined): Generator<[string, string]> {
  for (let i = 0; i < count; i++) yield [key(i), `${i} ${'v'.repeat(200)}`];
  end();
}

async function world(): Promise<{ db: Database; data: Keyspace<string, string>; path: string }> {
  const path = temporaryDirectory();
  const db = await open(path);
  onTestFinished(() => db.close());
  const data = texts(db);
  data.put('here', 'before');
  return { db, data, path };
}

/** Nothing was done, and everything goes on. */
async function expectUntouched(db: Database, data: Keyspace<string, string>, path: string): Promise<void> {
  expect([...data.range()]).toEqual([['here', 'before']]);
  expect(tables(path)).toEqual([]);
  expect(db.stats().sequence).toBe(2);
  const report = await db.ingest(data, many(3));
  expect(report).toMatchObject({ sequence: 3, entries: 3, files: 1 });
  expect(tables(path)).toHaveLength(1);
}

test('keys out of order, or twice, are refused with both and their position', async () => {
  const { db, data, path } = await world();
  for (const last of ['a', 'b', '']) {
    const entries: [string, string][] = [
      ['a', ''],
      ['b', ''],
      [last, ''],
    ];
    const error = await expectRefusal(() => db.ingest(data, entries), 'INGEST_NOT_SORTED', 'invalid', {
      keyspace: 'texts',
      position: 2,
      key: JSON.stringify(last),
      previousKey: '"b"',
    });
    expect(error.message).toContain(`entry 2 has ${JSON.stringify(last)} behind "b"`);
  }
  const late = (function* (): Generator<[string, string]> {
    yield* many(150_000);
    yield [key(7), 'again'];
  })();
  await expectRefusal(() => db.ingest(data, late), 'INGEST_NOT_SORTED', 'invalid', { position: 150_000 });
  await expectUntouched(db, data, path);
});

test('a source that throws, now or later, ends it with its own error', async () => {
  const { db, data, path } = await world();
  const failure = new Error('the source has failed');
  const thrown = (): never => {
    throw failure;
  };
  await expect(db.ingest(data, many(0, thrown))).rejects.toBe(failure);
  await expect(db.ingest(data, many(150_000, thrown))).rejects.toBe(failure);
  async function* rejects(): AsyncGenerator<[string, string]> {
    yield ['a', 'b'];
    await Promise.reject(failure);
  }
  await expect(db.ingest(data, rejects())).rejects.toBe(failure);
  await expectUntouched(db, data, path);
});

test('what is no pair, no key or no value is refused, and the source is told to end', async () => {
  const { db, data, path } = await world();
  let ended = 0;
  function* source(last: unknown): Generator<[string, string]> {
    try {
      yield ['a', 'b'];
      yield last as [string, string];
    } finally {
      ended++;
    }
  }
  await expectRefusal(() => db.ingest(data, source('ab')), 'ENTRY_INVALID', 'invalid', { position: 1 });
  await expectRefusal(() => db.ingest(data, source(['b'])), 'ENTRY_INVALID', 'invalid', { position: 1 });
  await expectRefusal(() => db.ingest(data, source([7, 'v'])), 'KEY_INVALID', 'invalid');
  await expectRefusal(() => db.ingest(data, source(['b', 7])), 'VALUE_INVALID', 'invalid');
  await expectRefusal(() => db.ingest(data, source(['b'.repeat(70_000), ''])), 'KEY_TOO_LARGE', 'invalid');
  expect(ended).toBe(5);
  const broken = [
    { [Symbol.iterator]: () => ({}) },
    { [Symbol.iterator]: () => ({ next: () => undefined }) },
    { [Symbol.asyncIterator]: () => null },
    { [Symbol.asyncIterator]: () => ({ next: () => 7 }) },
  ];
  for (const wrong of [undefined, null, 7, {}, ...broken]) {
    await expectRefusal(() => db.ingest(data, wrong as never), 'ENTRIES_INVALID', 'invalid');
  }
  await expectUntouched(db, data, path);
});

test('options are checked by name', async () => {
  const { db, data } = await world();
  for (const wrong of [{ sorted: true }, { signal: 'no' }, null, 7]) {
    await expectRefusal(() => db.ingest(data, [], wrong as never), 'OPTION_INVALID', 'invalid');
  }
  await expectRefusal(
    () => db.ingest(data, [], { durability: 'replicated' }),
    'DURABILITY_INVALID',
    'invalid',
  );
  const other = await inMemory();
  await expectRefusal(() => db.ingest(texts(other), []), 'KEYSPACE_FOREIGN', 'invalid');
});

test('given up by its signal, before it begins, while it reads and while it waits for its source', async () => {
  const { db, data, path } = await world();
  const reason = new Error('enough');
  await expectRefusal(
    () => db.ingest(data, many(3), { signal: AbortSignal.abort(reason) }),
    'ABORTED',
    'busy',
    { applied: false },
  );
  const reading = new AbortController();
  const error = await expectRefusal(
    () =>
      db.ingest(
        data,
        many(150_000, () => reading.abort(reason)),
        { signal: reading.signal },
      ),
    'ABORTED',
    'busy',
    { applied: false },
  );
  expect(error.cause).toBe(reason);
  const waiting = new AbortController();
  async function* never(): AsyncGenerator<[string, string]> {
    yield ['a', 'b'];
    setImmediate(() => waiting.abort());
    await new Promise(() => undefined);
  }
  await expectRefusal(() => db.ingest(data, never(), { signal: waiting.signal }), 'ABORTED', 'busy');
  await expectUntouched(db, data, path);
});

test('a database that closes meanwhile ends it, and leaves nothing', async () => {
  const { db, data, path } = await world();
  let closing: Promise<void> | undefined;
  const ingested = db.ingest(
    data,
    many(150_000, () => (closing = db.close())),
  );
  await expectRefusal(() => ingested, 'CLOSED', 'closed');
  await closing;
  expect(tables(path)).toEqual([]);
  const again = await open(path);
  onTestFinished(() => again.close());
  expect([...texts(again).range()]).toEqual([['here', 'before']]);
});

test('a keyspace that is dropped meanwhile ends it', async () => {
  const { db, data, path } = await world();
  let dropping: Promise<void> | undefined;
  const ingested = db.ingest(
    data,
    many(50_000, () => (dropping = db.dropKeyspace('texts'))),
  );
  await expectRefusal(() => ingested, 'KEYSPACE_DROPPED', 'invalid');
  await dropping;
  expect(tables(path)).toEqual([]);
});

test('reading only, or with an outside log, it is refused by name', async () => {
  const path = temporaryDirectory();
  const writer = await open(path);
  texts(writer);
  await writer.close();
  const reader = await open(path, { readOnly: true });
  onTestFinished(() => reader.close());
  await expectRefusal(() => reader.ingest(texts(reader), [['a', 'b']]), 'READ_ONLY', 'invalid');
  const external = await inMemory({ log: 'external' });
  await expectRefusal(() => external.ingest(texts(external), [['a', 'b']]), 'LOG_EXTERNAL', 'invalid');
});

async function faulty(): Promise<{
  fs: FaultFs;
  disk: MemoryFs;
  time: ManualScheduler;
  db: Database;
  data: Keyspace<string, string>;
}> {
  const disk = new MemoryFs();
  const fs = new FaultFs(disk);
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  onTestFinished(() => db.close().catch(() => undefined));
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  data.put('here', 'before');
  db.syncNow();
  await time.settle();
  return { fs, disk, time, db, data };
}

test('a full disk refuses it, whenever it fills up, and nothing is left', async () => {
  for (let free = 0; free < 6000; free += 250) {
    const { fs, disk, time, db, data } = await faulty();
    fs.freeBytes = free;
    let isIn = true;
    try {
      await time.run(db.ingest(data, many(20), { durability: 'memory' }));
    } catch (error) {
      expect(error).toMatchObject({ code: 'DISK_FULL', kind: 'busy' });
      isIn = false;
    }
    expect(data.count()).toBe(isIn ? 21 : 1);
    if (!isIn) expect(disk.list('/db').filter((name) => name.endsWith('.sst'))).toEqual([]);
    fs.heal();
    await time.run(db.close());
    const again = await new ManualScheduler().open('/db', { fileSystem: disk, recovery: 'strict' });
    expect(again.keyspace('data', { key: utf8, value: utf8 }).count()).toBe(isIn ? 21 : 1);
    await again.close();
  }
});

/** Looks at something after each step of the database, before anybody that waits for it goes on. */
class WatchedScheduler extends ManualScheduler {
  look: () => void = () => undefined;

  override soon(task: () => void): void {
    super.soon(() => {
      task();
      this.look();
    });
  }
}

test('given up after it was committed, on a log that fails then, it rejects once and leaves nothing unhandled', async () => {
  const fs = new FaultFs(new MemoryFs());
  const time = new WatchedScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  onTestFinished(() => db.close().catch(() => undefined));
  const data = texts(db);
  await time.run(db.flush());
  // In the way of the ingestion: it is committed in the step that installs the flush.
  data.put('k', 'before');
  const unhandled: unknown[] = [];
  const note = (error: unknown): unknown => unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const abort = new AbortController();
  const before = db.stats().sequence;
  time.look = () => {
    if (db.stats().sequence === before || abort.signal.aborted) return;
    abort.abort();
    fs.add({ kind: 'failedSync', path: /wal$/ });
    data.put('k', 'after');
    expect(() => db.syncNow()).toThrow('could not be synced');
  };
  await expectRefusal(
    () => time.run(db.ingest(data, [['k', 'v']], { signal: abort.signal, durability: 'disk' })),
    'ABORTED',
    'busy',
    { applied: true },
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
});
