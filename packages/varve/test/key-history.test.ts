/** The versions of a key: what is shown is what the retention promises, whatever was compacted. */
import { describe, expect, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { past, settle } from './time-travel-world.ts';
import { START } from './ttl-world.ts';

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

  test('by count are the newest of a key that is there, deletes between them, and survive compaction', async () => {
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
    expect(shown()).toEqual(['5', undefined, '4']);
    await settle(db);
    expect(shown()).toEqual(['5', undefined, '4']);
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

  test('take a limit and nothing else', async () => {
    const { data } = await past();
    for (const options of [{ limit: 0 }, { limit: 1.5 }, { since: 1 }, null, 5]) {
      await expectRefusal(() => data.history('a', options as never), 'OPTION_INVALID', 'invalid');
    }
  });
});
