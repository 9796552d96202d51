/** Entries that expire: for every way of reading, over snapshots and compactions. */
import { utf8 } from 'varve';
import { SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { texts } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { KEYS, seen, type World, world } from './ttl-world.ts';

describe('an entry that expires', () => {
  for (const place of ['the memtable', 'a table', 'two tables', 'the last level'] as const) {
    test(`is there until its time and gone for every read from then on, in ${place}`, async () => {
      const { db, clock, short } = await world();
      short.put('a', 'old', { ttlMs: 100_000 });
      if (place === 'two tables') await db.flush();
      short.put('a', '1');
      short.put('b', '2', { ttlMs: 5000 });
      db.write(db.batch().put(short, 'c', '3').put(short, 'd', '', { ttlMs: 2000 }));
      if (place !== 'the memtable') await db.flush();
      if (place === 'the last level') await db.compact();
      expect(await seen(short, KEYS)).toBe('a=1 b=2 c=3 d=');
      clock.time += 999;
      expect(await seen(short, KEYS)).toBe('a=1 b=2 c=3 d=');
      clock.time += 1;
      expect(await seen(short, KEYS)).toBe('b=2 d=');
      clock.time += 1000;
      expect(await seen(short, KEYS)).toBe('b=2');
      clock.time += 3000;
      expect(await seen(short, KEYS)).toBe('');
      await db.compact();
      expect(await seen(short, KEYS)).toBe('');
      expect((await db.verify()).problems).toEqual([]);
    });
  }

  test('lives as long as its put says, then as its keyspace says, else for good', async () => {
    const { db, clock, short } = await world();
    const plain = texts(db);
    plain.put('a', 'stays');
    plain.put('b', 'goes', { ttlMs: 10 });
    short.put('a', 'longer', { ttlMs: Number.MAX_SAFE_INTEGER });
    await short.put('b', 'awaited', { ttlMs: 10, durability: 'memory' });
    db.write(db.batch().put(plain, 'c', 'goes', { ttlMs: 10 }).put(plain, 'd', 'stays'));
    clock.time += 10;
    expect(await seen(plain, KEYS)).toBe('a=stays d=stays');
    expect(await seen(short, KEYS)).toBe('a=longer');
    clock.time = Number.MAX_SAFE_INTEGER - 1;
    expect(await seen(short, KEYS)).toBe('a=longer');
  });

  test('counts from when it is written, also in a batch that was filled before', async () => {
    const { db, clock, short } = await world();
    const batch = db.batch().put(short, 'a', '1').put(short, 'b', '2', { ttlMs: 500 });
    clock.time += 10_000;
    db.write(batch);
    clock.time += 499;
    expect(await seen(short, KEYS)).toBe('a=1 b=2');
    clock.time += 1;
    expect(await seen(short, KEYS)).toBe('a=1');
  });

  test('of one key in a batch the last operation counts', async () => {
    const { db, clock, short } = await world();
    const plain = texts(db);
    db.write(
      db
        .batch()
        .put(plain, 'a', 'short', { ttlMs: 10 })
        .put(plain, 'a', 'for good')
        .put(plain, 'b', 'for good')
        .put(plain, 'b', 'short', { ttlMs: 10 })
        .put(short, 'c', '3')
        .delete(short, 'c'),
    );
    expect(await seen(plain, KEYS)).toBe('a=for good b=short');
    expect(await seen(short, KEYS)).toBe('');
    clock.time += 10;
    expect(await seen(plain, KEYS)).toBe('a=for good');
  });

  test('hides what is older for good, also when compaction has taken it away', async () => {
    const { db, clock, short } = await world();
    const plain = texts(db);
    plain.put('a', 'old');
    await db.flush();
    await db.compact();
    plain.put('a', 'new', { ttlMs: 10 });
    clock.time += 10;
    expect(plain.get('a')).toBeUndefined();
    await db.flush();
    expect(plain.get('a')).toBeUndefined();
    await db.compact();
    expect(plain.get('a')).toBeUndefined();
    expect(db.stats().keyspaces['texts']).toMatchObject({ entries: 0, bytes: 0 });
    expect(short.count()).toBe(0);
  });

  test('is absent for putIfAbsent and update, which write with the time to live of the keyspace', async () => {
    const { clock, short } = await world();
    short.put('a', 'old', { ttlMs: 10 });
    short.put('b', 'old', { ttlMs: 10 });
    expect(short.putIfAbsent('a', 'too early')).toBe(false);
    clock.time += 10;
    expect(short.putIfAbsent('a', 'again')).toBe(true);
    expect(short.update('b', (old) => `${old} no more`)).toBe('undefined no more');
    expect(short.update('c', () => undefined)).toBeUndefined();
    clock.time += 999;
    expect(await seen(short, KEYS)).toBe('a=again b=undefined no more');
    short.update('b', (old) => `${old}, kept`);
    clock.time += 1;
    expect(await seen(short, KEYS)).toBe('b=undefined no more, kept');
  });

  test('is found in a cache of rows as long as it is there', async () => {
    const { db, clock, short } = await world();
    for (let i = 0; i < 200; i++) short.put(`k${i}`, `v${i}`);
    await db.flush();
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 200; i++) if (short.get(`k${i}`) !== `v${i}`) expect.fail(`k${i} is gone`);
    }
    expect(db.stats().memoryBytes.cache).toBeGreaterThan(0);
    clock.time += 1000;
    for (let i = 0; i < 200; i++) if (short.get(`k${i}`) !== undefined) expect.fail(`k${i} is there`);
  });
});

describe('what has expired since', () => {
  test('a snapshot goes on to show, over flush and compaction', async () => {
    const { db, clock, short } = await world();
    for (const key of KEYS) short.put(key, key);
    await db.flush();
    const before = db.snapshot();
    clock.time += 1000;
    const after = db.snapshot();
    const look = (): string =>
      [...before.range(short)].map(([key]) => key).join('') +
      before.getMany(short, KEYS).join('') +
      KEYS.filter((key) => before.has(short, key)).join('') +
      [...before.range(short, { reverse: true })].map(([key]) => key).join('') +
      (before.get(short, 'a') ?? '');
    expect(look()).toBe('abcdabcdabcddcbaa');
    expect([...after.range(short)]).toEqual([]);
    await db.compact();
    expect(look()).toBe('abcdabcdabcddcbaa');
    expect([...after.range(short)]).toEqual([]);
    expect(await seen(short, KEYS)).toBe('');
    before.close();
    await db.compact();
    expect(db.stats().keyspaces['short']).toMatchObject({ entries: 0, bytes: 0 });
    after.close();
  });

  test('a walk goes on to show, over flush and compaction', async () => {
    const { db, clock, short } = await world();
    for (const key of KEYS) short.put(key, key);
    const walk = short.range()[Symbol.iterator]();
    const ahead = short.range()[Symbol.asyncIterator]();
    expect(walk.next().value).toEqual(['a', 'a']);
    expect((await ahead.next()).value).toEqual(['a', 'a']);
    clock.time += 1000;
    await db.compact();
    expect(short.count()).toBe(0);
    expect([walk.next().value, walk.next().value, walk.next().value]).toEqual([
      ['b', 'b'],
      ['c', 'c'],
      ['d', 'd'],
    ]);
    expect((await ahead.next()).value).toEqual(['b', 'b']);
    expect(walk.next().done).toBe(true);
    await ahead.return?.();
    await db.compact();
    expect(db.stats().keyspaces['short']!.entries).toBe(0);
  });
});

describe('space', () => {
  test('of expired entries comes back with compaction, and that of others stays', async () => {
    const { db, clock, short } = await world();
    const value = 'x'.repeat(1000);
    for (let i = 0; i < 100; i++) short.put(`k${i}`, value, { ttlMs: i < 70 ? 100 : 10_000 });
    await db.compact();
    const full = db.stats().keyspaces['short']!;
    expect(full.entries).toBe(100);
    clock.time += 100;
    await db.compact();
    const left = db.stats().keyspaces['short']!;
    expect(left.entries).toBe(30);
    expect(left.bytes).toBeLessThan(full.bytes * 0.4);
  });

  test('of what expires before it is flushed is never taken', async () => {
    const { db, clock, short } = await world();
    for (let i = 0; i < 100; i++) short.put(`k${i}`, 'x'.repeat(1000));
    clock.time += 1000;
    await db.flush();
    expect(db.stats().keyspaces['short']).toMatchObject({ entries: 0, bytes: 0 });
  });
});

describe('space that nobody asks for', () => {
  test.each(['leveled', 'tiered', 'fifo'] as const)(
    'is given back some seconds after most of a table has expired, by strategy %s',
    async (strategy) => {
      const time = new ManualScheduler();
      const db = await time.open('/db', { fileSystem: new SimFs() });
      onTestFinished(() => db.close());
      const short = db.keyspace('short', {
        key: utf8,
        value: utf8,
        compaction: { strategy },
      });
      const entries = (): number => db.stats().keyspaces['short']!.entries;
      const reasons: string[] = [];
      db.events.addEventListener('compaction', (event) =>
        reasons.push((event as CustomEvent<{ reason: string }>).detail.reason),
      );
      const put = async (from: number, ttlMs: number): Promise<void> => {
        for (let i = from; i < from + 500; i++) {
          short.put(`k${String(i).padStart(4, '0')}`, 'v', { ttlMs });
          if (i % 100 === 0) await time.advance(1000);
        }
        await time.run(db.flush());
      };
      await put(0, 10 ** 9);
      await put(500, 60_000);
      const snapshot = db.snapshot();
      expect(entries()).toBe(1000);
      await time.advance(70_000);
      // The snapshot shows all of it.
      expect(entries()).toBe(1000);
      expect([...snapshot.range(short)]).toHaveLength(1000);
      snapshot.close();
      await time.advance(5000);
      expect(entries()).toBe(500);
      expect(short.count()).toBe(500);
      await time.advance(60_000);
      expect(reasons).toEqual(['expired']);
    },
  );
});

describe('space of tables over one another', () => {
  test.each(['leveled', 'tiered', 'hybrid', 'fifo'] as const)(
    'comes back whole when all in them has expired, however often keys were written, by strategy %s',
    async (strategy) => {
      const time = new ManualScheduler();
      const db = await time.open('/db', { fileSystem: new SimFs() });
      onTestFinished(() => db.close());
      const short = db.keyspace('short', { key: utf8, value: utf8, ttlMs: 60_000, compaction: { strategy } });
      let dropped = 0;
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 50; i++) short.put(`k${i}`, `v${round}`);
        if (round % 7 === 3) short.delete('k7');
        await time.run(db.flush());
        await time.advance(1000);
      }
      const before = db.snapshot();
      expect(db.stats().keyspaces['short']!.entries).toBeGreaterThan(0);
      await time.advance(120_000);
      expect([...before.range(short)]).toHaveLength(50);
      db.events.addEventListener('compaction', () => dropped++);
      before.close();
      await time.advance(6000);
      expect(db.stats().keyspaces['short']).toMatchObject({ entries: 0, bytes: 0 });
      // Nothing was rewritten for it.
      expect(dropped).toBe(1);
    },
  );

  test('comes back too of what expired above something that lives longer', async () => {
    const time = new ManualScheduler();
    const db = await time.open('/db', { fileSystem: new SimFs() });
    onTestFinished(() => db.close());
    const short = db.keyspace('short', { key: utf8, value: utf8, compaction: { strategy: 'fifo' } });
    for (const ttlMs of [100_000, 10_000]) {
      for (let i = 0; i < 50; i++) short.put(`k${i}`, 'v', { ttlMs });
      await time.run(db.flush());
    }
    await time.advance(20_000);
    // Rewritten as deletes, which hide what is older.
    expect([...short.range()]).toEqual([]);
    expect(db.stats().keyspaces['short']!.entries).toBe(100);
    await time.advance(90_000);
    expect(db.stats().keyspaces['short']).toMatchObject({ entries: 0, bytes: 0 });
  });
});

describe('a time to live that is none', () => {
  const refused = async (run: (world: World) => unknown): Promise<unknown> => {
    const made = await world();
    try {
      return await run(made);
    } catch (error) {
      return error;
    }
  };

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '100', null, 5n])(
    'is refused with what it got and what it wanted: %s',
    async (ttlMs) => {
      const wanted = expect.objectContaining({
        code: 'OPTION_INVALID',
        kind: 'invalid',
        message: expect.stringMatching(/ttlMs.*whole number of ms from 1 ms to 9007199254740991 ms/),
      });
      const bad = ttlMs as number;
      expect(await refused(({ short }) => short.put('a', '1', { ttlMs: bad }))).toEqual(wanted);
      expect(await refused(({ short }) => short.put('a', '1', { ttlMs: bad, durability: 'os' }))).toEqual(
        wanted,
      );
      expect(await refused(({ db, short }) => db.batch().put(short, 'a', '1', { ttlMs: bad }))).toEqual(
        wanted,
      );
      expect(await refused(({ db }) => db.keyspace('other', { ttlMs: bad }))).toEqual(
        expect.objectContaining({ code: 'OPTION_INVALID', kind: 'invalid' }),
      );
      expect(await refused(({ short }) => short.get('a'))).toBeUndefined();
    },
  );
});
