/** The clock that entries expire by: it never runs back, whatever the system's does, also over reopening and crashes. */
import { Random, SimFs } from 'varve/testing';
import { describe, expect, test } from 'vitest';
import { HandClock, KEYS, seen, START, world } from './ttl-world.ts';

test.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -5, 2 ** 60, 'x' as never])(
  'a clock that says %s once is not believed, and goes on from where it was',
  async (wrong) => {
    const { db, clock, short } = await world({ fileSystem: new SimFs() }, new HandClock(), '/db');
    short.put('a', '1');
    clock.time = wrong;
    expect(short.get('a')).toBe('1');
    short.put('b', '2');
    expect(db.stats().timeMs).toBe(START);
    clock.time = START + 500;
    await db.flush();
    expect(await seen(short, KEYS)).toBe('a=1 b=2');
    clock.time = START + 1000;
    expect(await seen(short, KEYS)).toBe('');
  },
);

describe('a clock that is set back', () => {
  test('brings nothing back while the database is open, and new entries live their time', async () => {
    const { db, clock, short } = await world();
    short.put('a', '1');
    clock.time += 1000;
    expect(await seen(short, KEYS)).toBe('');
    clock.time -= 3_600_000;
    expect(await seen(short, KEYS)).toBe('');
    short.put('b', '2');
    const snapshot = db.snapshot();
    expect(await seen(short, KEYS)).toBe('b=2');
    clock.time += 3_600_000;
    // By then the database's clock stands where it stood.
    expect(await seen(short, KEYS)).toBe('b=2');
    clock.time += 999;
    expect(await seen(short, KEYS)).toBe('b=2');
    clock.time += 1;
    expect(await seen(short, KEYS)).toBe('');
    expect(snapshot.get(short, 'b')).toBe('2');
    expect(snapshot.get(short, 'a')).toBeUndefined();
    snapshot.close();
  });

  for (const timestamps of [true, false]) {
    test(`brings nothing back over a reopening, timestamps: ${timestamps}`, async () => {
      const fileSystem = new SimFs();
      const clock = new HandClock();
      const options = { fileSystem, timestamps };
      const first = await world(options, clock, '/db');
      first.short.put('a', '1');
      first.short.put('b', '2', { ttlMs: 5000 });
      clock.time += 1000;
      // Nothing is written after this: the time is only known from a read.
      expect(await seen(first.short, KEYS)).toBe('b=2');
      await first.db.close();
      clock.time -= 3_600_000;
      const second = await world(options, clock, '/db');
      expect(second.db.stats().timeMs).toBe(START + 1000);
      expect(await seen(second.short, KEYS)).toBe('b=2');
      second.short.put('c', '3');
      clock.time += 3_600_000 + 999;
      expect(await seen(second.short, KEYS)).toBe('b=2 c=3');
      clock.time += 1;
      expect(await seen(second.short, KEYS)).toBe('b=2');
      await second.db.close();
      clock.time = START;
      const reader = await world({ ...options, readOnly: true }, clock, '/db');
      expect(await seen(reader.short, KEYS)).toBe('b=2');
    });

    test(`brings nothing back over a crash after a sync or a flush, timestamps: ${timestamps}`, async () => {
      const fileSystem = new SimFs();
      const clock = new HandClock();
      const first = await world({ fileSystem, timestamps }, clock, '/db');
      first.short.put('a', '1');
      clock.time += 1000;
      first.short.put('b', '2');
      if (timestamps) await first.db.sync('disk');
      else await first.db.flush();
      const left = fileSystem.crash(new Random(1));
      clock.time -= 3_600_000;
      const second = await world({ fileSystem: left, timestamps }, clock, '/db');
      expect(await seen(second.short, KEYS)).toBe('b=2');
    });
  }

  test('that was only read for a while is kept all the same', async () => {
    const fileSystem = new SimFs();
    const clock = new HandClock();
    const first = await world({ fileSystem, timestamps: false }, clock, '/db');
    first.short.put('a', '1', { ttlMs: 60_000 });
    await first.db.sync('disk');
    clock.time += 60_000;
    expect(first.short.get('a')).toBeUndefined();
    // The time is stored in the background, by an edit.
    await first.db.flush();
    const left = fileSystem.crash(new Random(1));
    clock.time = START;
    const second = await world({ fileSystem: left, timestamps: false }, clock, '/db');
    expect(second.short.get('a')).toBeUndefined();
  });
});

test('a database that follows a writer judges by the time that the writer has stored', async () => {
  const fileSystem = new SimFs();
  const clock = new HandClock();
  const writer = await world({ fileSystem }, clock, '/db');
  writer.short.put('a', '1');
  writer.short.put('b', '2', { ttlMs: 5000 });
  await writer.db.flush();
  const behind = new HandClock();
  const reader = await world({ fileSystem, readOnly: true }, behind, '/db');
  expect(await seen(reader.short, KEYS)).toBe('a=1 b=2');
  const snapshot = reader.db.snapshot();
  clock.time += 1000;
  await writer.db.compact();
  await reader.db.refresh();
  expect(await seen(reader.short, KEYS)).toBe('b=2');
  expect([...snapshot.range(reader.short)]).toEqual([
    ['a', '1'],
    ['b', '2'],
  ]);
  expect(snapshot.get(reader.short, 'a')).toBe('1');
  snapshot.close();
});
