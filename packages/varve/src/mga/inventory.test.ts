import { describe, expect, test } from 'vitest';
import type { Database } from '../index.ts';
import { TransactionInventory } from './inventory.ts';
import type { InventoryStore } from './inventory-store.ts';
import { BIG_NEXT, COMMITTING, makeWords, WORD_WRITERS, wordsOf } from './inventory-words.ts';
import type { Enrolled } from './horizons.ts';
import type { FrozenInventory } from './types.ts';

/** A store that says when it is on disk. */
class FakeStore implements InventoryStore {
  readonly home = {} as Database;
  readonly told: string[] = [];
  /** Ends the fsync that runs. */
  synced: (() => void) | undefined;

  reserve(xid: number): void {
    this.told.push(`reserve ${xid}`);
  }

  commit(xid: number): void {
    if (xid === 13) throw new Error('no room');
    this.told.push(`commit ${xid}`);
  }

  isDurable(): boolean {
    return false;
  }

  revoke(xid: number): void {
    this.told.push(`revoke ${xid}`);
  }

  settled(): [string, number][] {
    return [];
  }

  isRunning(): boolean {
    return true;
  }

  async reached(): Promise<void> {}

  trim(base: number): void {
    this.told.push(`trim ${base}`);
  }

  settle(index: string): void {
    this.told.push(`settle ${index}`);
  }

  async durable(take: () => FrozenInventory): Promise<FrozenInventory> {
    const copied = take();
    await new Promise<void>((resolve) => {
      this.synced = resolve;
    });
    return copied;
  }
}

describe('TransactionInventory', () => {
  test('the oldest active transaction moves on when it ends, past all that have ended before', () => {
    const inventory = TransactionInventory.create({ first: 10 });
    const xids = [0, 1, 2, 3].map(() => inventory.begin());
    expect(xids).toEqual([10, 11, 12, 13]);
    inventory.commit(11);
    inventory.abort(12);
    expect(inventory.oldestActive).toBe(10);
    inventory.commit(10);
    expect(inventory.oldestActive).toBe(13);
    expect(inventory.frozen()).toEqual({ oldestActive: 13, aborted: [12] });
    inventory.commit(13);
    expect([inventory.oldestActive, inventory.next]).toEqual([14, 14]);
  });

  test('another object over the same memory sees everything, also what comes after a trim', () => {
    const inventory = TransactionInventory.create({ slots: 1024 });
    const other = TransactionInventory.from(inventory.buffer);
    const aborted = inventory.begin();
    inventory.abort(aborted);
    expect(other.stateOf(aborted)).toBe('aborted');
    inventory.trim(inventory.next);
    expect(other.stateOf(aborted)).toBe('committed');
    // The slot of the forgotten one is that of a later one now.
    for (let i = 0; i < 1023; i++) inventory.commit(inventory.begin());
    const reuser = other.begin();
    expect(reuser % 1024).toBe(aborted % 1024);
    expect([inventory.stateOf(reuser), other.stateOf(reuser)]).toEqual(['active', 'active']);
    other.abort(reuser);
    expect([other.stateOf(aborted), inventory.stateOf(reuser)]).toEqual(['committed', 'aborted']);
  });

  test('trims no active transaction', () => {
    const inventory = TransactionInventory.create();
    inventory.begin();
    expect(() => inventory.trim(2)).toThrow(expect.objectContaining({ code: 'TRIM_INVALID' }) as Error);
    inventory.trim(1);
    expect(inventory.base).toBe(1);
  });

  test('whoever finds a slot claimed by a thread that died there goes on behind it', () => {
    const words = makeWords(1024, 1);
    const inventory = new TransactionInventory(wordsOf(words.buffer));
    // A thread claims the slot of xid 1 and ends.
    Atomics.store(words.states, 1, 1);
    expect(inventory.begin()).toBe(2);
    expect(Number(words.big[BIG_NEXT])).toBe(3);
    expect([inventory.stateOf(1), inventory.oldestActive]).toEqual(['active', 1]);
  });

  test('a host may fill the memory itself, by the table', () => {
    const buffer = new SharedArrayBuffer(1152 + 1024);
    const view = new DataView(buffer);
    view.setInt32(4, 1, true);
    view.setInt32(8, 1024, true);
    const [next, base, oldest] = [105, 100, 103];
    for (const [at, xid] of [next, base, oldest, base, next].entries()) {
      view.setBigInt64(64 + at * 8, BigInt(xid), true);
    }
    [2, 3, 2, 1, 2].forEach((state, i) => view.setUint8(1152 + ((base + i) % 1024), state));
    view.setInt32(0, 0x56_41_47_4d, true);
    const inventory = TransactionInventory.from(buffer);
    const states = [99, 100, 101, 102, 103, 104].map((xid) => inventory.stateOf(xid));
    expect(states).toEqual(['committed', 'committed', 'aborted', 'committed', 'active', 'committed']);
    expect(inventory.frozen()).toEqual({ oldestActive: 103, aborted: [101] });
    view.setUint8(1152 + 103, 2);
    expect(inventory.stateOf(103)).toBe('committed');
    expect(inventory.begin()).toBe(105);
  });

  test('xids above 2^32 have their own slots', () => {
    const inventory = TransactionInventory.create({ slots: 1024, first: 2 ** 52 + 1 });
    const xids = Array.from({ length: 1024 }, () => inventory.begin());
    for (const xid of xids) if (xid % 3 === 0) inventory.abort(xid);
    for (const xid of xids) expect(inventory.stateOf(xid)).toBe(xid % 3 === 0 ? 'aborted' : 'active');
  });
});

describe('an inventory with a store', () => {
  test('tells it before anybody sees a change, and stays as it was when that fails', () => {
    const store = new FakeStore();
    const inventory = new TransactionInventory(makeWords(1024, 12), store);
    inventory.commit(inventory.begin());
    const refused = inventory.begin();
    expect(() => inventory.commit(refused)).toThrow('no room');
    expect(inventory.stateOf(refused)).toBe('active');
    inventory.abort(refused);
    expect(store.told).toEqual(['reserve 12', 'commit 12', 'reserve 13']);
  });

  test('collections that begin by themselves go by what was on disk before', async () => {
    const store = new FakeStore();
    const inventory = new TransactionInventory(makeWords(1024, 1), store);
    const { internals } = inventory;
    inventory.commit(inventory.begin());
    expect(internals.safe()).toEqual({ oldestActive: 1, aborted: [] });
    await Promise.resolve();
    inventory.commit(inventory.begin());
    expect(internals.safe().oldestActive).toBe(1);
    store.synced!();
    await new Promise((resolve) => setImmediate(resolve));
    expect(internals.safe().oldestActive).toBeGreaterThan(1);
  });

  test('forgets what every index has settled', () => {
    const store = new FakeStore();
    const inventory = new TransactionInventory(makeWords(1024, 1), store);
    for (let i = 0; i < 9; i++) inventory.commit(inventory.begin());
    const { horizons, forget } = inventory.internals;
    const [a, b] = ['a', 'b'].map((name) => ({ db: store.home, name, id: undefined })) as [
      Enrolled,
      Enrolled,
    ];
    const settle = (index: Enrolled, horizon: number): number => {
      horizons.settle(index, horizon);
      forget();
      return inventory.base;
    };
    expect([settle(a, 1), settle(b, 1), settle(a, 8), settle(b, 5)]).toEqual([1, 1, 1, 5]);
    horizons.forget(b);
    forget();
    expect(inventory.base).toBe(8);
    expect(store.told.slice(-3)).toEqual(['settle sb', 'trim 5', 'settle sb', 'trim 8'].slice(-3));
  });

  test('a transaction whose thread died in the middle of its commit can be aborted, once no thread is in the middle of one', () => {
    const store = new FakeStore();
    const words = makeWords(1024, 1);
    const inventory = new TransactionInventory(words, store);
    const xid = inventory.begin();
    words.states[xid] = COMMITTING;
    // The pair of words of a thread that is in the middle of a change.
    words.words.set([777, 1], WORD_WRITERS);
    expect(() => inventory.abort(xid)).toThrow('is being committed');
    words.words[WORD_WRITERS + 1] = 2;
    inventory.abort(xid);
    expect(store.told.at(-1)).toBe(`revoke ${xid}`);
    expect([inventory.stateOf(xid), inventory.oldestActive]).toEqual(['aborted', xid + 1]);
    expect(() => inventory.commit(xid)).toThrow('aborted');
  });
});
