/**
 * Entries that expire, as every open database has them: one suite over all file systems and over a handle of another thread.
 * Time is that of the system and what the test adds to it.
 */
import { type Database, type Keyspace, open, utf8 } from 'varve';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DatabaseUnderTest } from './database.suite.ts';
import { movedClock } from './moved-clock.ts';
import { KEYS, seen } from './ttl-world.ts';

const HOUR = 3_600_000;

interface World {
  readonly db: Database;
  /** Entries live an hour. */
  readonly short: Keyspace<string, string>;
  pass(ms: number): void;
}

export function ttlSuite(name: string, make: () => DatabaseUnderTest): void {
  const world = async (): Promise<World> => {
    const offset = new SharedArrayBuffer(4);
    const { path, options, open: openIt } = make();
    const db =
      openIt === undefined
        ? await open(path, { ...options, clock: movedClock(offset) })
        : await openIt(path, { ...options }, offset);
    onTestFinished(() => db.close());
    const short = db.keyspace('short', { key: utf8, value: utf8, ttlMs: HOUR });
    const pass = (ms: number): void => {
      Atomics.add(new Int32Array(offset), 0, ms);
      // Whose clock it is looks at it: from then on all threads have that time.
      db.stats();
    };
    return { db, short, pass };
  };

  describe(`expiry in a database ${name}`, () => {
    for (const flushed of [false, true]) {
      test(`is seen by every read at once, ${flushed ? 'in tables' : 'in the memtable'}`, async () => {
        const { db, short, pass } = await world();
        short.put('a', '1');
        short.put('b', '2', { ttlMs: 2 * HOUR });
        db.write(db.batch().put(short, 'c', '3').put(short, 'd', '4', { ttlMs: Number.MAX_SAFE_INTEGER }));
        if (flushed) await db.flush();
        expect(await seen(short, KEYS)).toBe('a=1 b=2 c=3 d=4');
        pass(HOUR);
        expect(await seen(short, KEYS)).toBe('b=2 d=4');
        expect(short.putIfAbsent('a', 'again')).toBe(true);
        expect(short.update('c', (old) => String(old))).toBe('undefined');
        pass(HOUR);
        expect(await seen(short, KEYS)).toBe('d=4');
        pass(-5 * HOUR);
        expect(await seen(short, KEYS)).toBe('d=4');
        await db.compact();
        expect(await seen(short, KEYS)).toBe('d=4');
        expect(db.stats().keyspaces['short']!.entries).toBe(1);
      });
    }

    test('is not seen by snapshots and walks that began before, over a compaction', async () => {
      const { db, short, pass } = await world();
      for (const key of KEYS) short.put(key, key);
      await db.flush();
      const snapshot = db.snapshot();
      const walk = short.range({ reverse: true })[Symbol.iterator]();
      expect(walk.next().value).toEqual(['d', 'd']);
      pass(HOUR);
      await db.compact();
      expect(await seen(short, KEYS)).toBe('');
      expect([...snapshot.range(short).keys()]).toEqual(KEYS);
      expect(snapshot.getMany(short, KEYS)).toEqual(KEYS);
      expect(snapshot.get(short, 'c')).toBe('c');
      expect([walk.next().value, walk.next().value, walk.next().value]).toEqual([
        ['c', 'c'],
        ['b', 'b'],
        ['a', 'a'],
      ]);
      expect(walk.next().done).toBe(true);
      snapshot.close();
      await db.compact();
      expect(db.stats().keyspaces['short']!.entries).toBe(0);
    });
  });
}
