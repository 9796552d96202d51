/** Values in blob files (`blobValueBytes`): every way to read gives them, and who looks at keys reads none. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'varve';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { blobNames, filled, removeBlobs, settings, steps, type Texts, valueOf, world } from './blob-world.ts';
import { key } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

describe('reads', () => {
  for (const compression of ['none', 'lz4'] as const) {
    test(`of every kind give values from blob files (compression ${compression})`, async () => {
      const { db, time, fs, data } = await world({ keyspaceDefaults: { compression } });
      for (let i = 0; i < 300; i++) data.put(key(i), valueOf(i));
      await time.run(db.flush());
      expect(blobNames(fs)).toHaveLength(1);
      const keys = Array.from({ length: 301 }, (_, i) => key(i));
      const expected = [...keys.slice(0, 300).map((_, i) => valueOf(i)), undefined];
      expect(keys.map((each) => data.get(each))).toEqual(expected);
      expect(data.getMany(keys)).toEqual(expected);
      expect(await time.run(data.getManyAsync(keys))).toEqual(expected);
      expect(await time.run(data.getAsync(key(7)))).toBe(valueOf(7));
      const entries = keys.slice(0, 300).map((each, i) => [each, valueOf(i)]);
      expect([...data.range()]).toEqual(entries);
      expect([...data.range({ reverse: true })].reverse()).toEqual(entries);
      expect([...data.range().values()]).toEqual(expected.slice(0, 300));
      expect(steps(data.range().cursor())).toEqual(entries.map(([k, v]) => `${k}=${v}`));
      expect(data.update(key(1), (old) => `${old}!`)).toBe(`${valueOf(1)}!`);
    });
  }

  test('at a snapshot give what was there, wherever it lies by now', async () => {
    const { db, time, data } = await filled(200);
    const snapshot = db.snapshot();
    const walk = data.range()[Symbol.iterator]();
    walk.next();
    for (let round = 1; round <= 4; round++) {
      for (let i = 0; i < 200; i++) data.put(key(i), valueOf(i, round));
      await time.run(db.flush());
      await time.run(db.compact());
    }
    await time.settle();
    for (let i = 1; i < 200; i++) expect(walk.next().value).toEqual([key(i), valueOf(i)]);
    for (let i = 0; i < 200; i++) {
      expect(snapshot.get(data, key(i))).toBe(valueOf(i));
      expect(data.get(key(i))).toBe(valueOf(i, 4));
    }
    snapshot.close();
  });

  test('of a value of megabytes work, and values that are empty or as long as the threshold', async () => {
    const { db, time, data } = await world({ batchBytesMax: 16 * 1024 * 1024 });
    const huge = 'h'.repeat(5 * 1024 * 1024);
    data.put('empty', '');
    data.put('huge', huge);
    data.put('just', 'j'.repeat(64));
    data.put('less', 'l'.repeat(63));
    await time.run(db.flush());
    expect([...data.range().values()]).toEqual(['', huge, 'j'.repeat(64), 'l'.repeat(63)]);
    expect(data.get('huge')).toBe(huge);
  });

  test('of keys alone read no blob file', async () => {
    const { db, fs, data } = await filled(300);
    removeBlobs(fs);
    expect([...data.range().keys()]).toHaveLength(300);
    for (const first of data.range().keys()) {
      expect(first).toBe(key(0));
      break;
    }
    expect(data.count()).toBe(300);
    expect([data.has(key(1)), data.has(key(300)), data.putIfAbsent(key(1), 'other')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(data.delete(key(2))).toBe(db.stats().sequence);
    const cursor = data.range().cursor();
    let count = 0;
    while (cursor.next()) count++;
    expect(count).toBe(299);
  });

  test('of values whose file is missing are corruption with file and offset, and the rest goes on', async () => {
    const { time, fs, data } = await filled(300);
    const [name] = blobNames(fs);
    removeBlobs(fs);
    const context = { file: `/db/${name}`, offset: expect.any(Number) as number };
    const corrupted = expect.objectContaining({
      kind: 'corruption',
      code: 'CORRUPTION',
      context: expect.objectContaining(context) as object,
    }) as Error;
    expect(() => data.get(key(1))).toThrow(corrupted);
    expect(() => data.getMany(Array.from({ length: 20 }, (_, i) => key(i)))).toThrow(corrupted);
    expect(() => [...data.range()]).toThrow(corrupted);
    await expect(time.run(data.getAsync(key(1)))).rejects.toThrow(corrupted);
    const cursor = data.range().cursor();
    expect([cursor.next(), cursor.value.length, cursor.next()]).toEqual([true, 10, true]);
    expect(() => cursor.value).toThrow(corrupted);
    cursor.close();
    expect(() => cursor.value).toThrow(corrupted);
    expect(data.get(key(3))).toBe(valueOf(3));
    data.put(key(1), 'again');
    expect(data.get(key(1))).toBe('again');
  });

  test('a closed cursor still shows its last entry', async () => {
    const { data } = await filled(100);
    const cursor = data.range({ gte: key(4) }).cursor();
    for (let i = 0; i < 10; i++) cursor.next();
    cursor.close();
    expect(new TextDecoder().decode(cursor.value)).toBe(valueOf(13));
  });

  test('a cursor shows its entry although the file it lay in is gone', async () => {
    const { db, time, fs, data } = await filled(100);
    const before = blobNames(fs);
    for (let i = 0; i < 90; i++) if (i !== 8) data.put(key(i), valueOf(i, 1));
    await time.run(db.flush());
    const cursor = data.range({ gte: key(4) }).cursor();
    for (let i = 0; i < 5; i++) cursor.next();
    await time.run(db.compact());
    await time.settle();
    expect(blobNames(fs).some((name) => before.includes(name))).toBe(false);
    expect(new TextDecoder().decode(cursor.value)).toBe(valueOf(8));
    expect(cursor.next()).toBe(true);
    expect(new TextDecoder().decode(cursor.value)).toBe(valueOf(9, 1));
    cursor.close();
  });
});

describe('reads in worker threads', () => {
  const cold = async (cacheBytesMax: number): Promise<Texts> => (await coldAt(cacheBytesMax)).data;

  async function coldAt(cacheBytesMax: number): Promise<{ data: Texts; path: string }> {
    const path = temporaryDirectory();
    const first = await open(path, { workers: 1, sync: 'manual' });
    const data = first.keyspace('data', settings);
    for (let i = 0; i < 500; i++) data.put(key(i), valueOf(i));
    await first.flush();
    await first.close();
    const db = await open(path, { workers: 1, cacheBytesMax });
    onTestFinished(() => db.close());
    return { data: db.keyspace('data', settings), path };
  }

  test.each([0, 4 * 1024 * 1024])('give the values (cache of %i bytes)', async (cacheBytesMax) => {
    const expected = Array.from({ length: 500 }, (_, i) => [key(i), valueOf(i)]);
    const walked: [string, string][] = [];
    for await (const entry of (await cold(cacheBytesMax)).range()) walked.push(entry);
    expect(walked).toEqual(expected);
    const back: [string, string][] = [];
    for await (const entry of (await cold(cacheBytesMax)).range({ reverse: true })) back.push(entry);
    expect(back.reverse()).toEqual(expected);
    const many = await (await cold(cacheBytesMax)).getManyAsync(expected.map(([each]) => each!));
    expect(many).toEqual(expected.map(([, value]) => value));
    expect(await (await cold(cacheBytesMax)).getAsync(key(7))).toBe(valueOf(7));
  });

  test('are not made for counts and keys', async () => {
    const { data, path } = await coldAt(0);
    for (const name of readdirSync(path)) if (name.endsWith('.blob')) rmSync(join(path, name));
    expect(await data.countAsync()).toBe(500);
    let count = 0;
    for await (const each of data.range().keys()) expect(each).toBe(key(count++));
    expect(count).toBe(500);
    await expect(data.getAsync(key(1))).rejects.toThrow(/missing/);
    await expect(data.range().values()[Symbol.asyncIterator]().next()).resolves.toMatchObject({
      done: false,
    });
    const all = async (): Promise<void> => {
      for await (const value of data.range().values()) expect(value).toBe(valueOf(0));
    };
    await expect(all()).rejects.toThrow(/missing/);
  });

  test('an attached thread reads them, and goes on when they are moved', async () => {
    const path = temporaryDirectory();
    const db = await openAttached(path, {});
    onTestFinished(() => db.close());
    const data = db.keyspace('data', settings);
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 400; i++) data.put(key(i), valueOf(i, round));
      await db.flush();
      expect([...data.range().values()]).toEqual(Array.from({ length: 400 }, (_, i) => valueOf(i, round)));
    }
    expect(readdirSync(path).some((name) => name.endsWith('.blob'))).toBe(true);
  });
});
