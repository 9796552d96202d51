/** Vacuum, reindex, moves, dead rows and statistics of MGA indexes. */
import { type Database, open, utf8 } from 'varve';
import { type MgaIndex, openInventory, openMgaIndex, TransactionInventory } from 'varve/mga';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectRefusal, refusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

interface World {
  readonly db: Database;
  readonly inventory: TransactionInventory;
  readonly index: MgaIndex<string>;
}

async function world(path = ':memory:'): Promise<World> {
  const db = await open(path);
  onTestFinished(() => db.close());
  const inventory = await openInventory(db);
  const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
  return { db, inventory, index };
}

function committed({ inventory }: World, work: (xid: number) => void): void {
  const xid = inventory.begin();
  work(xid);
  inventory.commit(xid);
}

function stored({ db }: World): number {
  return db.keyspace(db.keyspaces().find((name) => name.startsWith('varve.mga/'))!).count();
}

function* brokenSource(): Generator<{ key: string; tid: number }> {
  yield { key: 'b', tid: 1 };
  throw new Error('host');
}

const keys = Array.from({ length: 200 }, (_, i) => `k${String(i).padStart(3, '0')}`);

describe('garbage', () => {
  test.each([':memory:', 'disk'])('goes when no transaction can see it, %s', async (where) => {
    const here = await world(where === 'disk' ? temporaryDirectory() : where);
    const { db, inventory, index } = here;
    committed(here, (xid) => keys.forEach((key, i) => index.put(key, i, xid)));
    const reader = inventory.begin();
    committed(here, (xid) => keys.slice(0, 150).forEach((key, i) => index.remove(key, i, xid)));
    await index.vacuum();
    expect([...index.rangeScan({}, reader)]).toHaveLength(200);
    expect(stored(here)).toBe(200);
    inventory.commit(reader);
    await db.compact();
    expect(stored(here)).toBe(50);
    expect([...index.rangeScan({}, inventory.begin())].map(({ key }) => key)).toEqual(keys.slice(150));
  });

  test('that an open walk may see stays until it ends, and the inventory remembers as long', async () => {
    const here = await world();
    const { inventory, index } = here;
    committed(here, (xid) => keys.forEach((key, i) => index.put(key, i, xid)));
    const aborted = inventory.begin();
    keys.forEach((key, i) => index.put(key, 1000 + i, aborted));
    const reader = inventory.begin();
    const cursor = index.rangeScan({}, reader).cursor();
    expect(cursor.next()).toBe(true);
    inventory.abort(aborted);
    inventory.commit(reader);
    const first = await index.vacuum();
    expect(first.changed).toBeGreaterThan(0);
    expect(first.horizon).toBe(inventory.next);
    expect(first.base).toBeLessThanOrEqual(aborted);
    let shown = 1;
    while (cursor.next()) {
      expect(cursor.tid).toBeLessThan(1000);
      shown++;
    }
    expect(shown).toBe(200);
    cursor.close();
    expect((await index.vacuum()).base).toBe(inventory.next);
    expect(stored(here)).toBe(200);
  });

  test.each([':memory:', 'disk'])('is all gone by the filter when nobody reads, %s', async (where) => {
    const here = await world(where === 'disk' ? temporaryDirectory() : where);
    const { index } = here;
    committed(here, (xid) => keys.forEach((key, i) => index.put(key, i, xid)));
    committed(here, (xid) => keys.slice(0, 150).forEach((key, i) => index.remove(key, i, xid)));
    // The walk behind the compaction has found nothing to do.
    expect(await index.vacuum()).toMatchObject({ entries: 50, changed: 0 });
  });

  test('several vacuums at once take turns', async () => {
    const here = await world();
    const { db, inventory, index } = here;
    const other = await openMgaIndex(db, 'other', { key: utf8, inventory });
    const aborted = inventory.begin();
    for (const each of [index, other]) each.put('a', 1, aborted);
    inventory.abort(aborted);
    const reports = await Promise.all([index.vacuum(), other.vacuum(), index.vacuum()]);
    expect(reports.map(({ entries }) => entries)).toEqual([0, 0, 0]);
    expect(inventory.base).toBe(inventory.next);
  });

  test('a key whose rows have all gone leaves nothing', async () => {
    const here = await world();
    const { index } = here;
    committed(here, (xid) => [5, 1, 9].forEach((tid) => index.put('a', tid, xid)));
    committed(here, (xid) => index.remove('a', 5, xid));
    expect((await index.vacuum()).entries).toBe(3);
    const inventory = here.inventory;
    expect(index.get('a', inventory.begin())).toEqual([1, 9]);
    for (let xid = inventory.oldestActive; xid < inventory.next; xid++) inventory.commit(xid);
    committed(here, (xid) => [1, 9].forEach((tid) => index.remove('a', tid, xid)));
    expect((await index.vacuum()).entries).toBe(0);
    expect(stored(here)).toBe(0);
  });

  test('removeDeadEntries takes all entries of rows away', async () => {
    const here = await world();
    const { inventory, index } = here;
    committed(here, (xid) => {
      for (const key of ['a', 'b']) for (const tid of [1, 2, 2n ** 60n]) index.put(key, tid, xid);
    });
    expect(await index.removeDeadEntries([1n, 2n ** 60n, 77])).toBe(4);
    expect(await index.removeDeadEntries([1])).toBe(0);
    expect(await index.removeDeadEntries([])).toBe(0);
    const reader = inventory.begin();
    expect([...index.rangeScan({}, reader)].map(({ key, tid }) => [key, tid])).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
    index.put('a', 1, reader);
    expect(index.get('a', reader)).toEqual([1, 2]);
  });
});

describe('reindex', () => {
  test('builds the index anew: reads go on, writes are refused, walks see the old one to their end', async () => {
    const here = await world();
    const { db, inventory, index } = here;
    committed(here, (xid) => keys.forEach((key) => index.put(key, 1, xid)));
    const reader = inventory.begin();
    const before = index.rangeScan({}, reader).cursor();
    expect(before.next()).toBe(true);
    async function* source(): AsyncGenerator<{
      key: string;
      tid: number;
      xmin?: number;
      payload: Uint8Array;
    }> {
      await expectRefusal(() => index.put('x', 1, reader), 'INDEX_BUSY', 'busy', { during: 'reindex' });
      await expectRefusal(() => index.remove('k001', 1, reader), 'INDEX_BUSY', 'busy');
      await expectRefusal(() => index.vacuum(), 'INDEX_BUSY', 'busy');
      await expectRefusal(() => index.reindex([]), 'INDEX_BUSY', 'busy');
      await expectRefusal(() => index.removeDeadEntries([1]), 'INDEX_BUSY', 'busy');
      expect(index.get('k001', reader)).toEqual([1]);
      yield { key: 'b', tid: 2, payload: utf8.encode('two') };
      yield { key: 'a', tid: 1, xmin: reader, payload: utf8.encode('one') };
      yield { key: 'b', tid: 1, payload: utf8.encode('one') };
    }
    expect(await index.reindex(source())).toEqual({ entries: 3 });
    expect([...index.rangeScan({}, reader)].map(({ key, tid }) => [key, tid])).toEqual([
      ['a', 1],
      ['b', 1],
      ['b', 2],
    ]);
    expect(index.get('a', inventory.begin())).toEqual([]);
    let walked = 1;
    while (before.next()) walked++;
    expect(walked).toBe(200);
    before.close();
    index.put('c', 1, reader);
    await db.flush();
    expect(db.keyspaces().filter((name) => name.startsWith('varve.mga/'))).toHaveLength(1);
  });

  test('beside a vacuum and a removal of dead rows: these end on the old index', async () => {
    const here = await world();
    const { db, inventory, index } = here;
    committed(here, (xid) => keys.forEach((key, i) => index.put(key, i, xid)));
    const vacuum = index.vacuum();
    const removal = refusal(() => index.removeDeadEntries(keys.keys()));
    await index.reindex([{ key: 'a', tid: 1 }]);
    await vacuum;
    expect((await removal).code).toBe('INDEX_BUSY');
    expect([...index.rangeScan({}, inventory.begin())].map(({ key }) => key)).toEqual(['a']);
    await db.flush();
    expect(db.keyspaces().filter((name) => name.startsWith('varve.mga/'))).toHaveLength(1);
  });

  test('leaves out what was rolled back, which the inventory may forget', async () => {
    const { inventory, index } = await world();
    const [aborted, good] = [inventory.begin(), inventory.begin()];
    inventory.abort(aborted);
    const { entries } = await index.reindex([
      { key: 'a', tid: 1, xmin: aborted },
      { key: 'b', tid: 1, xmax: aborted },
      { key: 'c', tid: 1, xmin: good },
    ]);
    inventory.commit(good);
    expect(entries).toBe(3);
    inventory.trim(inventory.oldestActive);
    expect([...index.rangeScan({}, inventory.begin())].map(({ key }) => key)).toEqual(['b', 'c']);
  });

  test('that fails leaves the index as it was', async () => {
    const here = await world();
    const { db, inventory, index } = here;
    committed(here, (xid) => index.put('a', 1, xid));
    const reader = inventory.begin();
    const wrong: unknown[] = [
      7,
      { key: 'a', tid: -1 },
      { key: 'a', tid: 1, xmin: inventory.next },
      { key: 'a', tid: 1, xmin: 1.5 },
      { key: 'a', tid: 1, xmin: reader, xmax: 1 },
      { key: 'a', tid: 1, payload: 'text' },
    ];
    for (const entry of wrong) {
      const entries = [{ key: 'b', tid: 2 }, entry as { key: string; tid: number }];
      await expectRefusal(() => index.reindex(entries), 'ENTRY_INVALID', 'invalid', { position: 1 });
    }
    await expect(index.reindex(brokenSource())).rejects.toThrow('host');
    expect([...index.rangeScan({}, reader)].map(({ key, tid }) => [key, tid])).toEqual([['a', 1]]);
    expect(db.keyspaces().filter((name) => name.startsWith('varve.mga/'))).toHaveLength(1);
    index.put('b', 1, reader);
  });

  test('that a crash ends is none', async () => {
    const path = temporaryDirectory();
    const db = await open(path);
    const inventory = await openInventory(db);
    const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
    const xid = inventory.begin();
    index.put('a', 1, xid);
    inventory.commit(xid);
    async function* source(): AsyncGenerator<{ key: string; tid: number }> {
      yield { key: 'b', tid: 1 };
      await db.close();
    }
    expect((await refusal(() => index.reindex(source()))).code).toBe('CLOSED');
    const again = await open(path);
    onTestFinished(() => again.close());
    const stored2 = await openInventory(again);
    const reopened = await openMgaIndex(again, 'names', { key: utf8, inventory: stored2 });
    const reader = stored2.begin();
    expect([...reopened.rangeScan({}, reader)].map(({ key }) => key)).toEqual(['a']);
    reopened.put('b', 2, reader);
    expect(again.keyspaces().filter((name) => name.startsWith('varve.mga/'))).toHaveLength(1);
  });

  test('of a unique index takes no two rows of a key', async () => {
    const db = await open(':memory:');
    onTestFinished(() => db.close());
    const inventory = TransactionInventory.create();
    const index = await openMgaIndex(db, 'u', { key: utf8, inventory, unique: true });
    const both = [1, 2].map((tid) => ({ key: 'a', tid }));
    await expectRefusal(() => index.reindex(both), 'ENTRY_INVALID', 'invalid', { position: 1 });
    inventory.begin();
    inventory.commit(1);
    const one = [
      { key: 'a', tid: 1, xmax: 1 },
      { key: 'a', tid: 2 },
    ];
    expect(await index.reindex(one)).toEqual({ entries: 2 });
  });
});

describe('moves', () => {
  test('from memory to disk and back', async () => {
    const here = await world();
    const { inventory, index } = here;
    committed(here, (xid) => keys.forEach((key, i) => index.put(key, i, xid, utf8.encode(key))));
    const active = inventory.begin();
    index.put('k000', 500, active);
    const disk = await open(temporaryDirectory());
    onTestFinished(() => disk.close());
    const there = await index.moveTo(disk, { inventory: await openInventory(disk, { copyOf: inventory }) });
    const kept = await openInventory(disk);
    expect(there.get('k000', active)).toEqual([0, 500]);
    expect([...there.rangeScan({}, kept.begin())]).toHaveLength(200);
    await expectRefusal(() => index.get('k000', active), 'INDEX_GONE', 'invalid');
    expect(here.db.keyspaces().filter((name) => name.startsWith('varve.mga/'))).toEqual([]);
    expect(await openMgaIndex(disk, 'names', { key: utf8, inventory: kept })).toBe(there);
    const memory = await open(':memory:');
    onTestFinished(() => memory.close());
    const back = await there.moveTo(memory);
    kept.commit(active);
    expect(back.get('k000', kept.begin())).toEqual([0, 500]);
    expect(utf8.decode(back.entries('k199', kept.begin())[0]!.payload)).toBe('k199');
  });

  test('not to where there is one, nor to an inventory that does not know its transactions', async () => {
    const here = await world();
    const { inventory, index } = here;
    committed(here, (xid) => index.put('a', 1, xid));
    const other = await open(':memory:');
    onTestFinished(() => other.close());
    await openMgaIndex(other, 'names', { key: utf8, inventory });
    await expectRefusal(() => index.moveTo(other), 'INDEX_EXISTS', 'invalid', { index: 'names' });
    const young = TransactionInventory.create();
    await expectRefusal(() => index.moveTo(other, { inventory: young }), 'INVENTORY_BEHIND', 'invalid');
    const xid = inventory.begin();
    index.put('b', 1, xid);
    expect(index.get('a', xid)).toEqual([1]);
  });
});

describe('what is stored of an index', () => {
  test('is read by a process that may not write', async () => {
    const path = temporaryDirectory();
    const here = await open(path);
    const inventory = await openInventory(here);
    const index = await openMgaIndex(here, 'names', { key: utf8, inventory });
    const xid = inventory.begin();
    index.put('a', 1, xid);
    await inventory.commit(xid, { durability: 'disk' });
    await here.close();
    const db = await open(path, { readOnly: true });
    onTestFinished(() => db.close());
    const read = await openInventory(db);
    const names = await openMgaIndex(db, 'names', { key: utf8, inventory: read });
    const last = read.next - 1;
    expect(names.get('a', last)).toEqual([1]);
    await expectRefusal(() => read.begin(), 'READ_ONLY', 'invalid');
  });

  test('has to be what it is opened with', async () => {
    const path = temporaryDirectory();
    const first = await open(path);
    const options = { key: utf8, inventory: TransactionInventory.create(), unique: true };
    const index = await openMgaIndex(first, 'names', options);
    expect(await openMgaIndex(first, 'names', options)).toBe(index);
    expect([index.name, index.unique]).toEqual(['names', true]);
    index.close();
    await expectRefusal(() => index.get('a', 1), 'CLOSED', 'closed');
    await first.close();
    const db = await open(path);
    onTestFinished(() => db.close());
    const inventory = TransactionInventory.create();
    await expectRefusal(() => openMgaIndex(db, 'names', { inventory }), 'INDEX_OPTIONS', 'invalid', {
      member: 'codec',
    });
    const others = [{ unique: false }, { keyBytes: 4 }];
    for (const other of others) {
      const member = Object.keys(other)[0];
      await expectRefusal(
        () => openMgaIndex(db, 'names', { key: utf8, inventory, ...other }),
        'INDEX_OPTIONS',
        'invalid',
        { member },
      );
    }
    expect((await openMgaIndex(db, 'names', { key: utf8, inventory })).unique).toBe(true);
  });
});

describe('statistics', () => {
  test('tell sizes, the share of dead entries, and what is above its threshold', async () => {
    const db = await open(':memory:');
    onTestFinished(() => db.close());
    const inventory = TransactionInventory.create();
    const thresholds = { level0Files: 0, bytes: 10 };
    const index = await openMgaIndex(db, 'names', { key: utf8, inventory, thresholds });
    expect(index.statistics()).toMatchObject({
      name: 'names',
      entries: 0,
      deletedShare: 0,
      sampled: 0,
      alerts: [],
    });
    const [put, remove] = [inventory.begin(), inventory.begin()];
    keys.forEach((key, i) => index.put(key, i, put));
    inventory.commit(put);
    keys.slice(0, 50).forEach((key, i) => index.remove(key, i, remove));
    expect(index.statistics().deletedShare).toBe(0);
    inventory.commit(remove);
    expect(index.statistics()).toMatchObject({ deletedShare: 0.25, sampled: 200, bytes: 0, alerts: [] });
    const more = inventory.begin();
    keys.slice(50, 130).forEach((key, i) => index.remove(key, i + 50, more));
    inventory.commit(more);
    await db.flush();
    const { alerts, levels, bytes, deletedShare } = index.statistics();
    expect([levels[0]!.files, deletedShare]).toEqual([1, 0.65]);
    expect(bytes).toBeGreaterThan(10);
    expect(alerts.map(({ code, threshold }) => [code, threshold])).toEqual([
      ['LEVEL0_FILES', 0],
      ['BYTES', 10],
      ['DELETED_SHARE', 0.5],
    ]);
    await index.vacuum();
    expect(index.statistics()).toMatchObject({ entries: 70, deletedShare: 0 });
  });
});
