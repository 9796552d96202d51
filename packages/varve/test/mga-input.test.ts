/** What callers of MGA indexes may give: row ids as bigints, keys that are too long, things that are none of what is asked for. */
import { type Database, open, u64, utf8 } from 'varve';
import {
  type FrozenInventory,
  type Inventory,
  type MgaIndex,
  openInventory,
  openMgaIndex,
  TransactionInventory,
} from 'varve/mga';
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

test('an index that is open is opened again only as what it is', async () => {
  const { db, inventory, index } = await world();
  expect(await openMgaIndex(db, 'names', { key: utf8, inventory })).toBe(index);
  for (const [member, other] of [
    ['codec', { key: u64 }],
    ['unique', { key: utf8, unique: true }],
    ['keyBytes', { key: utf8, keyBytes: 8 }],
  ] as const) {
    const again = (): unknown =>
      openMgaIndex<string | number | bigint>(db, 'names', { ...other, inventory } as never);
    await expectRefusal(again, 'INDEX_OPTIONS', 'invalid', { index: 'names', member });
  }
});

describe('what is none of what is asked for', () => {
  test('is refused by name', async () => {
    const { db, inventory, index } = await world();
    const xid = inventory.begin();
    index.put('a', 1, xid);
    const none = null as never;
    for (const [option, refused] of [
      ['options', () => openInventory(db, none)],
      ['options', () => TransactionInventory.create(none)],
      ['wait', () => inventory.commit(xid, none)],
      ['source', () => index.reindex(none)],
      ['source', () => index.reindex(7 as never)],
      ['options', () => index.moveTo(db, none)],
      ['inventory', () => index.moveTo(db, { inventory: {} as never })],
    ] as const) {
      await expectRefusal(refused, 'OPTION_INVALID', 'invalid', { option });
    }
    const other = await open(':memory:');
    onTestFinished(() => other.close());
    const copyOf = {} as never;
    await expectRefusal(() => openInventory(other, { copyOf }), 'OPTION_INVALID', 'invalid', {
      option: 'copyOf',
    });
    expect(index.get('a', xid)).toEqual([1]);
  });

  test('by a host when it is asked for its frozen inventory: vacuum says so, compactions take nothing out', async () => {
    const db = await open(':memory:');
    onTestFinished(() => db.close());
    let frozen: unknown;
    const inventory: Inventory = {
      next: 10,
      oldestActive: 9,
      stateOf: (xid) => (xid === 9 ? 'active' : 'committed'),
      frozen: () => frozen as FrozenInventory,
    };
    const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
    index.put('a', 1, 9);
    for (frozen of [undefined, 7, { oldestActive: 9, aborted: 5 }, { oldestActive: '9', aborted: [] }]) {
      await expectRefusal(() => index.vacuum(), 'INVENTORY_INVALID', 'invalid');
      await db.flush();
      await db.compact();
      expect(index.get('a', 9)).toEqual([1]);
    }
  });

  test('an xid beyond the last one', async () => {
    const inventory = TransactionInventory.create({ first: Number.MAX_SAFE_INTEGER - 1 });
    const last = inventory.begin();
    expect(last).toBe(Number.MAX_SAFE_INTEGER - 1);
    inventory.commit(last);
    await expectRefusal(() => inventory.begin(), 'XIDS_EXHAUSTED', 'invalid');
    expect([inventory.next, inventory.oldestActive]).toEqual([last + 1, last + 1]);
  });
});
