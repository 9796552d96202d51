/**
 * Things as large as they may be, through every place where they lie: values of 100 MB, keys of 65,535 bytes, a cache beyond
 * the memory of the machine, and no cache at all. Each works, or is refused by name with nothing lost.
 */
import { existsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { type Database, type DatabaseOptions, type Keyspace, open, utf8 } from 'varve';
import { openSimulated } from 'varve/testing';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

async function opened(path: string, options: DatabaseOptions = {}): Promise<Database> {
  const db = await open(path, options);
  onTestFinished(() => db.close());
  return db;
}

/** Bytes of which no two stretches are alike. */
function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let x = seed | 1;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, length);
}

const isSame = (got: Uint8Array | undefined, wanted: Uint8Array): boolean =>
  got !== undefined && Buffer.compare(got, wanted) === 0;

describe('a value of 100 MB', () => {
  const key = new TextEncoder().encode('huge');
  const value = noise(100 * MIB, 7);
  const options = { batchBytesMax: 128 * MIB, memtableBytesMax: 128 * MIB };

  test('goes through the log, a flush, reopening and the cache', async () => {
    const path = temporaryDirectory();
    const db = await opened(path, options);
    const data = db.keyspace('data');
    data.put(new Uint8Array([1]), new Uint8Array([2]));
    await data.put(key, value, { durability: 'disk' });
    expect(isSame(data.get(key), value)).toBe(true);
    await db.close();

    const replayed = await opened(path, options);
    expect(replayed.recovered.batches).toBeGreaterThan(1);
    expect(isSame(replayed.keyspace('data').get(key), value)).toBe(true);
    await replayed.flush();
    // Twice: what is larger than the cache's slots must not push out what is not.
    for (let i = 0; i < 2; i++) expect(isSame(replayed.keyspace('data').get(key), value)).toBe(true);
    expect(replayed.stats().memoryBytes.cache).toBeLessThan(MIB);
    await replayed.close();

    const again = await opened(path, { ...options, cacheBytesMax: 0 });
    const entries = [...again.keyspace('data').range()];
    expect(entries.map(([, { length }]) => length)).toEqual([1, value.length]);
    expect(isSame(entries[1]![1], value)).toBe(true);
  });

  test('is refused by name with the usual limit, and what was there stays', async () => {
    const db = await opened(temporaryDirectory());
    const data = db.keyspace('data');
    data.put(key, new Uint8Array([1]));
    await expectRefusal(() => data.put(key, value), 'BATCH_TOO_LARGE', 'invalid', { max: 64 * MIB });
    expect(data.get(key)).toEqual(new Uint8Array([1]));
  });
});

describe('keys of 65,535 bytes', () => {
  /** Alike up to their last byte, up to their first, and not at all. */
  const keys = ['a', 'b', 'c'].flatMap((first) =>
    ['a', 'b', 'c'].map((last) => first + 'k'.repeat(65_533) + last),
  );

  test.each(['btree', 'skiplist'] as const)(
    'are told apart in a %s, in tables, in scans and after reopening',
    async (memtable) => {
      const path = temporaryDirectory();
      const same = async (db: Database): Promise<void> => {
        const data: Keyspace<string, string> = db.keyspace('data', { key: utf8, value: utf8 });
        for (const key of keys) expect(data.get(key)).toBe(`value of ${key[0]}${key.at(-1)}`);
        expect(data.get(`${keys[0]!.slice(0, -1)}d`)).toBeUndefined();
        expect([...data.range().keys()]).toEqual(keys);
        expect([...data.range({ reverse: true }).keys()]).toEqual(keys.toReversed());
        expect([...data.range({ gt: keys[2]!, lte: keys[5]! }).keys()]).toEqual(keys.slice(3, 6));
      };
      const reopen = async (): Promise<Database> => {
        const made = await openSimulated(path, {}, { memtable });
        onTestFinished(() => made.close());
        return made;
      };
      const db = await reopen();
      const data = db.keyspace('data', { key: utf8, value: utf8 });
      for (const key of keys.toReversed()) data.put(key, `value of ${key[0]}${key.at(-1)}`);
      await expectRefusal(() => data.put(`${keys[0]!}x`, 'no'), 'KEY_TOO_LARGE', 'invalid', {
        got: 65_536,
        max: 65_535,
      });
      await same(db);
      await db.close();
      const replayed = await reopen();
      await same(replayed);
      await replayed.flush();
      await same(replayed);
      await replayed.compact();
      await same(replayed);
      expect((await replayed.verify()).problems).toEqual([]);
      await replayed.close();
      await same(await reopen());
    },
  );
});

describe('the cache', () => {
  const fill = async (db: Database): Promise<Keyspace<string, string>> => {
    const data = db.keyspace('data', { key: utf8, value: utf8 });
    for (let i = 0; i < 2000; i++) data.put(`key ${i}`, `value ${i}`);
    await db.flush();
    return data;
  };
  const check = (data: Keyspace<string, string>): void => {
    for (let i = 0; i < 2000; i++) if (data.get(`key ${i}`) !== `value ${i}`) expect.fail(`key ${i}`);
    expect(data.count()).toBe(2000);
  };

  test('of a budget beyond the memory of the machine takes address space, and what it holds', async () => {
    const memoryBytesMax = Math.min(1024 * GIB, Math.max(8 * GIB, totalmem() * 2));
    const db = await opened(temporaryDirectory(), { memoryBytesMax });
    const before = process.memoryUsage().rss;
    const data = await fill(db);
    for (let i = 0; i < 2; i++) check(data);
    const { cache } = db.stats().memoryBytes;
    expect(cache).toBeGreaterThan(0);
    expect(cache).toBeLessThan(2 * MIB);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * MIB);
  });

  test('of more than it can address is refused by name, before anything is touched', async () => {
    const path = temporaryDirectory();
    const act = (): Promise<Database> => open(path, { memoryBytesMax: 1024 * GIB, cacheBytesMax: 8 * GIB });
    await expectRefusal(act, 'OPTION_INVALID', 'invalid', { problems: [{ option: 'cacheBytesMax' }] });
    expect(existsSync(path)).toBe(false);
  });

  test('of nothing still reads, walks, compacts and reopens', async () => {
    const path = temporaryDirectory();
    const db = await opened(path, { cacheBytesMax: 0 });
    const data = await fill(db);
    for (let i = 0; i < 2; i++) check(data);
    data.delete('key 1');
    data.put('key 1', 'value 1');
    await db.compact();
    check(data);
    expect(db.stats().memoryBytes.cache).toBe(0);
    await db.close();
    check((await opened(path, { cacheBytesMax: 0 })).keyspace('data', { key: utf8, value: utf8 }));
  });
});

describe('memory that the system does not give', () => {
  afterEach(() => void vi.unstubAllGlobals());

  test.each(['cacheBytesMax', 'memtableBytesMax'] as const)(
    'for %s is told, and the database opens with less',
    async (option) => {
      const path = temporaryDirectory();
      const db = await opened(path);
      db.keyspace('data', { key: utf8, value: utf8 }).put('key', 'value');
      await db.close();
      const Real = SharedArrayBuffer;
      vi.stubGlobal(
        'SharedArrayBuffer',
        class extends Real {
          constructor(bytes: number) {
            if (bytes > GIB) throw new RangeError('Array buffer allocation failed');
            super(bytes);
          }
        },
      );
      const options = { memoryBytesMax: 16 * GIB, [option]: 2 * GIB };
      const small = { cacheBytesMax: MIB, memtableBytesMax: 64 * MIB };
      await expectRefusal(() => open(path, { ...small, ...options }), 'OUT_OF_MEMORY', 'busy');
      await expectRefusal(() => open(`${path}-new`, { ...small, ...options }), 'OUT_OF_MEMORY', 'busy');
      expect(existsSync(`${path}-new`)).toBe(false);
      const again = await opened(path, small);
      expect(again.keyspace('data', { key: utf8, value: utf8 }).get('key')).toBe('value');
    },
  );
});
