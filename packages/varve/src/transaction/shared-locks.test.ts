/** What a thread's book says of locks of other threads, whatever has changed meanwhile, and what is left when a step is refused. */
import { expect, test } from 'vitest';
import { busy, closed } from '../base/errors.ts';
import { KIND_PUT } from '../base/kinds.ts';
import { LOCK_WORDS } from '../engine/sharing/lock-records.ts';
import type { LockedKeys } from '../record/prepared.ts';
import { expectRefusal } from '../../test/refusal.ts';
import { Locker } from './lock-table.suite.ts';
import { LockMemory, loneThread, type LockThread } from './lock-threads.suite.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = ({ table }: LockThread, key: string): void => table.one(1, KIND_PUT, bytes(key), bytes('x'));
const NOTHING = { locks: 0, waiting: 0 };
/** Words of the region. */
const [IN_USE, WAKES] = [0, 2];

test('who waits in the place of a record that is gone comes behind who waited before', async () => {
  const memory = new LockMemory();
  const [one, two] = [memory.thread(), memory.thread()];
  const [place, first, second] = [1, 2, 3].map((id) => new Locker(one.table, id)) as [Locker, Locker, Locker];
  const holder = new Locker(two.table, 1);
  expect([holder.lock('k'), place.lock('place')]).toEqual([undefined, undefined]);
  expect(two.table.counts().locks).toBe(2);
  // All of this the holder's thread hears at once, in the order of places: the second request is where a lock was.
  place.release();
  const order: string[] = [];
  const waits = [
    first.lock('k', `k${'-'.repeat(40)}`)!.then(() => order.push('first')),
    second.lock('k')!.then(() => order.push('second')),
  ];
  holder.release();
  one.table.counts();
  await Promise.race(waits);
  expect(order).toEqual(['first']);
  first.release();
  await waits[1];
});

test('what can not be prepared for lack of room has what it had, and lets go of that', async () => {
  const memory = new LockMemory(LOCK_WORDS - ((1 << 18) - 8) * 16);
  const [one, other] = [memory.thread(), memory.thread()];
  const [a, b] = [new Locker(one.table, 1), new Locker(other.table, 1)];
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) expect(a.lock(key)).toBeUndefined();
  expect(b.lock('g')).toBeUndefined();
  // Names what it is prepared by in each record, which is larger then.
  const owner = Object.assign(a.owner, { prepared: 'prepared-by-a-long-id' });
  await expectRefusal(() => one.table.lockAll(owner, []), 'LOCKS_FULL', 'busy');
  for (const key of ['a', 'f']) await expectRefusal(() => put(other, key), 'KEY_LOCKED', 'conflict');
  a.release();
  expect(other.table.counts()).toEqual({ locks: 1, waiting: 0 });
  const words = new Int32Array(memory.memory);
  expect(words[IN_USE]).toBe(1);
  for (const key of ['t', 'u', 'v', 'w', 'x', 'y']) expect(b.lock(key)).toBeUndefined();
  for (const key of ['t', 'u', 'v', 'w', 'x', 'y'])
    await expectRefusal(() => put(one, key), 'KEY_LOCKED', 'conflict');
  b.release();
  expect([one.table.counts(), words[IN_USE]]).toEqual([NOTHING, 0]);
});

test('a thread that is found gone while the database closes is nothing to a table that is closed', () => {
  const memory = new LockMemory();
  const [owner, gone] = [memory.thread(), memory.thread()];
  expect(new Locker(gone.table, 1).lock('k')).toBeUndefined();
  memory.die(gone);
  owner.table.close(closed('the database', {}));
  owner.table.threadGone(gone.slot);
});

test('a table that is closed sleeps on nothing any more', async () => {
  const memory = new LockMemory();
  const [one, other] = [memory.thread(), memory.thread()];
  expect(new Locker(other.table, 1).lock('k')).toBeUndefined();
  await Promise.all([
    expectRefusal(() => new Locker(one.table, 1).lock('k', undefined, 10), 'LOCK_TIMEOUT', 'busy'),
    memory.time.advance(1000),
  ]);
  one.table.close(closed('the database', {}));
  expect(Atomics.notify(new Int32Array(memory.memory), WAKES)).toBe(0);
});

test('what waits when its transaction is prepared is refused, and is not locked later', async () => {
  const memory = new LockMemory();
  const [one, other] = [memory.thread(), memory.thread()];
  const [a, b] = [new Locker(one.table, 1), new Locker(other.table, 1)];
  expect(b.lock('b')).toBeUndefined();
  const refused = expectRefusal(() => a.lock('b'), 'TRANSACTION_ENDED', 'invalid');
  a.owner.prepared = 'p';
  one.table.lockAll(a.owner, [{ keyspaceId: 1, from: bytes('a'), to: 'key' }]);
  b.release();
  expect(other.table.counts()).toEqual({ locks: 1, waiting: 0 });
  await refused;
});

test('ranges without an end take no more room than others, and are so in all threads', async () => {
  const memory = new LockMemory(LOCK_WORDS - ((1 << 18) - 16) * 16);
  const lone = loneThread(memory.time);
  const all = (key: string): LockedKeys => ({ keyspaceId: 1, from: bytes(key), to: undefined });
  lone.table.lockAll({ id: 1 }, 'abcdefgh'.split('').map(all));
  lone.table.checkFits();
  const [one, other] = [memory.thread(lone), memory.thread()];
  one.table.lockAll(
    { id: 2 },
    'ijklmnop'.split('').map((key) => ({ ...all(key), keyspaceId: 2 })),
  );
  expect(other.table.counts().locks).toBe(16);
  put(other, 'A');
  for (const key of ['a', 'z', '\u{10ffff}'.repeat(100)]) {
    await expectRefusal(() => put(other, key), 'KEY_LOCKED', 'conflict', { transaction: 1 });
  }
});

test('who counts does not wait for a thread that writes for long, and says what was there before', () => {
  const memory = new LockMemory();
  const [one, other] = [memory.thread(), memory.thread()];
  expect(new Locker(one.table, 1).lock('k')).toBeUndefined();
  expect(other.table.counts().locks).toBe(1);
  one.session.state.access!.lock();
  expect(other.table.counts().locks).toBe(1);
  one.session.state.access!.unlock();
});

test('a thousand who want one key, and have one each, wait and get it in their order', async () => {
  const memory = new LockMemory();
  const tables = [memory.thread().table, memory.thread().table];
  const lockers = Array.from({ length: 1000 }, (_, i) => new Locker(tables[i % 2]!, i + 1));
  const order: number[] = [];
  const waits = lockers.map((locker, i) => {
    expect(locker.lock(`own-${i}`)).toBeUndefined();
    return locker.lock('k')?.then(() => order.push(i));
  });
  for (const [i, locker] of lockers.entries()) {
    await waits[i];
    locker.release();
  }
  expect(order).toEqual(lockers.map((_, i) => i).slice(1));
});

test('a wait whose time is over while another thread writes for long ends after that, and waits no more', async () => {
  const memory = new LockMemory();
  const [one, other] = [memory.thread(), memory.thread()];
  const [a, b] = [new Locker(one.table, 1), new Locker(other.table, 1)];
  expect(a.lock('k')).toBeUndefined();
  const late = expectRefusal(() => b.lock('k', undefined, 10), 'LOCK_TIMEOUT', 'busy');
  const { state } = other.session;
  state.exclusive = () => {
    throw busy('BUSY', 'another thread has held the write lock', {});
  };
  await memory.time.advance(50);
  Reflect.deleteProperty(state, 'exclusive');
  await memory.time.advance(1000);
  await late;
  expect(one.table.counts()).toEqual({ locks: 1, waiting: 0 });
  expect(memory.time.pending).toBe(0);
});
