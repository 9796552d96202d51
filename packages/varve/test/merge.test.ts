import { describe, expect, test } from 'vitest';
import { append, counter, max, open, u64, utf8 } from '../src/index.ts';
import type { Database } from '../src/index.ts';
import { temporaryDirectory } from './temp-directory.ts';

async function memory(): Promise<Database> {
  return open(':memory:');
}

describe('merge', () => {
  test('adds to a counter, onto nothing and onto a put', async () => {
    await using db = await memory();
    const counts = db.keyspace('counts', { key: utf8, value: u64, mergeOperator: counter });
    counts.merge('a', 1);
    counts.merge('a', 2);
    counts.put('b', 10);
    counts.merge('b', 5);
    expect([counts.get('a'), counts.get('b'), counts.get('c')]).toEqual([3, 15, undefined]);
  });

  test('shows merged values in every kind of read', async () => {
    await using db = await memory();
    const texts = db.keyspace('texts', { key: utf8, value: utf8, mergeOperator: append });
    for (let i = 0; i < 20; i++) {
      texts.put(`k${String(i).padStart(2, '0')}`, 'x');
      if (i % 2 === 0) texts.merge(`k${String(i).padStart(2, '0')}`, `${i}`);
    }
    await db.flush();
    texts.merge('k01', 'z');
    const want = Array.from({ length: 20 }, (_, i) => `x${i % 2 === 0 ? i : i === 1 ? 'z' : ''}`);
    const keys = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, '0')}`);
    expect(keys.map((key) => texts.get(key))).toEqual(want);
    expect(texts.getMany(keys)).toEqual(want);
    expect(await texts.getManyAsync(keys)).toEqual(want);
    expect(await texts.getAsync('k01')).toBe('xz');
    expect([...texts.range()].map(([, value]) => value)).toEqual(want);
    expect([...texts.range({ reverse: true })].map(([, value]) => value)).toEqual(want.toReversed());
    const seen: string[] = [];
    for await (const value of texts.range().values()) seen.push(value);
    expect(seen).toEqual(want);
    expect([...texts.range().keys()]).toEqual(keys);
    expect([texts.count(), await texts.countAsync(), texts.has('k01')]).toEqual([20, 20, true]);
    using cursor = texts.range({ gte: 'k01', lte: 'k02' }).cursor();
    cursor.next();
    expect(utf8.decode(cursor.value)).toBe('xz');
  });

  test('folds one list of a batch behind the last put, delete or range delete of its key', async () => {
    await using db = await memory();
    const texts = db.keyspace('texts', { key: utf8, value: utf8, mergeOperator: append });
    texts.put('a', '0');
    const batch = db.batch();
    batch.merge(texts, 'a', '1').merge(texts, 'a', '2');
    batch.put(texts, 'b', 'p').merge(texts, 'b', '1').merge(texts, 'b', '2');
    batch.merge(texts, 'c', 'lost').delete(texts, 'c').merge(texts, 'c', '1');
    batch
      .put(texts, 'd', 'lost')
      .deleteRange(texts, { gte: 'd', lt: 'e' })
      .merge(texts, 'd', '1')
      .merge(texts, 'd', '2');
    batch.merge(texts, 'e', 'lost').put(texts, 'e', 'p');
    db.write(batch);
    const read = () => ['a', 'b', 'c', 'd', 'e'].map((key) => texts.get(key));
    expect(read()).toEqual(['012', 'p12', '1', '12', 'p']);
    await db.flush();
    expect(read()).toEqual(['012', 'p12', '1', '12', 'p']);
    await db.compact();
    expect(read()).toEqual(['012', 'p12', '1', '12', 'p']);
  });

  test('is seen by a snapshot up to its sequence', async () => {
    await using db = await memory();
    const texts = db.keyspace('texts', { key: utf8, value: utf8, mergeOperator: append });
    texts.put('a', '0');
    texts.merge('a', '1');
    using first = db.snapshot();
    texts.merge('a', '2');
    using second = db.snapshot();
    texts.merge('a', '3');
    for (const step of [() => db.flush(), () => db.compact(), () => db.compact()]) {
      expect([first.get(texts, 'a'), second.get(texts, 'a'), texts.get('a')]).toEqual(['01', '012', '0123']);
      await step();
    }
    expect([first.get(texts, 'a'), second.get(texts, 'a'), texts.get('a')]).toEqual(['01', '012', '0123']);
  });

  test('without its operator keeps operands through flush, compaction and reopen, and says what is missing', async () => {
    const path = temporaryDirectory();
    {
      await using db = await open(path);
      const counts = db.keyspace('counts', { key: utf8, value: u64, mergeOperator: counter });
      counts.put('a', 1);
      await db.flush();
      counts.merge('a', 2);
      counts.put('plain', 7);
    }
    {
      await using db = await open(path);
      const counts = db.keyspace('counts', { key: utf8, value: u64 });
      expect(counts.get('plain')).toBe(7);
      counts.put('more', 8);
      const missing = expect.objectContaining({
        code: 'MERGE_OPERATOR_MISSING',
        kind: 'invalid',
        context: expect.objectContaining({ keyspace: 'counts', operator: 'varve.counter' }) as unknown,
      }) as unknown;
      for (const step of [() => db.flush(), () => db.compact(), () => db.compact()]) {
        expect(() => counts.get('a')).toThrow(missing as Error);
        await step();
      }
      expect(() => counts.get('a')).toThrow(missing as Error);
      expect(() => counts.getMany(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'plain'])).toThrow(
        missing as Error,
      );
      expect(() => [...counts.range()]).toThrow(missing as Error);
      expect([...counts.range().keys()]).toEqual(['a', 'more', 'plain']);
      const before = db.stats().sequence;
      expect(() => counts.merge('a', 1)).toThrow(missing as Error);
      expect(() => db.batch().merge(counts, 'a', 1)).toThrow(missing as Error);
      expect(db.stats().sequence).toBe(before);
      expect((await db.verify({ full: true })).problems).toEqual([]);
    }
    await using db = await open(path);
    expect(() => db.keyspace('counts', { key: utf8, value: u64, mergeOperator: max })).toThrow(
      expect.objectContaining({ code: 'MERGE_OPERATOR_CHANGED', kind: 'invalid' }) as Error,
    );
    const counts = db.keyspace('counts', { key: utf8, value: u64, mergeOperator: counter });
    expect([counts.get('a'), counts.get('plain'), counts.get('more')]).toEqual([3, 7, 8]);
  });
});
