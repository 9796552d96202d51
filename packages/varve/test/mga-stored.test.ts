/** Inventories that a database keeps: reopened, crashed, copied. */
import { open, utf8 } from 'varve';
import { openInventory, openMgaIndex, TransactionInventory } from 'varve/mga';
import { MemoryFs, Random, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Model, MODEL_KEYS } from './mga-model.ts';
import { expectRefusal } from './refusal.ts';

const small = { keyspaceDefaults: { memtableBytes: 65_536 }, memtableBytesMax: 1 << 20 };

describe('a stored inventory', () => {
  test('knows after a reopen what has committed; what was active is aborted, and no xid comes twice', async () => {
    const fileSystem = new MemoryFs();
    const first = await open('/db', { fileSystem });
    const inventory = await openInventory(first);
    expect(await openInventory(first)).toBe(inventory);
    const [committed, aborted, active] = [inventory.begin(), inventory.begin(), inventory.begin()];
    await inventory.commit(committed, { durability: 'disk' });
    inventory.abort(aborted);
    const last = inventory.next;
    await first.close();
    const second = await open('/db', { fileSystem });
    onTestFinished(() => second.close());
    const again = await openInventory(second);
    expect([committed, aborted, active].map((xid) => again.stateOf(xid))).toEqual([
      'committed',
      'aborted',
      'aborted',
    ]);
    expect(again.next).toBeGreaterThanOrEqual(last);
    expect(again.begin()).toBe(again.next - 1);
  });

  test('forgets what is settled, for good', async () => {
    const fileSystem = new MemoryFs();
    const db = await open('/db', { fileSystem });
    const inventory = await openInventory(db, { slots: 1024 });
    const index = await openMgaIndex(db, 'i', { key: utf8, inventory });
    const other = await openMgaIndex(db, 'other', { key: utf8, inventory });
    for (let i = 0; i < 100; i++) {
      const xid = inventory.begin();
      index.put('k', i, xid);
      if (i % 2 === 0) inventory.commit(xid);
      else inventory.abort(xid);
    }
    expect((await index.vacuum()).base).toBe(1);
    other.close();
    expect((await index.vacuum()).base).toBe(1);
    const reopened = await openMgaIndex(db, 'other', { key: utf8, inventory });
    expect((await reopened.vacuum()).base).toBe(101);
    expect(index.get('k', inventory.begin())).toHaveLength(50);
    await db.close();
    const again = await open('/db', { fileSystem });
    onTestFinished(() => again.close());
    const stored = await openInventory(again);
    expect(stored.base).toBe(101);
    expect(
      again.keyspace('varve.mga.transactions').count({ gte: Uint8Array.of(0x63), lt: Uint8Array.of(0x64) }),
    ).toBe(0);
    const same = await openMgaIndex(again, 'i', { key: utf8, inventory: stored });
    expect(same.get('k', stored.begin())).toHaveLength(50);
  });

  test('an index that is dropped holds nothing back', async () => {
    const db = await open(':memory:');
    onTestFinished(() => db.close());
    const inventory = await openInventory(db);
    const index = await openMgaIndex(db, 'i', { key: utf8, inventory });
    const other = await openMgaIndex(db, 'other', { key: utf8, inventory });
    inventory.commit(inventory.begin());
    expect((await index.vacuum()).base).toBe(1);
    await other.drop();
    expect((await index.vacuum()).base).toBe(2);
    await expectRefusal(() => other.get('a', 1), 'INDEX_GONE', 'invalid');
    expect(db.keyspaces().filter((name) => name.includes('other'))).toEqual([]);
  });

  test('may begin with the transactions of another one', async () => {
    const memory = await open(':memory:');
    onTestFinished(() => memory.close());
    const inventory = TransactionInventory.create({ first: 500 });
    const index = await openMgaIndex(memory, 'i', { key: utf8, inventory });
    const [one, two, three] = [inventory.begin(), inventory.begin(), inventory.begin()];
    for (const [tid, xid] of [one, two, three].entries()) index.put('k', tid, xid);
    inventory.commit(one);
    inventory.abort(two);
    const fileSystem = new MemoryFs();
    const db = await open('/db', { fileSystem });
    const stored = await openInventory(db, { copyOf: inventory });
    expect([one, two, three].map((xid) => stored.stateOf(xid))).toEqual(['committed', 'aborted', 'active']);
    const moved = await index.moveTo(db, { inventory: stored });
    stored.commit(three);
    expect(moved.get('k', stored.begin())).toEqual([0, 2]);
    await expectRefusal(() => openInventory(db, { copyOf: inventory }), 'INVENTORY_EXISTS', 'invalid');
    await expectRefusal(() => openInventory(db, { slots: 5 }), 'OPTION_INVALID', 'invalid');
    const late = stored.begin();
    const durability = 'replicated' as const;
    await expectRefusal(() => stored.commit(late, { durability }), 'OPTION_INVALID', 'invalid');
    expect(stored.stateOf(late)).toBe('active');
    await db.close();
    const again = await open('/db', { fileSystem });
    onTestFinished(() => again.close());
    const reopened = await openInventory(again);
    const index2 = await openMgaIndex(again, 'i', { key: utf8, inventory: reopened });
    expect(index2.get('k', reopened.begin())).toEqual([0, 2]);
  });
});

/** Works until the power fails; what the reopened index shows has to follow from what the reopened inventory says. */
async function life(seed: number): Promise<number> {
  const random = new Random(seed);
  const model = new Model();
  const kept = new Set<number>();
  let fs = new SimFs();
  let lost = 0;
  for (let round = 0; round < 3; round++) {
    const db = await open('/db', { ...small, fileSystem: fs, sync: 'manual' });
    const inventory = await openInventory(db, { slots: 1024 });
    const index = await openMgaIndex(db, 'i', { key: utf8, inventory });
    // What the log lost is aborted now, whatever was answered.
    for (const [xid, state] of model.states) {
      if (state === 'aborted' || xid < inventory.base) continue;
      const now = inventory.stateOf(xid);
      if (kept.has(xid)) expect(now).toBe('committed');
      if (now !== state) lost++;
      model.end(xid, now);
    }
    const reader = inventory.begin();
    model.states.set(reader, 'active');
    const show = [...index.rangeScan({}, reader)].map(
      ({ key, tid, payload }) => `${JSON.stringify(key)} ${tid} ${utf8.decode(payload)}`,
    );
    expect(show).toEqual(model.scan(reader));
    for (let step = 0; step < 60; step++) {
      const xid = inventory.begin();
      model.states.set(xid, 'active');
      for (let i = 0; i < 4; i++) {
        const key = random.pick(MODEL_KEYS);
        const tid = random.below(4);
        const isPut = random.below(3) < 2;
        const code = isPut ? model.put(key, tid, xid, 'x') : model.remove(key, tid, xid);
        const act = (): void =>
          isPut ? index.put(key, tid, xid, utf8.encode('x')) : index.remove(key, tid, xid);
        if (code === undefined) act();
        else await expectRefusal(act, code, code === 'ENTRY_CONFLICT' ? 'conflict' : 'invalid');
      }
      const what = random.below(10);
      if (what === 0) {
        inventory.abort(xid);
        model.end(xid, 'aborted');
      } else if (what === 1) {
        await inventory.commit(xid, { durability: 'disk' });
        model.end(xid, 'committed');
        for (const [each, state] of model.states) if (state === 'committed') kept.add(each);
      } else {
        inventory.commit(xid);
        model.end(xid, 'committed');
      }
      if (random.oneIn(10)) await db.flush();
      if (random.oneIn(12)) await db.compact();
      if (random.oneIn(25)) await index.vacuum();
    }
    fs.stop();
    fs = random.oneIn(3) ? fs.crashProcess() : fs.crash(random);
  }
  return lost;
}

describe('a crash', () => {
  test('loses no commit that was waited for, and shows none that it lost', async () => {
    let lost = 0;
    for (let seed = 0; seed < 8; seed++) lost += await life(seed);
    // Or nothing was tested.
    expect(lost).toBeGreaterThan(10);
  });
});
