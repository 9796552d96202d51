/** What callers of MGA indexes may give: row ids as bigints, keys that are too long, things that are none of what is asked for. */
import { type Database, open, utf8 } from 'varve';
import { type MgaIndex, openInventory, openMgaIndex, type TransactionInventory } from 'varve/mga';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { expectRefusal } from './refusal.ts';

interface World {
  readonly db: Database;
  readonly inventory: TransactionInventory;
  readonly index: MgaIndex<string>;
}

async function world(options: { unique?: boolean } = {}): Promise<World> {
  const db = await open(':memory:');
  onTestFinished(() => db.close());
  const inventory = await openInventory(db);
  const index = await openMgaIndex(db, 'names', { key: utf8, inventory, ...options });
  return { db, inventory, index };
}

describe('a row id', () => {
  test('is the same row as a bigint and as a number', async () => {
    const { inventory, index } = await world();
    const xid = inventory.begin();
    index.put('a', 17n, xid);
    index.put('a', 17, xid, utf8.encode('new'));
    expect(index.entries('a', xid)).toEqual([{ key: 'a', tid: 17, payload: utf8.encode('new') }]);
    index.remove('a', 17n, xid);
    expect(index.get('a', xid)).toEqual([]);
    await index.reindex([
      { key: 'b', tid: 5n },
      { key: 'b', tid: 6 },
    ]);
    const next = inventory.begin();
    index.remove('b', 5, next);
    expect(index.get('b', next)).toEqual([6]);
  });

  test('as a bigint does not stand in the way of itself in a unique index', async () => {
    const { inventory, index } = await world({ unique: true });
    const xid = inventory.begin();
    index.put('a', 17n, xid, utf8.encode('1'));
    index.put('a', 17n, xid, utf8.encode('2'));
    expect(index.uniqueCheck('a', xid, 17n)).toEqual({ state: 'free' });
    expect(index.uniqueCheck('a', xid, 2n ** 60n)).toEqual({ state: 'taken', tid: 17 });
  });
});

describe('a key that is too long', () => {
  test('is refused for the first row as for the second, and as a bound', async () => {
    const { inventory, index } = await world();
    const xid = inventory.begin();
    const longest = 'x'.repeat(65_525);
    index.put(longest, 1, xid);
    index.put(longest, 2, xid);
    expect(index.get(longest, xid)).toEqual([1, 2]);
    for (const key of [`${longest}x`, 'x'.repeat(70_000), '\0'.repeat(40_000)]) {
      for (const refused of [
        () => index.put(key, 1, xid),
        () => index.remove(key, 1, xid),
        () => index.get(key, xid),
        () => index.uniqueCheck(key, xid),
        ...[{ gte: key, reverse: true }, { gte: key }, { lte: key }, { gt: key }, { lt: key }].map(
          (range) => () => [...index.rangeScan(range, xid)],
        ),
      ]) {
        await expectRefusal(refused, 'KEY_TOO_LARGE', 'invalid', { index: 'names', max: 65_527 });
      }
    }
    expect([...index.rangeScan({ lte: longest, reverse: true }, xid)].map(({ tid }) => tid)).toEqual([2, 1]);
  });
});

describe('a walk that can not begin', () => {
  test.each([false, true])('holds nothing back, reverse: %s', async (reverse) => {
    const { db, inventory, index } = await world();
    const xid = inventory.begin();
    index.put('a', 1, xid);
    inventory.commit(xid);
    const scan = index.rangeScan({ reverse }, xid);
    const name = db.keyspaces().find((each) => each.startsWith('varve.mga/'))!;
    await db.dropKeyspace(name);
    for (const begin of [() => [...scan], () => scan.cursor()]) {
      await expectRefusal(begin, 'KEYSPACE_DROPPED', 'invalid');
    }
    expect(db.stats().snapshots.count).toBe(0);
  });
});

test('a cursor is empty before its first move', async () => {
  const { inventory, index } = await world();
  const xid = inventory.begin();
  index.put('a', 1, xid);
  for (const reverse of [false, true]) {
    const cursor = index.rangeScan({ reverse }, xid).cursor();
    expect([cursor.key, cursor.tid, cursor.payload.length]).toEqual(['', 0, 0]);
    expect([cursor.next(), cursor.key, cursor.tid]).toEqual([true, 'a', 1]);
    cursor.close();
  }
});

test('a vacuum asks for the threads of the database once a turn, not once a key', async () => {
  const { db, inventory, index } = await world();
  const xid = inventory.begin();
  for (let i = 0; i < 2000; i++) for (const tid of [1, 2]) index.put(`k${i}`, tid, xid);
  inventory.commit(xid);
  await index.vacuum();
  const stats = vi.spyOn(db, 'stats');
  expect(await index.vacuum()).toMatchObject({ entries: 4000, changed: 0 });
  expect(stats.mock.calls.length).toBeLessThan(400);
});
