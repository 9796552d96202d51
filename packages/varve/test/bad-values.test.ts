/** Bad input: keys and values that a codec or a limit refuses, by every method that takes them. */
import { type Database, json, type Keyspace, tuple, u64, utf8 } from 'varve';
import { describe, expect, test } from 'vitest';
import { bytes, inMemory, texts } from './in-memory.ts';
import { expectRefusal, refusal } from './refusal.ts';

describe('keys and values', () => {
  /** Refused by every way in, and by every way to read where it is a key. */
  async function refusedEverywhere(
    db: Database,
    keyspace: Keyspace<unknown, unknown>,
    key: unknown,
    value: unknown,
    code: string,
  ): Promise<void> {
    const before = db.stats().sequence;
    const ways = [
      () => keyspace.put(key, value),
      () => keyspace.put(key, value, { durability: 'os' }),
      () => keyspace.putIfAbsent(key, value),
      () => keyspace.update(key, () => value),
      () => db.batch().put(keyspace, key, value),
    ];
    for (const way of ways) await expectRefusal(way, code, 'invalid');
    expect(db.stats().sequence).toBe(before);
  }

  test('a key of another type than the codec takes is refused by every method that takes a key', async () => {
    const db = await inMemory();
    const keyspace = texts(db) as unknown as Keyspace<unknown, string>;
    keyspace.put('kept', 'value');
    for (const key of [1, null, undefined, {}, new Uint8Array(1), Symbol('x')]) {
      await refusedEverywhere(db, keyspace, key, 'v', 'KEY_INVALID');
      const snapshot = db.snapshot();
      const ways = [
        () => keyspace.get(key),
        () => keyspace.getAsync(key),
        () => keyspace.getMany(['kept', key]),
        () => keyspace.has(key),
        () => keyspace.delete(key),
        () => keyspace.delete(key, { durability: 'os' }),
        () => db.batch().delete(keyspace, key),
        () => snapshot.get(keyspace, key),
        () => snapshot.has(keyspace, key),
      ];
      for (const way of ways) await expectRefusal(way, 'KEY_INVALID', 'invalid', { codec: 'utf8' });
      snapshot.close();
    }
    for (const bound of ['gte', 'gt', 'lte', 'lt', 'prefix']) {
      const range = { [bound]: 1 };
      await expectRefusal(() => keyspace.range(range).cursor(), 'KEY_INVALID', 'invalid');
      await expectRefusal(() => keyspace.count(range), 'KEY_INVALID', 'invalid');
      await expectRefusal(() => keyspace.approximateSize(range), 'KEY_INVALID', 'invalid');
    }
    await expectRefusal(() => keyspace.deleteRange({ gte: 1, lt: 'b' }), 'KEY_INVALID', 'invalid');
    expect([...keyspace.range()]).toEqual([['kept', 'value']]);
  });

  test('a key that the codec could not bring back is refused: lone surrogates, fractions, negatives', async () => {
    const db = await inMemory();
    await expectRefusal(() => texts(db).put('\ud800', 'v'), 'KEY_INVALID', 'invalid');
    const numbers = db.keyspace('numbers', { key: u64, value: utf8 });
    for (const key of [-1, 1.5, Number.NaN, Infinity, 2 ** 53, -1n, 2n ** 64n]) {
      await expectRefusal(() => numbers.put(key, 'v'), 'KEY_INVALID', 'invalid', { codec: 'u64' });
    }
    const tuples = db.keyspace('tuples', { key: tuple<readonly unknown[]>(), value: utf8 });
    for (const key of [[{}], [() => 1], 'text' as unknown as unknown[]]) {
      await expectRefusal(() => tuples.put(key, 'v'), 'KEY_INVALID', 'invalid');
    }
    expect(db.stats().keyspaces['numbers']!.entries).toBe(0);
  });

  test('a value of another type than the codec takes is refused, and the key keeps its value', async () => {
    const db = await inMemory();
    const keyspace = texts(db) as unknown as Keyspace<unknown, unknown>;
    keyspace.put('a', 'before');
    for (const value of [1, null, {}, new Uint8Array(1)]) {
      await expectRefusal(() => keyspace.put('a', value), 'VALUE_INVALID', 'invalid', { codec: 'utf8' });
      await expectRefusal(() => keyspace.putIfAbsent('b', value), 'VALUE_INVALID', 'invalid');
      await expectRefusal(() => keyspace.update('a', () => value), 'VALUE_INVALID', 'invalid');
      await expectRefusal(() => db.batch().put(keyspace, 'a', value), 'VALUE_INVALID', 'invalid');
    }
    const documents = db.keyspace('documents', { key: utf8, value: json<unknown>() });
    const circle: unknown[] = [];
    circle.push(circle);
    for (const value of [circle, undefined, () => 1, 1n]) {
      await expectRefusal(() => documents.put('a', value), 'VALUE_INVALID', 'invalid');
    }
    const raw = db.keyspace('raw') as unknown as Keyspace<unknown, unknown>;
    await expectRefusal(() => raw.put('text', bytes('v')), 'KEY_INVALID', 'invalid', { codec: 'bytes' });
    await expectRefusal(() => raw.put(bytes('k'), 'text'), 'VALUE_INVALID', 'invalid', { codec: 'bytes' });
    expect([...keyspace.range()]).toEqual([['a', 'before']]);
  });

  test('a key over 65,535 bytes is refused wherever a key is taken', async () => {
    const db = await inMemory();
    const raw = db.keyspace('raw');
    const key = new Uint8Array(65_536);
    const context = { keyspace: 'raw', got: 65_536, max: 65_535 };
    const ways = [
      () => raw.put(key, bytes('v')),
      () => raw.put(key, bytes('v'), { durability: 'disk' }),
      () => raw.delete(key),
      () => raw.get(key),
      () => raw.has(key),
      () => raw.deleteRange({ gte: new Uint8Array(1), lt: key }),
      () => db.batch().put(raw, key, bytes('v')),
    ];
    for (const way of ways) await expectRefusal(way, 'KEY_TOO_LARGE', 'invalid', context);
    raw.put(key.subarray(1), bytes('fits'));
    expect(raw.count()).toBe(1);
    // The bound behind the longest key is itself a byte longer, and is no key.
    expect(raw.count({ lte: key.subarray(1) })).toBe(1);
  });

  test('a value that no batch can hold is refused, and the batch limit counts the whole batch', async () => {
    const db = await inMemory({ batchBytesMax: 4096 });
    const raw = db.keyspace('raw');
    await expectRefusal(() => raw.put(bytes('k'), new Uint8Array(4096)), 'BATCH_TOO_LARGE', 'invalid', {
      max: 4096,
    });
    const batch = db.batch();
    for (let i = 0; i < 5; i++) batch.put(raw, bytes(`k${i}`), new Uint8Array(1000));
    await expectRefusal(() => db.write(batch), 'BATCH_TOO_LARGE', 'invalid', { got: batch.bytes });
    await expectRefusal(() => db.write(batch, { durability: 'os' }), 'BATCH_TOO_LARGE', 'invalid');
    expect({ count: raw.count(), kept: batch.count }).toEqual({ count: 0, kept: 5 });
    raw.put(bytes('k'), new Uint8Array(4000));
    expect(raw.count()).toBe(1);
  });

  test('a value over 512 MB is refused before anything is copied', async () => {
    const db = await inMemory();
    const huge = new Uint8Array(new ArrayBuffer(512 * 1024 * 1024 + 1));
    const error = await refusal(() => db.keyspace('raw').put(bytes('k'), huge));
    expect(error).toMatchObject({ code: 'VALUE_TOO_LARGE', kind: 'invalid', context: { keyspace: 'raw' } });
  });

  test('a codec that throws or gives no bytes is told as such, and its own error is the cause', async () => {
    const db = await inMemory();
    const thrown = new TypeError('no');
    const odd = db.keyspace('odd', {
      key: { name: 'odd', encode: () => 'text' as unknown as Uint8Array, decode: () => 1 },
      value: {
        name: 'strange',
        encode() {
          throw thrown;
        },
        decode: () => 1,
      },
    });
    await expectRefusal(() => odd.get(1), 'KEY_INVALID', 'invalid', { codec: 'odd' });
    const odder = db.keyspace('odder', {
      key: utf8,
      value: {
        name: 'strange',
        encode() {
          throw thrown;
        },
        decode: () => 1,
      },
    });
    const error = await expectRefusal(() => odder.put('k', 1), 'VALUE_INVALID', 'invalid', {
      codec: 'strange',
    });
    expect(error.cause).toBe(thrown);
  });

  test('update refuses what is no function and what is asynchronous', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    keyspace.put('a', '1');
    await expectRefusal(() => keyspace.update('a', 'x' as never), 'VALUE_INVALID', 'invalid');
    await expectRefusal(() => keyspace.update('a', (async () => 'x') as never), 'VALUE_INVALID', 'invalid');
    expect(keyspace.get('a')).toBe('1');
    const own = new Error('mine');
    expect(() =>
      keyspace.update('a', () => {
        throw own;
      }),
    ).toThrow(own);
    expect(keyspace.get('a')).toBe('1');
  });
});
