/** `varve/mga`: what readers see, what writers may, ranges, uniqueness, bad input. */
import { type Database, open, utf8 } from 'varve';
import { type Inventory, type MgaIndex, openMgaIndex, TransactionInventory } from 'varve/mga';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectRefusal } from './refusal.ts';

interface World {
  readonly db: Database;
  readonly inventory: TransactionInventory;
  readonly index: MgaIndex<string>;
  /** Runs it in a transaction and commits that. */
  committed(work: (xid: number) => void): number;
}

async function world(options: { unique?: boolean } = {}): Promise<World> {
  const db = await open(':memory:');
  onTestFinished(() => db.close());
  const inventory = TransactionInventory.create();
  const index = await openMgaIndex(db, 'names', { key: utf8, inventory, ...options });
  const committed = (work: (xid: number) => void): number => {
    const xid = inventory.begin();
    work(xid);
    inventory.commit(xid);
    return xid;
  };
  return { db, inventory, index, committed };
}

describe('visibility', () => {
  test('a transaction sees its own entries, later ones see them once it has committed, earlier ones never', async () => {
    const { inventory, index } = await world();
    const before = inventory.begin();
    const writer = inventory.begin();
    const after = inventory.begin();
    index.put('ada', 1, writer);
    expect([before, writer, after].map((xid) => index.get('ada', xid))).toEqual([[], [1], []]);
    inventory.commit(writer);
    expect([before, writer, after].map((xid) => index.get('ada', xid))).toEqual([[], [1], [1]]);
  });

  test('what was rolled back never was', async () => {
    const { inventory, index, committed } = await world();
    committed((xid) => index.put('ada', 1, xid));
    const writer = inventory.begin();
    index.put('ada', 2, writer);
    index.remove('ada', 1, writer);
    expect(index.get('ada', writer)).toEqual([2]);
    inventory.abort(writer);
    const reader = inventory.begin();
    expect(index.get('ada', reader)).toEqual([1]);
    index.remove('ada', 1, reader);
    expect(index.get('ada', reader)).toEqual([]);
  });

  test('a removed entry is seen by earlier transactions, and by all while the remover is active', async () => {
    const { inventory, index, committed } = await world();
    committed((xid) => index.put('ada', 1, xid));
    const before = inventory.begin();
    const remover = inventory.begin();
    const after = inventory.begin();
    index.remove('ada', 1, remover);
    expect([before, remover, after].map((xid) => index.get('ada', xid))).toEqual([[1], [], [1]]);
    inventory.commit(remover);
    expect([before, remover, after].map((xid) => index.get('ada', xid))).toEqual([[1], [], []]);
  });

  test('a row that comes back has lives that different readers see', async () => {
    const { inventory, index, committed } = await world();
    const one = Uint8Array.of(1);
    const two = Uint8Array.of(2);
    committed((xid) => index.put('ada', 1, xid, one));
    const early = inventory.begin();
    committed((xid) => index.remove('ada', 1, xid));
    const middle = inventory.begin();
    committed((xid) => index.put('ada', 1, xid, two));
    const late = inventory.begin();
    const payloads = [early, middle, late].map((xid) =>
      index.entries('ada', xid).map(({ payload }) => payload),
    );
    expect(payloads).toEqual([[one], [], [two]]);
    committed((xid) => index.put('ada', 1, xid, one));
    expect(index.entries('ada', early)[0]!.payload).toEqual(one);
    expect(index.entries('ada', late)[0]!.payload).toEqual(two);
    expect(index.entries('ada', inventory.begin())[0]!.payload).toEqual(one);
  });

  test('a host may keep the inventory itself', async () => {
    const db = await open(':memory:');
    onTestFinished(() => db.close());
    const states = new Map<number, 'active' | 'committed' | 'aborted'>([
      [7, 'committed'],
      [8, 'active'],
      [9, 'aborted'],
    ]);
    const inventory: Inventory = {
      next: 10,
      oldestActive: 8,
      stateOf: (xid) => states.get(xid) ?? 'committed',
      frozen: () => ({ oldestActive: 8, aborted: [] }),
    };
    const index = await openMgaIndex(db, 'names', { inventory });
    const key = Uint8Array.of(0, 1, 0);
    index.put(key, 5, 8);
    expect(index.get(key, 8)).toEqual([5]);
    expect(index.get(key, 9)).toEqual([]);
    states.set(8, 'committed');
    expect(index.get(key, 9)).toEqual([5]);
    await expectRefusal(() => index.put(key, 6, 9), 'XID_NOT_ACTIVE', 'invalid');
    expect((await index.vacuum()).horizon).toBe(8);
    expect(index.get(key, 9)).toEqual([5]);
  });
});

describe('writers', () => {
  test('are refused what another active transaction has changed', async () => {
    const { inventory, index, committed } = await world();
    committed((xid) => index.put('ada', 1, xid));
    const first = inventory.begin();
    const second = inventory.begin();
    index.remove('ada', 1, first);
    index.put('bob', 2, first);
    const context = { tid: 1, xid: second, by: first };
    await expectRefusal(() => index.remove('ada', 1, second), 'ENTRY_CONFLICT', 'conflict', context);
    await expectRefusal(() => index.put('ada', 1, second), 'ENTRY_CONFLICT', 'conflict', context);
    await expectRefusal(() => index.put('bob', 2, second), 'ENTRY_CONFLICT', 'conflict', { by: first });
    await expectRefusal(() => index.remove('bob', 2, second), 'ENTRY_NOT_FOUND', 'invalid');
    inventory.commit(first);
    index.put('ada', 1, second);
    await expectRefusal(() => index.put('bob', 2, first), 'XID_NOT_ACTIVE', 'invalid', {
      state: 'committed',
    });
  });

  test('are refused what a later transaction has committed', async () => {
    const { inventory, index, committed } = await world();
    committed((xid) => index.put('ada', 1, xid));
    const early = inventory.begin();
    const later = committed((xid) => {
      index.remove('ada', 1, xid);
      index.put('bob', 2, xid);
    });
    await expectRefusal(() => index.remove('ada', 1, early), 'ENTRY_CONFLICT', 'conflict', { by: later });
    await expectRefusal(() => index.put('bob', 2, early), 'ENTRY_CONFLICT', 'conflict', { by: later });
  });

  test('can not remove what is not there', async () => {
    const { inventory, index, committed } = await world();
    committed((xid) => index.put('ada', 1, xid));
    const xid = inventory.begin();
    await expectRefusal(() => index.remove('ada', 2, xid), 'ENTRY_NOT_FOUND', 'invalid', { tid: 2, xid });
    await expectRefusal(() => index.remove('bob', 1, xid), 'ENTRY_NOT_FOUND', 'invalid');
    index.remove('ada', 1, xid);
    await expectRefusal(() => index.remove('ada', 1, xid), 'ENTRY_NOT_FOUND', 'invalid');
    index.put('ada', 1, xid);
    index.put('ada', 1, xid);
    expect(index.get('ada', xid)).toEqual([1]);
  });
});

describe('ranges', () => {
  test('are in the order of keys and rows, both ways, with bounds and a limit', async () => {
    const { inventory, index, committed } = await world();
    const rows: [string, number | bigint][] = [];
    for (const key of ['', '\0', '\0a', 'a', 'a\0', 'a\0b', 'aa', 'b']) {
      for (const tid of [5, 3, 0, 2n ** 63n, 300]) rows.push([key, tid]);
    }
    committed((xid) => rows.forEach(([key, tid]) => index.put(key, tid, xid)));
    const reader = inventory.begin();
    const sorted = rows.toSorted(([a, s], [b, t]) => (a === b ? (s < t ? -1 : 1) : a < b ? -1 : 1));
    const scan = (range = {}): [string, number | bigint][] =>
      [...index.rangeScan(range, reader)].map(({ key, tid }) => [key, tid]);
    expect(scan()).toEqual(sorted);
    expect(scan({ reverse: true })).toEqual(sorted.toReversed());
    const between = sorted.filter(([key]) => key >= 'a' && key < 'aa');
    expect(scan({ gte: 'a', lt: 'aa' })).toEqual(between);
    expect(scan({ gt: '\0a', lte: 'a\0b' })).toEqual(between);
    expect(scan({ gte: 'a', lt: 'aa', limit: 7 })).toEqual(between.slice(0, 7));
    expect(scan({ gte: 'a', lt: 'aa', reverse: true, limit: 7 })).toEqual(between.toReversed().slice(0, 7));
    expect(scan({ limit: 0 })).toEqual([]);
    const later: [string, number | bigint][] = [];
    for await (const { key, tid } of index.rangeScan({ reverse: true }, reader)) later.push([key, tid]);
    expect(later).toEqual(sorted.toReversed());
    const forward: [string, number | bigint][] = [];
    for await (const { key, tid } of index.rangeScan({ gte: 'a' }, reader)) forward.push([key, tid]);
    expect(forward).toEqual(sorted.filter(([key]) => key >= 'a'));
    expect(index.get('a', reader)).toEqual([0, 3, 5, 300, 2n ** 63n]);
  });

  test('show payloads, and a cursor lends them', async () => {
    const { inventory, index, committed } = await world();
    committed((xid) => {
      index.put('a', 1, xid, utf8.encode('one'));
      index.put('b', 2, xid);
    });
    const reader = inventory.begin();
    const found = [...index.rangeScan({}, reader)].map(({ key, payload }) => [key, utf8.decode(payload)]);
    expect(found).toEqual([
      ['a', 'one'],
      ['b', ''],
    ]);
    using cursor = index.rangeScan({ gte: 'a' }, reader).cursor();
    expect(cursor.next()).toBe(true);
    expect([cursor.key, cursor.tid, utf8.decode(cursor.payload)]).toEqual(['a', 1, 'one']);
    expect([cursor.next(), cursor.key, cursor.next(), cursor.next()]).toEqual([true, 'b', false, false]);
  });
});

describe('unique keys', () => {
  test('uniqueCheck tells free, taken and in doubt', async () => {
    const { inventory, index, committed } = await world();
    const xid = inventory.begin();
    expect(index.uniqueCheck('ada', xid)).toEqual({ state: 'free' });
    const other = inventory.begin();
    index.put('ada', 1, other);
    expect(index.uniqueCheck('ada', xid)).toEqual({ state: 'in-doubt', tid: 1, by: other });
    expect(index.uniqueCheck('ada', other)).toEqual({ state: 'taken', tid: 1 });
    inventory.commit(other);
    expect(index.uniqueCheck('ada', xid)).toEqual({ state: 'taken', tid: 1 });
    expect(index.uniqueCheck('ada', xid, 1)).toEqual({ state: 'free' });
    const remover = inventory.begin();
    index.remove('ada', 1, remover);
    expect(index.uniqueCheck('ada', remover)).toEqual({ state: 'free' });
    expect(index.uniqueCheck('ada', inventory.begin())).toMatchObject({ state: 'in-doubt', by: remover });
    inventory.commit(remover);
    expect(index.uniqueCheck('ada', xid)).toEqual({ state: 'free' });
    committed((each) => index.put('ada', 2, each));
    expect(index.uniqueCheck('ada', xid)).toEqual({ state: 'taken', tid: 2 });
  });

  test('a unique index refuses a second row, and takes it when the first is gone', async () => {
    const { inventory, index, committed } = await world({ unique: true });
    committed((xid) => index.put('ada', 1, xid));
    const xid = inventory.begin();
    await expectRefusal(() => index.put('ada', 2, xid), 'UNIQUE_VIOLATION', 'conflict', {
      tid: 2,
      holder: 1,
    });
    const remover = inventory.begin();
    index.remove('ada', 1, remover);
    await expectRefusal(() => index.put('ada', 2, xid), 'UNIQUE_IN_DOUBT', 'conflict', { by: remover });
    index.put('ada', 2, remover);
    inventory.commit(remover);
    expect(index.get('ada', inventory.begin())).toEqual([2]);
    await expectRefusal(() => index.put('ada', 3, inventory.begin()), 'UNIQUE_VIOLATION', 'conflict', {
      holder: 2,
    });
  });
});

describe('bad input', () => {
  test('xids of the future, of no transaction, and ended ones are refused by name', async () => {
    const { inventory, index, committed } = await world();
    const done = committed((xid) => index.put('ada', 1, xid));
    const future = inventory.next;
    const context = { xid: future, next: future };
    await expectRefusal(() => index.get('ada', future), 'XID_UNKNOWN', 'invalid', context);
    await expectRefusal(() => index.entries('ada', future), 'XID_UNKNOWN', 'invalid');
    await expectRefusal(() => index.rangeScan({}, future), 'XID_UNKNOWN', 'invalid');
    await expectRefusal(() => index.uniqueCheck('ada', future), 'XID_UNKNOWN', 'invalid');
    await expectRefusal(() => index.put('ada', 2, future), 'XID_UNKNOWN', 'invalid');
    await expectRefusal(() => index.remove('ada', 1, future), 'XID_UNKNOWN', 'invalid');
    await expectRefusal(() => inventory.commit(future), 'XID_UNKNOWN', 'invalid');
    await expectRefusal(() => inventory.abort(future), 'XID_UNKNOWN', 'invalid');
    await expectRefusal(() => inventory.stateOf(future), 'XID_UNKNOWN', 'invalid');
    await expectRefusal(() => index.put('ada', 2, done), 'XID_NOT_ACTIVE', 'invalid');
    await expectRefusal(() => inventory.commit(done), 'XID_NOT_ACTIVE', 'invalid');
    for (const xid of [0, -1, 1.5, Number.NaN, 2 ** 53, '7', 7n, undefined]) {
      await expectRefusal(() => index.get('ada', xid as number), 'XID_INVALID', 'invalid');
      await expectRefusal(() => index.put('ada', 2, xid as number), 'XID_INVALID', 'invalid');
      await expectRefusal(() => inventory.commit(xid as number), 'XID_INVALID', 'invalid');
      await expectRefusal(() => inventory.stateOf(xid as number), 'XID_INVALID', 'invalid');
    }
    expect(index.get('ada', inventory.begin())).toEqual([1]);
  });

  test('row ids, keys, payloads, ranges and options are refused by name', async () => {
    const { db, inventory, index } = await world();
    const xid = inventory.begin();
    for (const tid of [-1, 1.5, 2 ** 53, 2n ** 64n, -1n, '1', undefined]) {
      await expectRefusal(() => index.put('ada', tid as number, xid), 'TID_INVALID', 'invalid');
      await expectRefusal(() => index.remove('ada', tid as number, xid), 'TID_INVALID', 'invalid');
      await expectRefusal(() => index.removeDeadEntries([tid as number]), 'TID_INVALID', 'invalid');
    }
    await expectRefusal(() => index.put(7 as never, 1, xid), 'KEY_INVALID', 'invalid');
    await expectRefusal(() => index.put('x'.repeat(70_000), 1, xid), 'KEY_TOO_LARGE', 'invalid');
    await expectRefusal(() => index.put('x', 1, xid, 'text' as never), 'VALUE_INVALID', 'invalid');
    for (const range of [null, 7, { prefix: 'a' }, { reverse: 1 }, { limit: -1 }, { limit: 1.5 }]) {
      await expectRefusal(() => index.rangeScan(range as never, xid), 'RANGE_INVALID', 'invalid');
    }
    for (const options of [
      undefined,
      {},
      { inventory: {} },
      { inventory, unique: 1 },
      { inventory, keyBytes: 0 },
      { inventory, key: {} },
      { inventory, thresholds: { bytes: -1 } },
      { inventory, thresholds: { other: 1 } },
      { inventory, other: 1 },
    ]) {
      await expectRefusal(() => openMgaIndex(db, 'other', options as never), 'OPTION_INVALID', 'invalid');
    }
    await expectRefusal(() => openMgaIndex(db, '', { inventory }), 'NAME_INVALID', 'invalid');
    await expectRefusal(() => TransactionInventory.create({ slots: 1000 }), 'OPTION_INVALID', 'invalid');
    await expectRefusal(
      () => TransactionInventory.from(new SharedArrayBuffer(8)),
      'INVENTORY_INVALID',
      'invalid',
    );
    await expectRefusal(
      () => TransactionInventory.from(new SharedArrayBuffer(9000)),
      'INVENTORY_INVALID',
      'invalid',
    );
    await expectRefusal(
      () => openMgaIndex(db, 'names', { inventory: TransactionInventory.create() }),
      'INDEX_OPEN',
      'invalid',
    );
    expect(db.keyspaces().filter((name) => name.includes('other'))).toEqual([]);
  });

  test('keys of a fixed length', async () => {
    const { db, inventory } = await world();
    const index = await openMgaIndex(db, 'fixed', { inventory, keyBytes: 2 });
    const xid = inventory.begin();
    for (const tid of [9, 1, 5]) index.put(Uint8Array.of(0, 0), tid, xid);
    index.put(Uint8Array.of(0, 1), 4, xid);
    expect([...index.rangeScan({}, xid)].map(({ key, tid }) => [[...key], tid])).toEqual([
      [[0, 0], 1],
      [[0, 0], 5],
      [[0, 0], 9],
      [[0, 1], 4],
    ]);
    await expectRefusal(() => index.get(Uint8Array.of(1), xid), 'KEY_INVALID', 'invalid', {
      expected: 2,
      got: 1,
    });
  });

  test('a full inventory says what to do, and goes on after a vacuum', async () => {
    const db = await open(':memory:');
    onTestFinished(() => db.close());
    const inventory = TransactionInventory.create({ slots: 1024, first: 2 ** 40 });
    const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
    for (let i = 0; i < 1024; i++) {
      const xid = inventory.begin();
      index.put(`k${i % 50}`, i, xid);
      if (i % 2 === 0) inventory.commit(xid);
      else inventory.abort(xid);
    }
    await expectRefusal(() => inventory.begin(), 'INVENTORY_FULL', 'busy', { slots: 1024 });
    const report = await index.vacuum();
    expect(report).toMatchObject({ horizon: 2 ** 40 + 1024, base: 2 ** 40 + 1024, entries: 512 });
    const reader = inventory.begin();
    expect(index.get('k0', reader)).toHaveLength(21);
    expect(index.get('k1', reader)).toEqual([]);
    expect([...index.rangeScan({}, reader)]).toHaveLength(512);
  });
});
