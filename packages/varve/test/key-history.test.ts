/** The versions of a key: what is shown is what the retention promises, whatever was compacted. */
import { counter, open, u64, utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { type Past, past, settle } from './time-travel-world.ts';
import { HandClock, START } from './ttl-world.ts';

describe('the versions of a key', () => {
  test('are shown with their times, deletes among them, as far as the window goes', async () => {
    const { db, clock, data } = await past({ ms: 1000 });
    data.put('a', 'before the window');
    const expected = [];
    for (const value of ['1', '2', undefined, '3']) {
      clock.time += 500;
      const sequence = value === undefined ? data.delete('a') : data.put('a', value);
      expected.unshift({ sequence, time: clock.time, isDeleted: value === undefined, value });
    }
    data.put('b', 'another');
    // The window begins at the second one.
    expect(data.history('a')).toEqual(expected.slice(0, 3));
    await settle(db);
    expect(data.history('a')).toEqual(expected.slice(0, 3));
    expect(data.history('a', { limit: 2 })).toEqual(expected.slice(0, 2));
    expect(data.history('nobody')).toEqual([]);
    clock.time += 400;
    data.deleteRange({ gte: 'a', lt: 'b' });
    const [newest] = data.history('a', { limit: 1 });
    expect(newest).toEqual({
      sequence: db.stats().sequence,
      time: clock.time,
      isDeleted: true,
      value: undefined,
    });
    clock.time += 5000;
    expect(data.history('a')).toEqual([]);
  });

  test('are that of now without a retention, whatever is still in tables', async () => {
    const db = await inMemory();
    const data = texts(db);
    data.put('a', '1');
    await db.flush();
    data.put('a', '2');
    expect(data.history('a').map(({ value }) => value)).toEqual(['2']);
    data.delete('a');
    expect(data.history('a')).toEqual([]);
  });

  test('by count are the newest of a key that is there, back to a delete, and survive compaction', async () => {
    const { db, data } = await past({ versions: 3 });
    const shown = (): (string | undefined)[] => data.history('a').map(({ value }) => value);
    for (const value of ['1', '2', '3', '4']) {
      data.put('a', value);
      await db.flush();
    }
    expect(shown()).toEqual(['4', '3', '2']);
    await db.compact();
    expect(shown()).toEqual(['4', '3', '2']);
    expect(db.stats().keyspaces['data']!.entries).toBe(3);
    data.delete('a');
    data.put('a', '5');
    expect(shown()).toEqual(['5']);
    await settle(db);
    expect(shown()).toEqual(['5']);
    data.delete('a');
    expect(shown()).toEqual([]);
    await settle(db);
    expect(db.stats().keyspaces['data']!.entries).toBe(0);
  });

  test('by count end at a range delete', async () => {
    const { db, data } = await past({ versions: 3 });
    data.put('a', '1');
    data.put('b', '1');
    await db.flush();
    data.deleteRange({ gte: 'a', lt: 'b' });
    data.put('a', '2');
    data.put('b', '2');
    const shown = (key: string): (string | undefined)[] => data.history(key).map(({ value }) => value);
    expect(shown('a')).toEqual(['2']);
    expect(shown('b')).toEqual(['2', '1']);
    await settle(db);
    expect(shown('a')).toEqual(['2']);
    expect(shown('b')).toEqual(['2', '1']);
    expect(db.stats().keyspaces['data']!.entries).toBe(3);
  });

  test('by count end at what a job may not know to be replaced', async () => {
    const { db, clock, data } = await past({ versions: 5 });
    const shown = (): (string | undefined)[] => data.history('a').map(({ value }) => value);
    data.put('a', '1');
    data.delete('a');
    const flushed = db.flush();
    data.put('a', '3');
    expect(shown()).toEqual(['3']);
    await flushed;
    expect(shown()).toEqual(['3']);
    data.put('a', '4', { ttlMs: 100 });
    clock.time += 1000;
    data.put('a', '5');
    expect(shown()).toEqual(['5']);
    await settle(db);
    expect(shown()).toEqual(['5']);
  });

  test('by count are those since it was asked for, with the one that was there, whatever jobs run meanwhile', async () => {
    const { db, data } = await past({});
    const shown = (): (string | undefined)[] => data.history('a').map(({ value }) => value);
    for (const value of ['1', '2', '3']) data.put('a', value);
    const flushed = db.flush();
    db.keyspace('data', { retention: { versions: 5 } });
    expect(shown()).toEqual(['3']);
    await flushed;
    expect(shown()).toEqual(['3']);
    data.put('a', '4');
    await settle(db);
    expect(shown()).toEqual(['4', '3']);
  });

  test.each(['a delete', 'a range delete', 'an expiry'])(
    'by count that is turned on bring nothing back from before %s that is gone',
    async (kind) => {
      const { db, clock, data } = await past({});
      data.put('a', 'secret');
      await settle(db);
      if (kind === 'a delete') data.delete('a');
      else if (kind === 'a range delete') data.deleteRange({ gte: 'a', lt: 'b' });
      else data.put('a', 'short', { ttlMs: 1 });
      clock.time += 10;
      data.put('a', 'new');
      await db.flush();
      db.keyspace('data', { retention: { versions: 10 } });
      data.put('a', 'newer');
      expect(data.history('a').map(({ value }) => value)).toEqual(['newer', 'new']);
    },
  );

  test('by a count that was raised are those that the lower one has kept, over a reopening and a crash', async () => {
    let fileSystem = new SimFs();
    const opened = async (): Promise<Past> => {
      const clock = new HandClock();
      const db = await open('/db', { fileSystem, clock, memtableBytesMax: 1024 * 1024 });
      return { db, clock, data: db.keyspace('data', { key: utf8, value: utf8 }) };
    };
    const shown = ({ data }: Past): (string | undefined)[] => data.history('a').map(({ value }) => value);
    let world = await opened();
    world.db.keyspace('data', { retention: { versions: 2 } });
    world.data.put('a', 'secret');
    await settle(world.db);
    world.data.delete('a');
    for (const value of ['1', '2', '3']) world.data.put('a', value);
    await world.db.flush();
    world.db.keyspace('data', { retention: { versions: 5 } });
    expect(shown(world)).toEqual(['3', '2']);
    await world.db.sync('disk');
    fileSystem = fileSystem.crash(new Random(1));
    world = await opened();
    expect(shown(world)).toEqual(['3', '2']);
    world.data.put('a', '4');
    await world.db.close();
    world = await opened();
    expect(shown(world)).toEqual(['4', '3', '2']);
    await settle(world.db);
    expect(shown(world)).toEqual(['4', '3', '2']);
    await world.db.close();
  });

  test('by count that are promised are there after a replay that made tables', async () => {
    let fileSystem = new SimFs();
    const first = await open('/db', { fileSystem });
    const data = first.keyspace('data', { key: utf8, value: utf8 });
    for (let i = 0; i < 5; i++) data.put('a', String(i));
    for (let i = 0; i < 3000; i++) data.put(`fill${i}`, 'x'.repeat(1000));
    first.keyspace('data', { retention: { versions: 5 } });
    const promisedThen = data.history('a').map(({ value }) => value);
    // The manifest does not know of it yet.
    first.syncNow('disk');
    fileSystem = fileSystem.crash(new Random(1));
    const small = { memtableBytesMax: 1024 * 1024, keyspaceDefaults: { memtableBytes: 256 * 1024 } };
    const db = await open('/db', { fileSystem, ...small });
    onTestFinished(() => db.close());
    const again = db.keyspace('data', { key: utf8, value: utf8 });
    expect(again.history('a').map(({ value }) => value)).toEqual(promisedThen);
  });

  test('of merges stand on what had not expired when they were written', async () => {
    const { db, clock } = await past();
    const counts = db.keyspace('counts', {
      key: utf8,
      value: u64,
      mergeOperator: counter,
      retention: { ms: 100_000 },
    });
    counts.put('a', 10, { ttlMs: 1000 });
    counts.merge('a', 1);
    clock.time += 5000;
    counts.merge('a', 5);
    expect(counts.get('a')).toBe(6);
    const shown = (): unknown[] => counts.history('a').map(({ value }) => value);
    expect(shown()).toEqual([6, 11, 10]);
    await settle(db);
    expect(shown()).toEqual([6, 11, 10]);
  });

  test('by count and a merge operator do not go together, also when the count is stored', async () => {
    const { db } = await past({ versions: 3 });
    const options = { mergeOperator: counter };
    await expectRefusal(() => db.keyspace('data', options as never), 'OPTION_INVALID', 'invalid');
  });

  test('say when they expire, and one that has expired is not there', async () => {
    const { db, clock, data } = await past({ ms: 1000, versions: 2 });
    data.put('a', '1');
    data.put('a', '2', { ttlMs: 100 });
    expect(data.history('a')[0]).toMatchObject({ value: '2', expiresAt: START + 100 });
    clock.time += 5000;
    await settle(db);
    expect(data.history('a')).toEqual([]);
  });

  test('have values from blob files', async () => {
    const { db, data } = await past({ ms: 1000 }, { keyspaceDefaults: { blobValueBytes: 64 } });
    const values = ['x', 'y', 'z'].map((letter) => letter.repeat(1000));
    for (const value of values) {
      data.put('a', value);
      await db.flush();
    }
    await db.compact();
    expect(data.history('a').map(({ value }) => value)).toEqual([...values].reverse());
  });

  test('have their times after a pause, all those of a millisecond', async () => {
    const { db, clock, data } = await past({ ms: 100_000 });
    clock.time += 60_000;
    for (const value of ['1', '2', '3']) data.put('a', value);
    const written = clock.time;
    await db.flush();
    clock.time += 20_000;
    data.put('b', '1');
    expect(data.history('a').map(({ time }) => time)).toEqual([written, written, written]);
  });

  test('by count have times as long as something of about then was noted, and no wrong ones', async () => {
    const { db, clock, data } = await past({ versions: 3 });
    const written: number[] = [];
    for (let day = 0; day < 3; day++) {
      clock.time += 86_400_000;
      data.put('a', `${day}`);
      written.unshift(clock.time);
    }
    const times = (): (number | undefined)[] => data.history('a').map(({ time }) => time);
    expect(times()).toEqual(written);
    await db.flush();
    clock.time += 86_400_000;
    data.put('b', '1');
    await db.flush();
    expect(times()).toEqual([undefined, undefined, undefined]);
  });

  test('take a limit and nothing else', async () => {
    const { data } = await past();
    for (const options of [{ limit: 0 }, { limit: 1.5 }, { since: 1 }, null, 5]) {
      await expectRefusal(() => data.history('a', options as never), 'OPTION_INVALID', 'invalid');
    }
  });
});

test('by count they are what a list of everything says, whatever was flushed and compacted', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const { db, clock, data } = await past({ versions: 3 });
    const keys = ['a', 'b', 'c', 'd'];
    const written = new Map<string, string[]>(keys.map((key) => [key, []]));
    for (let step = 0; step < 150; step++) {
      const key = random.pick(keys);
      const choice = random.below(20);
      if (choice < 11) {
        data.put(key, String(step));
        written.get(key)!.push(String(step));
      } else if (choice < 13) {
        // Gone at once for whoever looks next, as a delete.
        data.put(key, 'short', { ttlMs: 1 });
        clock.time += 1;
        written.set(key, []);
      } else if (choice < 15) {
        data.delete(key);
        written.set(key, []);
      } else if (choice < 16) {
        data.deleteRange({ gte: 'b', lt: 'd' });
        written.set('b', []).set('c', []);
      } else if (choice < 19) await db.flush();
      else await db.compact();
      for (const each of keys) {
        const shown = data.history(each).map(({ value }) => value);
        expect({ seed, step, each, shown }).toEqual({
          seed,
          step,
          each,
          shown: written.get(each)!.slice(-3).reverse(),
        });
      }
    }
    await db.close();
  }
});
