/**
 * What every open database does, whatever it is stored on: one suite over all file systems.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Cursor, type Database, type DatabaseOptions, json, open, tuple, u64, utf8 } from 'varve';

export interface DatabaseUnderTest {
  readonly path: string;
  readonly options?: DatabaseOptions;
  /** How to get at it; `open` by default. */
  readonly open?: (path: string, options: DatabaseOptions, offset?: SharedArrayBuffer) => Promise<Database>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

export function databaseSuite(name: string, make: () => DatabaseUnderTest): void {
  const opened = async (options: DatabaseOptions = {}): Promise<Database> => {
    const { path, options: own, open: openIt = open } = make();
    const db = await openIt(path, { ...own, ...options });
    onTestFinished(() => db.close());
    return db;
  };

  describe(`a database ${name}`, () => {
    test('stores, finds and removes bytes', async () => {
      const db = await opened();
      const data = db.keyspace('data');
      const first = data.put(bytes('a'), bytes('1'));
      expect(data.put(bytes('b'), bytes(''))).toBe(first + 1);
      expect(text(data.get(bytes('a')))).toBe('1');
      expect(data.get(bytes('b'))).toEqual(new Uint8Array(0));
      expect(data.get(bytes('c'))).toBeUndefined();
      expect(data.has(bytes('a'))).toBe(true);
      data.delete(bytes('a'));
      expect(data.has(bytes('a'))).toBe(false);
      expect(await data.getAsync(bytes('b'))).toEqual(new Uint8Array(0));
      expect(data.getMany([bytes('b'), bytes('a')])).toEqual([new Uint8Array(0), undefined]);
    });

    test('takes the empty key and keys of 65,535 bytes', async () => {
      const db = await opened();
      const data = db.keyspace('data', { value: utf8 });
      const long = new Uint8Array(65_535).fill(7);
      data.put(new Uint8Array(0), 'empty');
      data.put(long, 'long');
      await db.flush();
      expect(data.get(new Uint8Array(0))).toBe('empty');
      expect(data.get(long)).toBe('long');
      expect([...data.range().values()]).toEqual(['empty', 'long']);
    });

    test('what was put or got never changes under the caller', async () => {
      const db = await opened();
      const data = db.keyspace('data');
      const key = bytes('key');
      const value = bytes('value');
      data.put(key, value);
      key[0] = 0;
      value[0] = 0;
      const got = data.get(bytes('key'))!;
      expect(text(got)).toBe('value');
      got[0] = 0;
      expect(text(data.get(bytes('key')))).toBe('value');
      data.put(bytes('key'), bytes('other'));
      expect(text(data.get(bytes('key')))).toBe('other');
    });

    for (const flushed of [false, true]) {
      describe(`with its data in ${flushed ? 'tables' : 'the memtable'}`, () => {
        const filled = async (): Promise<Database> => {
          const db = await opened();
          const data = db.keyspace('data', { key: utf8, value: utf8 });
          for (const letter of 'hgfedcba') data.put(letter, letter.toUpperCase());
          data.delete('d');
          if (flushed) await db.flush();
          return db;
        };

        test('ranges have all bounds, prefix, limit and both directions', async () => {
          const db = await filled();
          const data = db.keyspace<string, string>('data', { key: utf8, value: utf8 });
          const keys = (range?: Parameters<typeof data.range>[0]): string =>
            [...data.range(range).keys()].join('');
          expect(keys()).toBe('abcefgh');
          expect(keys({ reverse: true })).toBe('hgfecba');
          expect(keys({ gte: 'b', lt: 'f' })).toBe('bce');
          expect(keys({ gt: 'b', lte: 'f' })).toBe('cef');
          expect(keys({ gt: 'b', lte: 'f', reverse: true })).toBe('fec');
          expect(keys({ limit: 2 })).toBe('ab');
          expect(keys({ reverse: true, limit: 2 })).toBe('hg');
          expect(keys({ limit: 0 })).toBe('');
          expect(keys({ prefix: 'c' })).toBe('c');
          expect(keys({ prefix: '' })).toBe('abcefgh');
          expect(keys({ gte: 'x' })).toBe('');
          expect(keys({ gte: 'f', lt: 'b' })).toBe('');
          expect([...data.range({ gte: 'g' })]).toEqual([
            ['g', 'G'],
            ['h', 'H'],
          ]);
          expect([...data.range({ lt: 'c' }).values()]).toEqual(['A', 'B']);
          expect(data.count()).toBe(7);
          expect(data.count({ gte: 'c' })).toBe(5);
        });

        test('for await gives the same as for', async () => {
          const db = await filled();
          const data = db.keyspace<string, string>('data', { key: utf8, value: utf8 });
          const got: [string, string][] = [];
          for await (const entry of data.range({ reverse: true })) got.push(entry);
          expect(got).toEqual([...data.range({ reverse: true })]);
          const keys: string[] = [];
          for await (const key of data.range({ limit: 3 }).keys()) keys.push(key);
          expect(keys).toEqual(['a', 'b', 'c']);
        });

        test('a cursor lends bytes, seeks, and goes on from there', async () => {
          const db = await filled();
          const cursor = db.keyspace('data', { key: utf8, value: utf8 }).range({ lt: 'h' }).cursor();
          expect(cursor.next()).toBe(true);
          expect(text(cursor.key)).toBe('a');
          expect(text(cursor.value)).toBe('A');
          expect(cursor.seek(bytes('d'))).toBe(true);
          expect(text(cursor.key)).toBe('e');
          expect(cursor.next()).toBe(true);
          expect(text(cursor.key)).toBe('f');
          expect(cursor.next()).toBe(true);
          expect(cursor.next()).toBe(false);
          expect(cursor.next()).toBe(false);
          cursor.close();
          cursor.close();
          const back = db.keyspace('data', { key: utf8, value: utf8 }).range({ reverse: true }).cursor();
          expect(back.seek(bytes('d'))).toBe(true);
          expect(text(back.key)).toBe('c');
          expect(back.next()).toBe(true);
          expect(text(back.key)).toBe('b');
          back.close();
        });

        test('a range delete hides what is there and not what comes after', async () => {
          const db = await filled();
          const data = db.keyspace<string, string>('data', { key: utf8, value: utf8 });
          data.deleteRange({ gte: 'b', lt: 'g' });
          data.put('c', 'again');
          expect([...data.range()]).toEqual([
            ['a', 'A'],
            ['c', 'again'],
            ['g', 'G'],
            ['h', 'H'],
          ]);
          await db.flush();
          expect([...data.range({ reverse: true }).keys()]).toEqual(['h', 'g', 'c', 'a']);
          expect(data.get('b')).toBeUndefined();
          await db.compact();
          expect([...data.range().keys()]).toEqual(['a', 'c', 'g', 'h']);
        });
      });
    }

    test('inside a batch the last operation on a key wins', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: utf8, value: utf8 });
      data.put('x', 'before');
      const batch = db.batch().put(data, 'a', '1').put(data, 'a', '2').delete(data, 'b').put(data, 'b', '3');
      batch.put(data, 'c', '4').deleteRange(data, { gte: 'c', lt: 'z' }).put(data, 'd', '5');
      expect(batch.count).toBe(7);
      expect(batch.bytes).toBeGreaterThan(20);
      db.write(batch);
      expect(batch.count).toBe(0);
      const expected = [
        ['a', '2'],
        ['b', '3'],
        ['d', '5'],
      ];
      expect([...data.range()]).toEqual(expected);
      await db.flush();
      expect([...data.range()]).toEqual(expected);
      await db.compact();
      expect([...data.range()]).toEqual(expected);
    });

    test('a written batch is empty and may be filled again; an empty one writes nothing', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: utf8, value: utf8 });
      const batch = db.batch().put(data, 'a', '1');
      const sequence = db.write(batch);
      expect(db.write(batch)).toBe(sequence);
      expect(db.write(batch.put(data, 'b', '2'))).toBe(sequence + 1);
      expect(
        await db.write(batch.put(data, 'c', '3').clear().put(data, 'd', '4'), { durability: 'disk' }),
      ).toBe(sequence + 2);
      expect([...data.range().keys()]).toEqual(['a', 'b', 'd']);
    });

    test('a batch is atomic over keyspaces', async () => {
      const db = await opened();
      const a = db.keyspace('a', { key: utf8, value: json<number>() });
      const b = db.keyspace('b', { key: u64, value: json<number>() });
      db.write(db.batch().put(a, 'x', 1).put(b, 7, 2));
      expect([a.get('x'), b.get(7)]).toEqual([1, 2]);
      expect(db.keyspaces()).toEqual(['a', 'b']);
    });

    test('a snapshot shows its sequence through writes, flushes and compactions', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: utf8, value: utf8 });
      for (let i = 0; i < 50; i++) data.put(`k${i % 10}`, `v${i}`);
      const snapshot = db.snapshot();
      const before = [...snapshot.range(data)];
      data.deleteRange({ gte: 'k0', lt: 'k5' });
      for (let i = 0; i < 50; i++) data.put(`k${(i % 10) + 5}`, `w${i}`);
      await db.flush();
      await db.compact();
      expect([...snapshot.range(data)]).toEqual(before);
      expect([...snapshot.range(data, { reverse: true })].reverse()).toEqual(before);
      expect(snapshot.get(data, 'k0')).toBe('v40');
      expect(snapshot.getMany(data, ['k1', 'zz'])).toEqual(['v41', undefined]);
      expect(snapshot.has(data, 'k14')).toBe(false);
      expect(data.get('k0')).toBeUndefined();
      expect(db.stats().snapshots).toMatchObject({ count: 1, oldestSequence: snapshot.sequence });
      snapshot.close();
      snapshot.close();
      expect(db.stats().snapshots.count).toBe(0);
      expect(() => snapshot.get(data, 'k0')).toThrow(
        expect.objectContaining({ code: 'CLOSED', kind: 'closed' }),
      );
    });

    test('an iterator shows the state at its beginning while writes, flushes and compactions go on', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: u64, value: u64 });
      for (let i = 0; i < 1000; i++) data.put(i, i);
      const seen: (number | bigint)[] = [];
      for (const [key, value] of data.range()) {
        seen.push(value);
        data.put(key, 9_999);
        data.delete(Number(key) + 1);
        if (Number(key) % 250 === 0) {
          await db.flush();
          if (key === 500) await db.compact();
        }
      }
      expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => i));
      expect(db.stats().snapshots.count).toBe(0);
    });

    test('cursors over the whole keyspace follow and cross each other, each with its own position and state', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: u64, value: u64 });
      for (let i = 0; i < 300; i++) data.put(i, i);
      await db.flush();
      const valuesOf = (cursor: Cursor): number[] => {
        const values: number[] = [];
        while (cursor.next()) values.push(Number(u64.decode(cursor.value)));
        return values;
      };
      const upTo300 = Array.from({ length: 300 }, (_, i) => i);
      for (let round = 0; round < 3; round++) {
        const first = data.range().cursor();
        const second = data.range().cursor();
        expect(first.next()).toBe(true);
        expect(second.seek(u64.encode(299))).toBe(true);
        expect(valuesOf(first)).toEqual(upTo300.slice(1));
        first.close();
        const third = data.range({ reverse: true }).cursor();
        expect(third.next()).toBe(true);
        // A later cursor has moved on: what this one lends stays until its own next move.
        expect(Number(u64.decode(second.value))).toBe(299);
        expect(second.next()).toBe(false);
        expect(valuesOf(third)).toEqual(upTo300.slice(0, 299).reverse());
        second.close();
        third.close();
        data.put(1000 + round, 1000);
        expect(data.count()).toBe(301);
        data.deleteRange({ gte: 1000, lt: 2000 });
        expect(data.count()).toBe(300);
        if (round === 1) await db.flush();
      }
      expect(db.stats().snapshots.count).toBe(0);
    });

    test('a flush makes one table, however large it is', async () => {
      const db = await opened();
      const data = db.keyspace('data', { tableBytes: 4096 });
      for (let i = 0; i < 100; i++) data.put(Uint8Array.of(i), new Uint8Array(1000).fill(i));
      await db.flush();
      expect(db.stats().keyspaces['data']!.levels[0]!.files).toBe(1);
    });

    test('putIfAbsent and update decide and write in one step', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: utf8, value: json<number>() });
      expect(data.putIfAbsent('a', 1)).toBe(true);
      expect(data.putIfAbsent('a', 2)).toBe(false);
      expect(data.update('a', (old) => (old ?? 0) + 10)).toBe(11);
      expect(data.update('b', (old) => (old ?? 0) + 10)).toBe(10);
      expect(data.update('b', () => undefined)).toBeUndefined();
      expect([...data.range()]).toEqual([['a', 11]]);
    });

    test('tuple keys list by prefix and in order', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: tuple<[string, number?]>(), value: utf8 });
      data.put(['b', 1], 'b1');
      data.put(['a', 10], 'a10');
      data.put(['a', 2], 'a2');
      data.put(['aa', 1], 'aa1');
      expect([...data.range({ prefix: ['a'] }).values()]).toEqual(['a2', 'a10']);
      expect([...data.range().keys()][0]).toEqual(['a', 2]);
    });

    test('dropping a keyspace takes its data and frees its name', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: utf8, value: utf8 });
      data.put('a', '1');
      await db.flush();
      await db.dropKeyspace('data');
      expect(db.keyspaces()).toEqual([]);
      expect(() => data.get('a')).toThrow(expect.objectContaining({ code: 'KEYSPACE_DROPPED' }));
      const again = db.keyspace('data', { key: u64, value: utf8 });
      expect(again.get(1)).toBeUndefined();
      again.put(1, 'new');
      expect([...again.range()]).toEqual([[1, 'new']]);
    });

    test('values larger than any buffer come back whole', async () => {
      const db = await opened();
      const data = db.keyspace('data', { key: utf8 });
      const large = new Uint8Array(3_000_000);
      for (let i = 0; i < large.length; i += 997) large[i] = i;
      data.put('large', large);
      data.put('small', bytes('s'));
      expect(data.get('large')).toEqual(large);
      await db.flush();
      expect(data.get('large')).toEqual(large);
      expect([...data.range().keys()]).toEqual(['large', 'small']);
      expect(data.approximateSize()).toBeGreaterThan(2_900_000);
    });

    test('thousands of entries over many flushes and compactions equal a sorted map', async () => {
      // On a loaded machine a flush may take its time.
      const patient = { syncWaitMsMax: 60_000 };
      const db = await opened({
        memoryBytesMax: 8 * 1024 * 1024,
        memtableBytesMax: 2 * 1024 * 1024,
        ...patient,
      });
      const data = db.keyspace('data', {
        key: u64,
        value: u64,
        memtableBytes: 256 * 1024,
        tableBytes: 64 * 1024,
      });
      const model = new Map<number, number>();
      for (let i = 0; i < 40_000; i++) {
        const key = (i * 7919) % 9973;
        if (i % 11 === 0) {
          data.delete(key);
          model.delete(key);
        } else {
          data.put(key, i);
          model.set(key, i);
        }
        if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const expected = [...model].sort((a, b) => a[0] - b[0]);
      expect([...data.range()]).toEqual(expected);
      await db.compact();
      expect([...data.range()]).toEqual(expected);
      expect([...data.range({ reverse: true })].reverse()).toEqual(expected);
      for (const [key, value] of expected.slice(0, 500)) expect(data.get(key)).toBe(value);
      const report = await db.verify();
      expect(report).toMatchObject({ entries: expected.length, problems: [] });
    });
  });
}
