/** Rebuilds, moves and drops of MGA indexes that are cut short, or that something else goes on beside. */
import { type Database, open, utf8 } from 'varve';
import { type MgaIndex, openInventory, openMgaIndex, type TransactionInventory } from 'varve/mga';
import { FaultFs, MemoryFs, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectRefusal, refusal } from './refusal.ts';

interface World {
  readonly db: Database;
  readonly inventory: TransactionInventory;
  readonly index: MgaIndex<string>;
}

async function world(db?: Database): Promise<World> {
  const opened = db ?? (await open(':memory:'));
  onTestFinished(() => opened.close());
  const inventory = await openInventory(opened);
  return { db: opened, inventory, index: await openMgaIndex(opened, 'names', { key: utf8, inventory }) };
}

function committed({ inventory }: World, work: (xid: number) => void): void {
  const xid = inventory.begin();
  work(xid);
  inventory.commit(xid);
}

function entryKeyspaces(db: Database): string[] {
  return db.keyspaces().filter((name) => name.startsWith('varve.mga/'));
}

const full = { pressure: 'fail', syncWaitMsMax: 0 } as const;
const small = { keyspaceDefaults: { memtableBytes: 65_536 }, memtableBytesMax: 1 << 20 };

describe('a disk that is full', () => {
  test('ends a reindex with its error; the index takes writes again, and nothing stays of the new one', async () => {
    const fs = new FaultFs(new MemoryFs());
    const here = await world(await open('/db', { fileSystem: fs, ...full, ...small }));
    const { db, inventory, index } = here;
    committed(here, (xid) => index.put('a', 1, xid));
    await db.sync('disk');
    let heal = (): void => {};
    function* source(): Generator<{ key: string; tid: number; payload: Uint8Array }> {
      for (let tid = 0; tid < 20_000; tid++) {
        if (tid === 1000) heal = fs.add({ kind: 'ENOSPC' });
        yield { key: `k${tid}`, tid, payload: new Uint8Array(200) };
      }
    }
    const error = await refusal(() => index.reindex(source()));
    expect([error.kind, error.code]).toEqual(['busy', 'DISK_FULL']);
    const xid = inventory.next - 1;
    expect(index.get('a', xid)).toEqual([1]);
    heal();
    await db.sync('disk');
    const writer = inventory.begin();
    index.put('b', 2, writer);
    await index.vacuum();
    expect([...index.rangeScan({}, writer)].map(({ key }) => key)).toEqual(['a', 'b']);
    expect(entryKeyspaces(db)).toHaveLength(1);
    expect(await index.reindex([{ key: 'c', tid: 3 }])).toEqual({ entries: 1 });
  });

  test('where an index comes from leaves it there, and nothing of it where it was to go', async () => {
    const fs = new FaultFs(new MemoryFs());
    const here = await world(await open('/db', { fileSystem: fs, ...full, ...small }));
    const { db, inventory, index } = here;
    committed(here, (xid) => index.put('a', 1, xid));
    await db.sync('disk');
    const there = await open(':memory:');
    onTestFinished(() => there.close());
    const move = refusal(() => index.moveTo(there));
    const heal = fs.add({ kind: 'ENOSPC' });
    // Until the log takes nothing any more.
    const other = db.keyspace('other');
    await refusal(() => {
      for (let i = 0; i < 10_000; i++) other.put(Uint8Array.of(i), new Uint8Array(1000));
    });
    expect((await move).code).toBe('DISK_FULL');
    heal();
    await db.sync('disk');
    committed(here, (xid) => index.put('b', 2, xid));
    expect([...index.rangeScan({}, inventory.begin())].map(({ key }) => key)).toEqual(['a', 'b']);
    expect(entryKeyspaces(there)).toEqual([]);
    const anew = await openMgaIndex(there, 'names', { key: utf8, inventory });
    expect([...anew.rangeScan({}, inventory.begin())]).toEqual([]);
  });

  test('where an index moves to, leaves it where it was', async () => {
    const here = await world();
    const { inventory, index } = here;
    committed(here, (xid) => index.put('a', 1, xid));
    const fs = new FaultFs(new MemoryFs());
    const there = await open('/there', { fileSystem: fs, sync: 'manual' });
    onTestFinished(() => there.close());
    fs.add({ kind: 'failedSync' });
    expect((await refusal(() => index.moveTo(there))).kind).toBe('io');
    const xid = inventory.begin();
    index.put('b', 2, xid);
    expect([...index.rangeScan({}, xid)].map(({ key }) => key)).toEqual(['a', 'b']);
    inventory.commit(xid);
    expect((await index.vacuum()).base).toBe(inventory.next);
  });
});

describe('an index of the same name', () => {
  test('made after a drop is not harmed by a walk over the old one that ends', async () => {
    const here = await world();
    const { db, inventory, index } = here;
    committed(here, (xid) => ['a', 'b'].forEach((key, tid) => index.put(key, tid, xid)));
    const cursor = index.rangeScan({}, inventory.begin()).cursor();
    expect(cursor.next()).toBe(true);
    await index.drop();
    const again = await openMgaIndex(db, 'names', { key: utf8, inventory });
    committed(here, (xid) => again.put('z', 9, xid));
    expect([cursor.next(), cursor.key]).toEqual([true, 'b']);
    cursor.close();
    await db.flush();
    expect(again.get('z', inventory.begin())).toEqual([9]);
    expect(entryKeyspaces(db)).toHaveLength(1);
  });

  test('may be made while the drop still runs', async () => {
    const { db, inventory, index } = await world();
    const dropped = index.drop();
    const again = await openMgaIndex(db, 'names', { key: utf8, inventory });
    await dropped;
    const xid = inventory.begin();
    again.put('a', 1, xid);
    expect(again.get('a', xid)).toEqual([1]);
    expect(entryKeyspaces(db)).toHaveLength(1);
  });

  test('is not harmed when the old one is closed once more', async () => {
    const { db, inventory, index } = await world();
    await index.drop();
    const again = await openMgaIndex(db, 'names', { key: utf8, inventory });
    index.close();
    expect(await openMgaIndex(db, 'names', { key: utf8, inventory })).toBe(again);
  });

  test('that is made where one is on its way to stays: the move is refused', async () => {
    const here = await world();
    const { inventory, index } = here;
    committed(here, (xid) => index.put('a', 1, xid));
    const there = await open(':memory:');
    onTestFinished(() => there.close());
    const move = expectRefusal(() => index.moveTo(there), 'INDEX_EXISTS', 'invalid', { index: 'names' });
    const other = await openMgaIndex(there, 'names', { key: utf8, inventory });
    await move;
    committed(here, (xid) => [index, other].forEach((each) => each.put('b', 2, xid)));
    expect(await openMgaIndex(there, 'names', { key: utf8, inventory })).toBe(other);
    const reader = inventory.begin();
    expect([index, other].map((each) => [...each.rangeScan({}, reader)].length)).toEqual([2, 1]);
  });

  test('that comes back from another database is not harmed by a walk from before', async () => {
    const here = await world();
    const { db, inventory, index } = here;
    committed(here, (xid) => ['a', 'b'].forEach((key, tid) => index.put(key, tid, xid)));
    const cursor = index.rangeScan({}, inventory.begin()).cursor();
    expect(cursor.next()).toBe(true);
    const memory = await open(':memory:');
    onTestFinished(() => memory.close());
    const back = await (await index.moveTo(memory)).moveTo(db);
    cursor.close();
    await db.flush();
    expect(back.get('b', inventory.begin())).toEqual([1]);
    expect(entryKeyspaces(db)).toHaveLength(1);
  });

  test('opened anew beside a reindex stays as it is: the reindex is refused', async () => {
    const here = await world();
    const { db, inventory, index } = here;
    committed(here, (xid) => index.put('a', 1, xid));
    let again = index;
    async function* source(): AsyncGenerator<{ key: string; tid: number }> {
      yield { key: 'b', tid: 2 };
      index.close();
      again = await openMgaIndex(db, 'names', { key: utf8, inventory });
    }
    await expectRefusal(() => index.reindex(source()), 'CLOSED', 'closed');
    committed(here, (xid) => again.put('c', 3, xid));
    expect([...again.rangeScan({}, inventory.begin())].map(({ key }) => key)).toEqual(['a', 'c']);
    expect(entryKeyspaces(db)).toHaveLength(1);
  });
});

test('a crash in the middle of a reindex leaves an index that can be read without writing', async () => {
  const fs = new SimFs();
  const db = await open('/db', { fileSystem: fs });
  const inventory = await openInventory(db);
  const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
  const xid = inventory.begin();
  index.put('a', 1, xid);
  inventory.commit(xid);
  let reach = (): void => {};
  const reached = new Promise<void>((resolve) => (reach = resolve));
  async function* source(): AsyncGenerator<{ key: string; tid: number }> {
    yield { key: 'b', tid: 2 };
    await db.sync('disk');
    reach();
    await new Promise(() => {});
  }
  void index.reindex(source());
  await reached;
  fs.stop();
  const crashed = fs.crashProcess();
  const reader = await open('/db', { fileSystem: crashed, readOnly: true });
  const read = await openInventory(reader);
  const names = await openMgaIndex(reader, 'names', { key: utf8, inventory: read });
  expect([...names.rangeScan({}, read.next - 1)].map(({ key }) => key)).toEqual(['a']);
  await reader.close();
  const again = await world(await open('/db', { fileSystem: crashed }));
  committed(again, (writer) => again.index.put('c', 3, writer));
  expect(entryKeyspaces(again.db)).toHaveLength(1);
});

describe('reindex of several versions of a row', () => {
  test('has each end where the next begins, in whatever order they come; the same one twice is one', async () => {
    const here = await world();
    const { inventory, index } = here;
    const xids = Array.from({ length: 4 }, () => inventory.begin());
    const [first, second, third, last] = xids as [number, number, number, number];
    for (const xid of [first, second, third]) inventory.commit(xid);
    const version = (xmin: number, text: string, xmax = 0) => ({
      key: 'a',
      tid: 1,
      xmin,
      xmax,
      payload: utf8.encode(text),
    });
    const versions = [
      version(second, '2', last),
      version(0, '0'),
      version(second, '2', last),
      version(third, '3'),
    ];
    expect(await index.reindex(versions)).toEqual({ entries: 4 });
    const seen = (xid: number): string[] =>
      index.entries('a', xid).map(({ payload }) => utf8.decode(payload));
    expect([first, second, third, last].map(seen)).toEqual([['0'], ['2'], ['3'], ['3']]);
    index.remove('a', 1, last);
    expect(seen(last)).toEqual([]);
    inventory.commit(last);
    expect(seen(inventory.begin())).toEqual([]);
  });

  test('that one transaction has put differently is refused with the position', async () => {
    const { inventory, index } = await world();
    const xid = inventory.begin();
    const one = { key: 'a', tid: 1, xmin: xid };
    const other = { ...one, payload: utf8.encode('x') };
    await expectRefusal(() => index.reindex([one, other]), 'ENTRY_INVALID', 'invalid', { position: 1 });
    // What it has removed itself nobody sees.
    expect(await index.reindex([{ ...one, xmax: xid }, other])).toEqual({ entries: 2 });
    expect(utf8.decode(index.entries('a', xid)[0]!.payload)).toBe('x');
  });
});
