/**
 * Ingestion: sorted entries become tables of a keyspace, seen by every kind of read at one sequence, whatever lay at their keys
 * before, and by no reader of an earlier state.
 */
import { type Database, type DatabaseOptions, type Keyspace, open, u64, utf8 } from 'varve';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { inMemory, texts } from './in-memory.ts';
import { key, small } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

type Entry = [string, string];

const entries = (from: number, to: number, value: string): Entry[] =>
  Array.from({ length: to - from }, (_, i) => [key(from + i), `${value} ${from + i}`]);

async function smallDatabase(
  options: DatabaseOptions = {},
): Promise<{ db: Database; data: Keyspace<string, string> }> {
  const db = await inMemory(options);
  return { db, data: db.keyspace('data', small) };
}

/** Every kind of read gives exactly these entries. */
async function expectShown(data: Keyspace<string, string>, expected: readonly Entry[]): Promise<void> {
  const keys = expected.map(([name]) => name);
  expect([...data.range()]).toEqual(expected);
  expect([...data.range({ reverse: true })]).toEqual([...expected].reverse());
  expect(data.getMany(keys)).toEqual(expected.map(([, value]) => value));
  expect(await data.getManyAsync(keys)).toEqual(expected.map(([, value]) => value));
  expect(keys.map((name) => data.get(name))).toEqual(expected.map(([, value]) => value));
  expect(data.count()).toBe(expected.length);
  expect(await data.countAsync({}, { partitions: 3 })).toBe(expected.length);
  const walked: Entry[] = [];
  for await (const entry of data.range()) walked.push(entry);
  expect(walked).toEqual(expected);
  const middle = keys[keys.length >> 1]!;
  expect([...data.range({ gte: middle, limit: 3 })]).toEqual(
    expected.filter(([name]) => name >= middle).slice(0, 3),
  );
  const cursor = data.range().cursor();
  expect(cursor.seek(new TextEncoder().encode(middle))).toBe(true);
  expect(new TextDecoder().decode(cursor.value)).toBe(data.get(middle));
  cursor.close();
}

test('all kinds of reads see what was ingested, on disk and in memory, before and after a new open', async () => {
  const path = temporaryDirectory();
  for (const where of [path, ':memory:']) {
    let db = await open(where);
    let data = db.keyspace('data', small);
    const ingested = entries(0, 3000, 'v');
    const report = await db.ingest(data, ingested);
    expect(report).toMatchObject({ sequence: db.stats().sequence, entries: 3000 });
    expect(report.files).toBeGreaterThan(1);
    await expectShown(data, ingested);
    expect(data.get(key(3000))).toBeUndefined();
    expect((await db.verify()).problems).toEqual([]);
    if (where === path) {
      await db.close();
      db = await open(where);
      data = db.keyspace('data', small);
      await expectShown(data, ingested);
    }
    await db.compact();
    await expectShown(data, ingested);
    await db.close();
  }
});

test('one sequence: a snapshot taken before sees nothing of it, one taken after all', async () => {
  const { db, data } = await smallDatabase();
  data.put(key(5), 'old');
  const before = db.snapshot();
  const old = data.range().cursor();
  const { sequence } = await db.ingest(data, entries(0, 2000, 'new'));
  const after = db.snapshot();
  expect(after.sequence).toBe(sequence);
  expect(before.sequence).toBe(sequence - 1);
  data.put(key(7), 'newest');
  for (const compacted of [false, true]) {
    if (compacted) await db.compact();
    expect([...before.range(data)]).toEqual([[key(5), 'old']]);
    expect(before.getMany(data, [key(4), key(5), key(6)])).toEqual([undefined, 'old', undefined]);
    expect([...before.range(data, { reverse: true })]).toEqual([[key(5), 'old']]);
    expect([...after.range(data)]).toEqual(entries(0, 2000, 'new'));
    expect(data.get(key(7))).toBe('newest');
  }
  expect(old.next()).toBe(true);
  expect(new TextDecoder().decode(old.value)).toBe('old');
  expect(old.next()).toBe(false);
  old.close();
  before.close();
  after.close();
});

describe('what lies at the keys already', () => {
  const older: Record<string, (db: Database, data: Keyspace<string, string>) => Promise<void>> = {
    'is in the memtable': async () => undefined,
    'is in an immutable memtable': async (_, data) => {
      for (let i = 0; i < 300; i++) data.put(`z${i}`, 'filler'.repeat(60));
    },
    'is in level 0': (db) => db.flush(),
    'is in the deepest level': (db) => db.compact(),
    'is in several levels': async (db, data) => {
      await db.compact();
      data.put(key(20), 'middle');
      await db.flush();
      data.put(key(30), 'top');
    },
  };
  for (const [place, move] of Object.entries(older)) {
    test(`is replaced when it ${place}`, async () => {
      const { db, data } = await smallDatabase();
      for (let i = 0; i < 100; i++) data.put(key(i), 'old');
      data.delete(key(50));
      data.deleteRange({ gte: key(60), lt: key(70) });
      await move(db, data);
      await db.ingest(data, entries(10, 90, 'new'));
      data.put(key(11), 'newest');
      data.delete(key(12));
      data.deleteRange({ gte: key(40), lt: key(45) });
      const expected = [
        ...entries(0, 10, '').map(([name]): Entry => [name, 'old']),
        ...entries(10, 90, 'new')
          .filter((_, i) => i !== 2 && (i < 30 || i >= 35))
          .map(([name, value]): Entry => [name, name === key(11) ? 'newest' : value]),
        ...entries(90, 100, '').map(([name]): Entry => [name, 'old']),
      ];
      const shown = (): Entry[] => [...data.range({ lt: key(1000) })];
      expect(shown()).toEqual(expected);
      expect(data.getMany(expected.map(([name]) => name))).toEqual(expected.map(([, value]) => value));
      await db.flush();
      expect(shown()).toEqual(expected);
      await db.compact();
      expect(shown()).toEqual(expected);
      expect((await db.verify()).problems).toEqual([]);
    });
  }

  test('a range tombstone that is older does not hide it, a newer one does', async () => {
    const { db, data } = await smallDatabase();
    data.put(key(1), 'old');
    data.deleteRange({ gte: key(0), lt: key(1000) });
    await db.ingest(data, entries(0, 500, 'new'));
    expect(data.count()).toBe(500);
    data.deleteRange({ gte: key(100), lt: key(200) });
    expect(data.count()).toBe(400);
    expect(data.get(key(100))).toBeUndefined();
    await db.compact();
    expect(data.count()).toBe(400);
  });
});

test('tables go as deep as nothing older is above them', async () => {
  const { db, data } = await smallDatabase();
  const filesByLevel = (): number[] => db.stats().keyspaces['data']!.levels.map(({ files }) => files);
  const levels: number[][] = [];
  db.events.addEventListener('ingest', (event) =>
    levels.push((event as CustomEvent<{ levels: number[] }>).detail.levels),
  );
  await db.ingest(data, entries(0, 10, 'first'));
  expect(filesByLevel()).toEqual([0, 0, 0, 0, 0, 0, 1]);
  await db.ingest(data, entries(5, 15, 'over it'));
  expect(filesByLevel()).toEqual([0, 0, 0, 0, 0, 1, 1]);
  await db.ingest(data, entries(20, 30, 'beside it'));
  expect(filesByLevel()).toEqual([0, 0, 0, 0, 0, 1, 2]);
  data.put(key(0), 'x');
  data.put(key(40), 'x');
  await db.flush();
  await db.ingest(data, entries(20, 30, 'under the bounds of level 0'));
  expect(levels).toEqual([[6], [5], [6], [0]]);
  expect(data.get(key(22))).toBe('under the bounds of level 0 22');
});

test('in level 0 it does not come between what is in tables and what is not yet', async () => {
  const db = await inMemory();
  const data = db.keyspace('data', { ...small, compaction: { strategy: 'tiered', runs: 3 } });
  // A run that is too large to be merged with the small ones: their merges stay in level 0, above it.
  for (let i = 0; i < 200; i++) data.put(`b${key(i)}`, Math.random().toString().repeat(10));
  await db.flush();
  data.put('a', 'old');
  data.put('z', 'old');
  await db.flush();
  data.put('a', 'new');
  const merged = new Promise((resolve) => db.events.addEventListener('compaction', resolve));
  // Inside of the bounds of level 0, which has runs to merge from now on.
  await db.ingest(data, [['m', 'ingested']]);
  await merged;
  await db.flush();
  expect(db.stats().keyspaces['data']!.levels[0]!.files).toBeGreaterThan(1);
  expect(data.get('a')).toBe('new');
  expect([...data.range({ lt: 'b' })]).toEqual([['a', 'new']]);
  expect(data.getMany(['m', 'z'])).toEqual(['ingested', 'old']);
});

test('writes go on meanwhile; those before the commit are replaced, those after it stay', async () => {
  const { db, data } = await smallDatabase();
  async function* source(): AsyncGenerator<Entry> {
    for (const entry of entries(0, 100, 'ingested')) {
      data.put(entry[0], 'written meanwhile');
      await Promise.resolve();
      yield entry;
    }
  }
  await db.ingest(data, source());
  data.put(key(3), 'after');
  expect([...data.range()]).toEqual(
    entries(0, 100, 'ingested').map(([name, value]) => [name, name === key(3) ? 'after' : value]),
  );
});

test('writers that never leave the range are held for a moment, and told why', async () => {
  const time = new ManualScheduler();
  // One step of background work a turn.
  const db = await time.open(':memory:', { pressure: 'fail' }, { sliceMs: 0 });
  onTestFinished(() => db.close());
  const data = texts(db);
  const states: unknown[] = [];
  db.events.addEventListener('pressure', (event) => states.push((event as CustomEvent<unknown>).detail));
  let held = 0;
  let isDone = false;
  const ingested = db.ingest(data, entries(0, 100, 'ingested')).finally(() => (isDone = true));
  let last = '';
  while (!isDone) {
    try {
      data.put(key(5), (last = `written ${Math.random()}`));
    } catch (error) {
      expect(error).toMatchObject({ code: 'BUSY', kind: 'busy', context: { reason: 'ingest' } });
      held++;
    }
    await time.turn();
  }
  const { sequence } = await ingested;
  expect(held).toBeGreaterThan(0);
  expect(states[0]).toEqual({ state: 'fail', reason: 'ingest' });
  expect(db.stats().pressure).toMatchObject({ failed: held });
  expect(sequence).toBeLessThanOrEqual(db.stats().sequence);
  if (db.stats().sequence > sequence) expect(data.get(key(5))).toBe(last);
  expect(data.get(key(6))).toBe('ingested 6');
  data.put(key(5), 'free again');
});

test('an awaited write and one that parks wait until the ingestion has its place', async () => {
  for (const pressure of ['block', 'slow'] as const) {
    const db = await inMemory({ pressure });
    const data = texts(db);
    const ingested = db.ingest(data, entries(0, 100, 'ingested'));
    let isDone = false;
    void ingested.then(() => (isDone = true));
    for (let i = 0; !isDone; i++) {
      data.put(key(5), `parked ${i}`);
      await data.put(key(6), `awaited ${i}`, { durability: 'memory' });
      await new Promise(setImmediate);
    }
    expect(data.get(key(7))).toBe('ingested 7');
  }
});

test('an empty source makes nothing', async () => {
  const { db, data } = await smallDatabase();
  data.put('a', 'b');
  expect(await db.ingest(data, [])).toEqual({ sequence: 1 + 1, entries: 0, files: 0, bytes: 0 });
  expect(db.stats().written.ingest).toBe(0);
});

test('codecs, large values, keys that need more than a chunk, many ingestions at once', async () => {
  const db = await inMemory();
  const numbers = db.keyspace('numbers', { key: u64, value: utf8 });
  const large = 'x'.repeat(20 * 1024 * 1024);
  await db.ingest(
    numbers,
    (function* (): Generator<[number, string]> {
      yield [1, 'one'];
      yield [2, large];
      yield [300, 'after it'];
    })(),
  );
  expect([...numbers.range().keys()]).toEqual([1, 2, 300]);
  expect(numbers.get(2)).toBe(large);
  expect(numbers.get(300)).toBe('after it');
  const data = texts(db);
  const reports = await Promise.all(
    [0, 1, 2, 3].map((part) => db.ingest(data, entries(part * 50, part * 50 + 100, `part ${part}`))),
  );
  const sequences = reports.map(({ sequence }) => sequence).sort((a, b) => a - b);
  expect(new Set(sequences).size).toBe(4);
  expect(sequences.at(-1)).toBe(db.stats().sequence);
  const byKey = new Map<string, string>();
  const inOrder = reports
    .map((report, part) => ({ ...report, part }))
    .sort((a, b) => a.sequence - b.sequence);
  for (const { part } of inOrder) {
    for (const [name, value] of entries(part * 50, part * 50 + 100, `part ${part}`)) byKey.set(name, value);
  }
  expect([...data.range()]).toEqual([...byKey].sort(([a], [b]) => (a < b ? -1 : 1)));
});

test('stats count it, the event tells it, and a checkpoint has it', async () => {
  const path = temporaryDirectory();
  const copy = temporaryDirectory();
  const db = await open(path);
  onTestFinished(() => db.close());
  const data = texts(db);
  const events: unknown[] = [];
  db.events.addEventListener('ingest', (event) => events.push((event as CustomEvent<unknown>).detail));
  const report = await db.ingest(data, entries(0, 1000, 'v'), { durability: 'memory' });
  // Its edit may still be on the way to the manifest.
  await db.checkpoint(copy);
  expect(db.stats().written).toMatchObject({ ingest: report.bytes, user: 0 });
  expect(events).toEqual([
    {
      keyspace: 'texts',
      ...report,
      levels: [6],
      ms: expect.any(Number) as number,
      heldMs: 0,
    },
  ]);
  const other = await open(copy);
  expect(texts(other).count()).toBe(1000);
  await other.close();
});

test('a keyspace of the same turn, and one that the log alone knows', async () => {
  const path = temporaryDirectory();
  const db = await open(path);
  const fresh = texts(db, 'fresh');
  const report = await db.ingest(fresh, entries(0, 10, 'v'));
  expect(report.entries).toBe(10);
  expect(fresh.count()).toBe(10);
  await db.close();
});

test('the event loop turns while much is ingested', async () => {
  const db = await open(temporaryDirectory());
  onTestFinished(() => db.close());
  const data = texts(db);
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  count();
  await db.ingest(data, entries(0, 100_000, 'v'));
  isDone = true;
  expect(turns).toBeGreaterThan(20);
});
