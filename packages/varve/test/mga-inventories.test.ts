/** Which indexes an inventory waits for before it forgets, and what settings and copies of other hosts may not do to it. */
import { type Database, open, utf8 } from 'varve';
import { type Inventory, type MgaIndex, openInventory, openMgaIndex, TransactionInventory } from 'varve/mga';
import { MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

async function opened(path = ':memory:', options = {}): Promise<Database> {
  const db = await open(path, options);
  onTestFinished(() => db.close());
  return db;
}

function index(db: Database, name: string, inventory: Inventory): Promise<MgaIndex<string>> {
  return openMgaIndex(db, name, { key: utf8, inventory });
}

/** A row that a transaction has put which was rolled back. */
function putRolledBack(to: MgaIndex<string>, inventory: TransactionInventory): void {
  const xid = inventory.begin();
  to.put('rolled back', 1, xid);
  inventory.abort(xid);
}

function commitSome(inventory: TransactionInventory, count: number): void {
  for (let i = 0; i < count; i++) inventory.commit(inventory.begin());
}

describe('an inventory that serves indexes of other databases', () => {
  test('knows them by a name that means the same in every process', async () => {
    const [home, b, c] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
    const first = await Promise.all([home, b, c].map((path) => open(path)));
    const inventory = await openInventory(first[0]!);
    const ofB = await index(first[1]!, 'n', inventory);
    const ofC = await index(first[2]!, 'n', inventory);
    putRolledBack(ofC, inventory);
    expect((await ofB.vacuum()).base).toBe(1);
    for (const db of first) await db.close();
    // As another process would: only one of them, and the other way round.
    const again = [await opened(home), await opened(b)];
    const stored = await openInventory(again[0]!);
    commitSome(stored, 3);
    const onlyB = await index(again[1]!, 'n', stored);
    expect((await onlyB.vacuum()).base).toBe(1);
    const dbC = await opened(c);
    const late = await index(dbC, 'n', stored);
    expect(late.get('rolled back', stored.begin())).toEqual([]);
    commitSome(stored, 1);
    for (let xid = stored.oldestActive; xid < stored.next; xid++) {
      if (stored.stateOf(xid) === 'active') stored.commit(xid);
    }
    await late.vacuum();
    expect((await onlyB.vacuum()).base).toBe(stored.next);
    expect(late.get('rolled back', stored.begin())).toEqual([]);
  });

  test('is held back by one in memory only until that is closed', async () => {
    const fileSystem = new MemoryFs();
    const home = await open('/db', { fileSystem });
    const inventory = await openInventory(home, { slots: 1024 });
    const own = await index(home, 'own', inventory);
    const memory = await open(':memory:');
    await (await index(home, 'moved', inventory)).moveTo(memory);
    commitSome(inventory, 5);
    expect((await own.vacuum()).base).toBe(1);
    await memory.close();
    expect((await own.vacuum()).base).toBe(inventory.next);
    await home.close();
    const again = await opened('/db', { fileSystem });
    const stored = await openInventory(again, { slots: 1024 });
    const reopened = await index(again, 'own', stored);
    commitSome(stored, 5);
    expect((await reopened.vacuum()).base).toBe(stored.next);
  });

  test('says which index holds it back when it is full', async () => {
    const db = await opened();
    const inventory = await openInventory(db, { slots: 1024 });
    const own = await index(db, 'own', inventory);
    await index(db, 'forgotten', inventory);
    commitSome(inventory, 900);
    await own.vacuum();
    commitSome(inventory, 1024 - 900);
    const error = await expectRefusal(() => inventory.begin(), 'INVENTORY_FULL', 'busy', {
      index: 'forgotten',
    });
    expect(error.message).toContain("'forgotten'");
  });

  test('does not know the numbers that earlier releases gave them', async () => {
    const fileSystem = new MemoryFs();
    const first = await open('/db', { fileSystem });
    const inventory = await openInventory(first);
    await index(first, 'own', inventory);
    commitSome(inventory, 1);
    const one = new Uint8Array(8);
    one[7] = 1;
    first.keyspace('varve.mga.transactions').put(utf8.encode('s1/n'), one);
    await first.close();
    const db = await opened('/db', { fileSystem });
    const stored = await openInventory(db);
    expect((await (await index(db, 'own', stored)).vacuum()).base).toBe(stored.next);
    const names = [
      ...db
        .keyspace('varve.mga.transactions')
        .range({ prefix: utf8.encode('s') })
        .keys(),
    ];
    expect(names.map((name) => utf8.decode(name))).toEqual(['sown']);
  });
});

test('an inventory of the host is not trimmed while an index of the database is not open', async () => {
  const { buffer } = TransactionInventory.create({ slots: 1024 });
  const path = temporaryDirectory();
  const first = await open(path);
  const before = TransactionInventory.from(buffer);
  await index(first, 'i', before);
  putRolledBack(await index(first, 'j', before), before);
  await first.close();
  const db = await opened(path);
  const inventory = TransactionInventory.from(buffer);
  const i = await index(db, 'i', inventory);
  expect((await i.vacuum()).base).toBe(1);
  const j = await index(db, 'j', inventory);
  expect(j.get('rolled back', inventory.begin())).toEqual([]);
  inventory.commit(inventory.next - 1);
  await j.vacuum();
  expect((await i.vacuum()).base).toBe(inventory.next);
  expect(j.get('rolled back', inventory.begin())).toEqual([]);
});

test('what a transaction of a host has removed stays stored until the host says that it survives a crash', async () => {
  const db = await opened();
  const states = new Map<number, 'active' | 'committed' | 'aborted'>();
  let durable = 1;
  const inventory: Inventory = {
    get next() {
      return states.size + 1;
    },
    get oldestActive() {
      return [...states].find(([, state]) => state === 'active')?.[0] ?? states.size + 1;
    },
    stateOf: (xid) => states.get(xid)!,
    frozen: () => ({
      oldestActive: durable,
      aborted: [...states].filter(([xid, state]) => xid < durable && state === 'aborted').map(([xid]) => xid),
    }),
  };
  const begin = (): number => {
    states.set(states.size + 1, 'active');
    return states.size;
  };
  const names = await index(db, 'names', inventory);
  const first = begin();
  names.put('a', 1, first, utf8.encode('old'));
  states.set(first, 'committed');
  durable = 2;
  const lost = [begin(), begin()];
  names.remove('a', 1, lost[0]!);
  states.set(lost[0]!, 'committed');
  names.put('a', 1, lost[1]!, utf8.encode('new'));
  // The host crashes, and knows nothing of the two.
  for (const xid of lost) states.set(xid, 'aborted');
  expect(names.entries('a', begin()).map(({ payload }) => utf8.decode(payload))).toEqual(['old']);
  states.set(states.size, 'committed');
  // A row that changes all the time does not grow for ever.
  for (let i = 0; i < 200; i++) {
    const xid = begin();
    names.put('b', 1, xid, utf8.encode(`version ${i}`));
    states.set(xid, 'committed');
    durable = states.size + 1;
  }
  const [stored] = [...db.keyspace(db.keyspaces().find((name) => name.startsWith('varve.mga/'))!).range()]
    .map(([, value]) => value.length)
    .toSorted((a, b) => b - a);
  expect(stored).toBeLessThan(1000);
});

test('a commit that ended with its thread after it was stored is taken back by an abort, for good', async () => {
  const fileSystem = new MemoryFs();
  const first = await open('/db', { fileSystem });
  const inventory = await openInventory(first);
  const names = await index(first, 'names', inventory);
  const xid = inventory.begin();
  names.put('a', 1, xid);
  const record = new Uint8Array(9);
  record[0] = 0x63;
  record[8] = xid;
  first.keyspace('varve.mga.transactions').put(record, new Uint8Array());
  // Being committed.
  new Uint8Array(inventory.buffer, 1152)[xid] = 4;
  await expectRefusal(() => inventory.commit(xid), 'XID_NOT_ACTIVE', 'invalid', { state: 'active' });
  inventory.abort(xid);
  expect(inventory.stateOf(xid)).toBe('aborted');
  await first.close();
  const db = await opened('/db', { fileSystem });
  const stored = await openInventory(db);
  expect(stored.stateOf(xid)).toBe('aborted');
  expect((await index(db, 'names', stored)).get('a', stored.begin())).toEqual([]);
});

describe('settings', () => {
  const clocked = (now: { ms: number }) => ({ now: () => now.ms, monotonic: () => now.ms });

  test.each([
    { ttlMs: 1000 },
    { compaction: { strategy: 'fifo', bytesMax: 1 << 20 }, memtableBytes: 65_536 },
  ] as const)('of all keyspaces take nothing from indexes and inventories: %o', async (keyspaceDefaults) => {
    const fileSystem = new MemoryFs();
    const now = { ms: 1e12 };
    const options = {
      fileSystem,
      clock: clocked(now),
      keyspaceDefaults,
      memtableBytesMax: 1 << 20,
    };
    const first = await open('/db', options);
    const inventory = await openInventory(first);
    const names = await index(first, 'names', inventory);
    const xid = inventory.begin();
    names.put('a', 1, xid);
    for (let i = 0; i < 30; i++) {
      for (let k = 0; k < 40; k++) names.put(`${i}.${k}`, k, xid, new Uint8Array(2048).fill(i));
      await first.flush();
    }
    await inventory.commit(xid, { durability: 'disk' });
    await first.compact();
    await first.close();
    now.ms += 10_000;
    const db = await opened('/db', options);
    const stored = await openInventory(db);
    expect(stored.stateOf(xid)).toBe('committed');
    const reader = stored.begin();
    expect(reader).toBeGreaterThan(xid);
    const reopened = await index(db, 'names', stored);
    expect(reopened.get('a', reader)).toEqual([1]);
    expect([...reopened.rangeScan({}, reader)]).toHaveLength(1201);
  });

  test('of an index by which entries would go are refused by name', async () => {
    const db = await opened();
    const inventory = await openInventory(db);
    for (const [option, settings] of [
      ['settings.ttlMs', { ttlMs: 5 }],
      ['settings.compaction', { compaction: { strategy: 'fifo' as const } }],
    ] as const) {
      const options = { key: utf8, inventory, settings };
      await expectRefusal(() => openMgaIndex(db, 'names', options), 'OPTION_INVALID', 'invalid', { option });
    }
    expect(db.keyspaces()).not.toContain('varve.mga');
  });
});

describe('a copy of an inventory', () => {
  test('is what everybody gets who opens one meanwhile; where one is being opened it is refused', async () => {
    const source = TransactionInventory.create();
    commitSome(source, 3000);
    const db = await opened();
    const [copy, same] = await Promise.all([openInventory(db, { copyOf: source }), openInventory(db)]);
    expect(same).toBe(copy);
    expect(copy.next).toBe(source.next);
    const other = await opened();
    const plain = openInventory(other);
    await expectRefusal(() => openInventory(other, { copyOf: source }), 'INVENTORY_EXISTS', 'invalid');
    expect((await plain).next).toBe(1);
  });

  test('that is cut short leaves nothing', async () => {
    const source = TransactionInventory.create();
    commitSome(source, 5000);
    const fileSystem = new MemoryFs();
    const first = await open('/db', { fileSystem });
    const cut = openInventory(first, { copyOf: source });
    const refused = expectRefusal(() => cut, 'CLOSED', 'closed');
    await new Promise((resolve) => setImmediate(resolve));
    await first.close();
    await refused;
    const second = await open('/db', { fileSystem });
    const inventory = await openInventory(second);
    const xid = inventory.begin();
    expect(xid).toBe(1);
    inventory.abort(xid);
    await second.close();
    const third = await opened('/db', { fileSystem });
    expect((await openInventory(third)).stateOf(xid)).toBe('aborted');
  });
});
