/**
 * `log: 'external'`: batches come in the order of a log of somebody else, and the database keeps none of its own. What it
 * must keep is one number that is exactly true: the position up to which its data, over all keyspaces, was applied.
 */
import { type Database, type Keyspace, utf8 } from 'varve';
import { Random, SimFs, SimulatedCrash } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';

type Texts = Keyspace<string, string>;
const texts = (db: Database, name: string): Texts => db.keyspace(name, { key: utf8, value: utf8 });

async function opened(fs = new SimFs(), time = new ManualScheduler()): Promise<Database> {
  const db = await time.open('/db', { fileSystem: fs, log: 'external' });
  onTestFinished(async () => {
    if (!fs.stopped) await db.close();
  });
  return db;
}

describe('the ways in', () => {
  test('what would need a log of its own is refused, and nothing is written', async () => {
    const db = await opened();
    const data = texts(db, 'data');
    const batch = db.batch().put(data, 'a', '1');
    const ways = [
      () => data.put('a', '1'),
      () => data.put('a', '1', { durability: 'disk' }),
      () => data.delete('a'),
      () => data.deleteRange({ gte: 'a', lt: 'b' }),
      () => data.putIfAbsent('a', '1'),
      () => data.update('a', () => '1'),
      () => db.write(batch),
      () => db.write(batch, { durability: 'os' }),
    ];
    for (const way of ways) await expectRefusal(way, 'LOG_EXTERNAL', 'invalid');
    expect({ count: data.count(), kept: batch.count, position: db.appliedPosition() }).toEqual({
      count: 0,
      kept: 1,
      position: 0,
    });
  });

  test('applyExternal needs that option', async () => {
    const db = await new ManualScheduler().open('/db', { fileSystem: new SimFs() });
    onTestFinished(() => db.close());
    const batch = db.batch().put(texts(db, 'data'), 'a', '1');
    await expectRefusal(() => db.applyExternal(1, batch), 'LOG_NOT_EXTERNAL', 'invalid');
    expect(batch.count).toBe(1);
  });

  test('positions rise: the same one, a lower one and what is no position are refused', async () => {
    const db = await opened();
    const data = texts(db, 'data');
    db.applyExternal(5, db.batch().put(data, 'a', '1'));
    for (const position of [5, 4, 0, -1, 5.5, Number.NaN, Infinity, 2 ** 53, '6']) {
      await expectRefusal(
        () => db.applyExternal(position as number, db.batch().put(data, 'a', '2')),
        'POSITION_INVALID',
        'invalid',
        { applied: 5 },
      );
    }
    db.applyExternal(9, db.batch().put(data, 'b', '1'));
    db.applyExternal(10, db.batch());
    expect([db.appliedPosition(), [...data.range().keys()]]).toEqual([10, ['a', 'b']]);
  });

  test('a batch that is refused leaves the position where it was, so that it can come again', async () => {
    const time = new ManualScheduler();
    const db = await time.open('/db', {
      fileSystem: new SimFs(),
      log: 'external',
      pressure: 'fail',
      memoryBytesMax: 1024 ** 2,
      batchBytesMax: 64 * 1024,
    });
    onTestFinished(() => db.close());
    const data = texts(db, 'data');
    await expectRefusal(
      () => db.applyExternal(1, db.batch().put(data, 'a', 'x'.repeat(70_000))),
      'BATCH_TOO_LARGE',
      'invalid',
    );
    expect(db.appliedPosition()).toBe(0);
    let position = 0;
    const value = 'x'.repeat(20_000);
    // Without a turn of the event loop nothing is flushed, so the memtables fill up.
    for (;;) {
      const batch = db.batch().put(data, `k${position}`, value);
      try {
        db.applyExternal(position + 1, batch);
        position++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'BUSY', kind: 'busy' });
        expect({ applied: db.appliedPosition(), count: batch.count }).toEqual({
          applied: position,
          count: 1,
        });
        await time.settle();
        db.applyExternal(position + 1, batch);
        break;
      }
    }
    expect(data.count()).toBe(position + 1);
  });
});

describe('what survives', () => {
  test('what was flushed, with its position, and no log file is ever written', async () => {
    const fs = new SimFs();
    const logs: string[] = [];
    fs.onOperation = (_operation, path) => void (path.endsWith('.wal') && logs.push(path));
    const time = new ManualScheduler();
    const db = await opened(fs, time);
    const a = texts(db, 'a');
    const b = texts(db, 'b');
    db.applyExternal(1, db.batch().put(a, 'x', '1').put(b, 'x', '1'));
    db.applyExternal(2, db.batch().put(b, 'y', '2'));
    await time.run(db.flush());
    db.applyExternal(3, db.batch().put(a, 'x', '3').delete(b, 'x'));
    expect(db.appliedPosition()).toBe(3);
    const left = fs.crash(new Random(1), { data: 'nothing', names: 'nothing' });
    const again = await opened(left);
    expect(again.appliedPosition()).toBe(2);
    expect([...texts(again, 'a').range()]).toEqual([['x', '1']]);
    expect([...texts(again, 'b').range()]).toEqual([
      ['x', '1'],
      ['y', '2'],
    ]);
    again.applyExternal(3, again.batch().put(texts(again, 'a'), 'x', '3'));
    expect(again.appliedPosition()).toBe(3);
    expect({ logs, listed: left.list('/db').filter((name) => name.endsWith('.wal')) }).toEqual({
      logs: [],
      listed: [],
    });
  });

  test('sync says which sequence is safe: the one that is in tables', async () => {
    const time = new ManualScheduler();
    const db = await opened(new SimFs(), time);
    const data = texts(db, 'data');
    db.applyExternal(1, db.batch().put(data, 'a', '1'));
    await time.run(db.flush());
    const flushed = db.stats().sequence;
    db.applyExternal(2, db.batch().put(data, 'b', '2'));
    expect(await time.run(db.sync())).toBe(flushed);
    expect(db.syncNow()).toBe(flushed);
    await time.run(db.flush());
    expect(db.syncNow()).toBe(flushed + 1);
  });

  test('reading only, the position is that of the tables', async () => {
    const fs = new SimFs();
    const time = new ManualScheduler();
    const db = await opened(fs, time);
    db.applyExternal(7, db.batch().put(texts(db, 'data'), 'a', '1'));
    await time.run(db.flush());
    const reader = await new ManualScheduler().open('/db', {
      fileSystem: fs,
      log: 'external',
      readOnly: true,
    });
    expect([reader.appliedPosition(), texts(reader, 'data').get('a')]).toEqual([7, '1']);
    await expectRefusal(
      () => reader.applyExternal(8, reader.batch().put(texts(reader, 'data'), 'b', '1')),
      'READ_ONLY',
      'invalid',
    );
    await reader.close();
  });
});

/** One entry of the outside log. */
interface Entry {
  readonly keyspace: string;
  readonly kind: 'put' | 'delete' | 'deleteRange';
  readonly key: string;
  readonly to: string;
  readonly value: string;
}

const names = ['a', 'b', 'c'];

function randomLog(random: Random, length: number): Entry[][] {
  const key = (): string => `k${String(random.below(40)).padStart(2, '0')}`;
  return Array.from({ length }, (_, position) =>
    Array.from({ length: 1 + random.below(4) }, () => {
      const kind = random.oneIn(12) ? 'deleteRange' : random.oneIn(5) ? 'delete' : 'put';
      const [from, to] = [key(), key()].sort() as [string, string];
      return {
        keyspace: random.pick(names),
        kind,
        key: from,
        to,
        value: `${position}:`.repeat(random.below(300)),
      };
    }),
  );
}

/** What the keyspaces hold after the first `length` batches. */
function stateAfter(log: readonly Entry[][], length: number): Record<string, [string, string][]> {
  const state = new Map(names.map((name) => [name, new Map<string, string>()]));
  for (const { keyspace, kind, key, to, value } of log.slice(0, length).flat()) {
    const entries = state.get(keyspace)!;
    if (kind === 'put') entries.set(key, value);
    else if (kind === 'delete') entries.delete(key);
    else for (const each of entries.keys()) if (each >= key && each < to) entries.delete(each);
  }
  return Object.fromEntries([...state].map(([name, entries]) => [name, [...entries].sort(byKey)]));
}

const byKey = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1);

function stateOf(db: Database): Record<string, [string, string][]> {
  return Object.fromEntries(names.map((name) => [name, [...texts(db, name).range()]]));
}

function apply(db: Database, position: number, entries: readonly Entry[]): void {
  const batch = db.batch();
  for (const { keyspace, kind, key, to, value } of entries) {
    const into = texts(db, keyspace);
    if (kind === 'put') batch.put(into, key, value);
    else if (kind === 'delete') batch.delete(into, key);
    else batch.deleteRange(into, { gte: key, lt: to });
  }
  db.applyExternal(position, batch);
}

describe('crashes', () => {
  for (let seed = 1; seed <= 6; seed++) {
    test(`after each the data is exactly that of the position, and replay from there completes it (seed ${seed})`, async () => {
      const random = new Random(seed);
      const log = randomLog(random, 200);
      let fs = new SimFs();
      let furthest = 0;
      for (let life = 0; life < 12; life++) {
        const time = new ManualScheduler();
        let left = life === 11 ? Infinity : 5 + random.below(50);
        fs.onOperation = () => {
          if (--left < 0) throw new SimulatedCrash();
        };
        try {
          const options = {
            fileSystem: fs,
            log: 'external',
            memoryBytesMax: 4 * 1024 ** 2,
            keyspaceDefaults: { memtableBytes: 64 * 1024, tableBytes: 16 * 1024 },
          } as const;
          const db = await time.open('/db', options, { sliceMs: 0 });
          const applied = db.appliedPosition();
          expect(applied).toBeLessThanOrEqual(furthest);
          for (const name of names) texts(db, name);
          expect(stateOf(db)).toEqual(stateAfter(log, applied));
          for (let position = applied + 1; position <= log.length; position++) {
            apply(db, position, log[position - 1]!);
            furthest = Math.max(furthest, position);
            if (random.oneIn(12)) void db.flush().catch(() => undefined);
            if (random.oneIn(90)) void db.compact().catch(() => undefined);
            for (let turns = random.below(6); turns > 0; turns--) await time.turn();
            if (fs.stopped) throw new SimulatedCrash();
          }
          expect(stateOf(db)).toEqual(stateAfter(log, log.length));
          await time.run(db.flush());
          await db.close();
          expect(life).toBe(11);
        } catch (error) {
          if (!fs.stopped) throw error;
        }
        fs.onOperation = undefined;
        fs = random.oneIn(3) ? fs.crashProcess() : fs.crash(random);
      }
      const db = await opened(fs);
      expect(db.appliedPosition()).toBe(log.length);
      expect(stateOf(db)).toEqual(stateAfter(log, log.length));
    });
  }
});

test('entries that expire live from when their batch is applied here, also over a crash', async () => {
  const fs = new SimFs();
  const time = new ManualScheduler();
  const db = await opened(fs, time);
  const data = texts(db, 'data');
  const batch = db.batch().put(data, 'a', '1', { ttlMs: 1000 }).put(data, 'b', '2', { ttlMs: 5000 });
  await time.advance(10_000);
  db.applyExternal(7, batch);
  await time.advance(999);
  expect(data.getMany(['a', 'b'])).toEqual(['1', '2']);
  await time.advance(1);
  expect(data.getMany(['a', 'b'])).toEqual([undefined, '2']);
  await time.run(db.flush());
  // The clock of the next machine begins long before.
  const again = await opened(fs.crash(new Random(1)));
  expect(again.appliedPosition()).toBe(7);
  expect(texts(again, 'data').getMany(['a', 'b'])).toEqual([undefined, '2']);
});
