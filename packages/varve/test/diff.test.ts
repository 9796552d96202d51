/** What differs between two states: by the keys that were written, and where that does not do by both states side by side. */
import { utf8 } from 'varve';
import { describe, expect, test } from 'vitest';
import { texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { at, past, settle } from './time-travel-world.ts';

describe('the difference of two states', () => {
  test('names what was put, changed and deleted between them, by keys, in order', async () => {
    const { db, clock, data } = await past();
    data.put('a', '1');
    data.put('b', '1');
    data.put('c', '1');
    data.put('same', '1');
    const from = db.stats().sequence;
    clock.time += 10;
    data.put('b', '2');
    data.delete('c');
    data.put('d', '2');
    data.put('same', '0');
    data.put('same', '1');
    data.put('gone', '2');
    data.delete('gone');
    const to = db.stats().sequence;
    clock.time += 10;
    data.put('d', 'later');
    const expected = [
      { keyspace: 'data', key: 'b', before: '1', after: '2' },
      { keyspace: 'data', key: 'c', before: '1', after: undefined },
      { keyspace: 'data', key: 'd', before: undefined, after: '2' },
    ];
    const check = (): void => {
      expect([...db.diff(from, to, { keyspace: data })]).toEqual(expected);
      expect([...db.diff(at(5), at(15), { keyspace: data })]).toEqual(expected);
      expect([...db.diff(from, to, { keyspace: data, reverse: true })]).toEqual([...expected].reverse());
      expect([...db.diff(from, to, { keyspace: data, limit: 1 })]).toEqual(expected.slice(0, 1));
      expect([...db.diff(from, to, { keyspace: data, gt: 'b', lt: 'd' })]).toEqual(expected.slice(1, 2));
      expect([...db.diff(from, undefined, { keyspace: data, gte: 'd' })]).toEqual([
        { keyspace: 'data', key: 'd', before: undefined, after: 'later' },
      ]);
    };
    check();
    await settle(db);
    check();
    // From here on both states are walked side by side.
    data.deleteRange({ gte: 'x', lt: 'z' });
    check();
    data.put('expires', '1', { ttlMs: 5 });
    expect([...db.diff(from, to, { keyspace: data })]).toEqual(expected);
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('counts what a range delete took and what has expired', async () => {
    const { db, clock, data } = await past();
    data.put('a', '1');
    data.put('b', '1');
    data.put('e', '1', { ttlMs: 15 });
    clock.time += 10;
    data.deleteRange({ gte: 'a', lt: 'b' });
    clock.time += 10;
    const keys = (from: Date, to: Date): string[] =>
      [...db.diff(from, to, { keyspace: data })].map(({ key }) => key);
    expect(keys(at(0), at(12))).toEqual(['a']);
    expect(keys(at(12), at(20))).toEqual(['e']);
    expect(keys(at(0), at(20))).toEqual(['a', 'e']);
  });

  test('of all keyspaces is by bytes, and both states stay while it is walked', async () => {
    const { db, clock, data } = await past({ ms: 100 });
    const other = db.keyspace('a', { retention: { ms: 100 } });
    const from = db.stats().sequence;
    clock.time += 10;
    data.put('k', 'v');
    for (let i = 0; i < 1000; i++) other.put(Uint8Array.of(i >> 8, i), Uint8Array.of(7));
    let count = 0;
    for (const { keyspace, key, before, after } of db.diff(from)) {
      if (count++ === 5) {
        clock.time += 10_000;
        other.deleteRange({ gte: Uint8Array.of(0), lt: Uint8Array.of(255) });
        await settle(db);
      }
      expect(before).toBeUndefined();
      expect(after).toEqual(keyspace === 'a' ? Uint8Array.of(7) : utf8.encode('v'));
      expect(key).toBeInstanceOf(Uint8Array);
    }
    expect(count).toBe(1001);
    const walk = db.diff(db.stats().sequence)[Symbol.iterator]();
    expect(walk.next().done).toBe(true);
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('goes from a time to the sequence that is still the latest one then, where nothing differs', async () => {
    const { db, clock, data } = await past();
    const sequence = data.put('a', '1', { ttlMs: 5 });
    clock.time += 10;
    expect([...db.diff(at(8), sequence)]).toEqual([]);
    expect([...db.diff(at(8), sequence, { limit: undefined } as never)]).toEqual([]);
    data.put('b', '1');
    expect([...db.diff(at(8), sequence)]).toEqual([]);
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('left in the middle lets go of its states', async () => {
    const { db, data } = await past();
    const from = db.stats().sequence;
    data.put('a', '1');
    data.put('b', '1');
    for (const _ of db.diff(from, undefined, { keyspace: data })) break;
    data.deleteRange({ gte: 'x', lt: 'y' });
    for (const _ of db.diff(from, undefined, { keyspace: data })) break;
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('is refused at the call for what it can not compare', async () => {
    const { db, clock, data } = await past();
    texts(db, 'other');
    data.put('a', '1');
    clock.time += 5;
    data.put('a', '2');
    clock.time += 19_995;
    await expectRefusal(() => db.diff(at(1), undefined, { keyspace: data }), 'OUTSIDE_HISTORY', 'invalid');
    await expectRefusal(() => db.diff(at(20_000), at(15_000)), 'POINT_INVALID', 'invalid');
    await expectRefusal(
      () => db.diff(at(20_000), at(20_000), { gte: 'a' } as never),
      'OPTION_INVALID',
      'invalid',
    );
    await expectRefusal(
      () => db.diff(at(20_000), at(20_000), { keyspace: data, from: 'a' } as never),
      'RANGE_INVALID',
      'invalid',
    );
    await expectRefusal(
      () => db.diff(at(20_000), at(20_000), { keyspace: {} } as never),
      'KEYSPACE_FOREIGN',
      'invalid',
    );
    await expectRefusal(() => db.diff(at(19_000)), 'OUTSIDE_HISTORY', 'invalid', { keyspace: 'other' });
    expect(db.stats().snapshots.count).toBe(0);
  });
});
