/** The merge operators that come with the package. */
import { counter, json, jsonCounter, jsonMergePatch, max, min, u64, utf8 } from 'varve';
import { describe, expect, test } from 'vitest';
import { inMemory } from './in-memory.ts';

describe('built-in operators', () => {
  test('count over 2^53, down by what wraps around, and in JSON', async () => {
    const db = await inMemory();
    const counts = db.keyspace('counts', { key: utf8, value: u64, mergeOperator: counter });
    counts.put('a', 2n ** 53n);
    counts.merge('a', 2n ** 32n + 5n);
    counts.merge('a', 2n ** 64n - 6n);
    expect(counts.get('a')).toBe(2n ** 53n + 2n ** 32n - 1n);
    counts.put('b', 2n ** 64n - 1n);
    counts.merge('b', 1);
    expect(counts.get('b')).toBe(0);
    const sums = db.keyspace('sums', { key: utf8, value: json<number>(), mergeOperator: jsonCounter });
    sums.merge('a', -2.5);
    sums.merge('a', 1);
    expect(sums.get('a')).toBe(-1.5);
  });

  test('keep a sum in JSON readable that no number is large enough for', async () => {
    const db = await inMemory();
    const sums = db.keyspace('sums', { key: utf8, value: json<number>(), mergeOperator: jsonCounter });
    for (const sign of [1, -1]) {
      const key = `sum of ${sign}`;
      sums.merge(key, sign * 1e308);
      sums.merge(key, sign * 1e308);
      expect(sums.get(key)).toBe(sign * Number.MAX_VALUE);
      await db.flush();
      await db.compact();
      sums.merge(key, sign * 1e308);
      expect(sums.get(key)).toBe(sign * Number.MAX_VALUE);
      sums.merge(key, sign * -Number.MAX_VALUE);
      expect(sums.get(key)).toBe(0);
    }
  });

  test.each(['objects', 'arrays'])('refuse a patch of %s that are too deep in one another', async (kind) => {
    const db = await inMemory();
    const values = db.keyspace('values', {
      key: utf8,
      value: json<unknown>(),
      mergeOperator: jsonMergePatch,
    });
    const nested = (depth: number): unknown =>
      JSON.parse(
        kind === 'objects'
          ? `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
          : `${'['.repeat(depth)}${']'.repeat(depth)}`,
      );
    values.merge('a', nested(512));
    values.merge('a', nested(512));
    expect(JSON.stringify(values.get('a'))).toBe(JSON.stringify(nested(512)));
    for (const depth of [513, 3000]) {
      expect(() => values.merge('a', nested(depth))).toThrow(
        expect.objectContaining({ code: 'OPERAND_INVALID', message: expect.stringContaining('at most 512') }),
      );
    }
    expect(JSON.stringify(values.get('a'))).toBe(JSON.stringify(nested(512)));
  });

  test('keep the largest and the smallest', async () => {
    const db = await inMemory();
    const largest = db.keyspace('largest', { key: utf8, value: u64, mergeOperator: max });
    const smallest = db.keyspace('smallest', { key: utf8, value: u64, mergeOperator: min });
    for (const value of [7, 300, 12]) {
      largest.merge('a', value);
      smallest.merge('a', value);
    }
    expect([largest.get('a'), smallest.get('a')]).toEqual([300, 7]);
    await db.flush();
    largest.merge('a', 299);
    smallest.merge('a', 8);
    await db.compact();
    expect([largest.get('a'), smallest.get('a')]).toEqual([300, 7]);
  });

  // RFC 7396, appendix A.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{}, JSON.parse('{"__proto__":{"x":1}}') as object, JSON.parse('{"__proto__":{"x":1}}') as object],
  ])('patch %j with %j to %j', async (value, patch, wanted) => {
    const db = await inMemory();
    const values = db.keyspace('values', {
      key: utf8,
      value: json<unknown>(),
      mergeOperator: jsonMergePatch,
    });
    values.put('a', value);
    values.merge('a', patch);
    expect(JSON.stringify(values.get('a'))).toBe(JSON.stringify(wanted));
  });
});
