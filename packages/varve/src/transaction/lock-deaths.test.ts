/** Locks of threads that die, close, or begin to share, and what the others do then. */
import { expect, test } from 'vitest';
import { closed } from '../base/errors.ts';
import { KIND_PUT } from '../base/kinds.ts';
import { LOCK_WORDS } from '../engine/sharing/lock-records.ts';
import { expectRefusal } from '../../test/refusal.ts';
import { Locker } from './lock-table.suite.ts';
import { LockMemory, loneThread, type LockThread } from './lock-threads.suite.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = ({ table }: LockThread, key: string): void => table.one(1, KIND_PUT, bytes(key), bytes('x'));
const NOTHING = { locks: 0, waiting: 0 };
/** Longer than a thread that waits leaves it at being told. */
const LOOK_MS = 200;

test('what a dead thread has locked is in nobody’s way, nor is what it waits for', async () => {
  const memory = new LockMemory();
  const [dead, other] = [memory.thread(), memory.thread()];
  const [a, b] = [new Locker(dead.table, 1), new Locker(other.table, 1)];
  expect(a.lock('k')).toBeUndefined();
  expect(a.lock('r', 's')).toBeUndefined();
  expect(b.lock('other')).toBeUndefined();
  expect(a.lock('other')).toBeDefined();
  await expectRefusal(() => put(other, 'k'), 'KEY_LOCKED', 'conflict', { transaction: 1, thread: 100 });
  memory.die(dead);
  put(other, 'k');
  expect(other.table.counts()).toEqual({ locks: 1, waiting: 0 });
  expect(b.lock('r')).toBeUndefined();
  b.release();
});

test('who waits for a dead thread goes on by himself', async () => {
  const memory = new LockMemory();
  const [dead, other] = [memory.thread(), memory.thread()];
  const b = new Locker(other.table, 1);
  expect(new Locker(dead.table, 1).lock('k')).toBeUndefined();
  const [wait, range] = [b.lock('k'), new Locker(other.table, 2).lock('l', 'm')];
  expect([wait === undefined, range]).toEqual([false, undefined]);
  const changed = other.table.change();
  memory.die(dead);
  await memory.time.advance(LOOK_MS);
  await wait;
  await changed;
  expect(other.table.counts()).toEqual({ locks: 2, waiting: 0 });
});

test('a cycle over a dead thread is none', async () => {
  const memory = new LockMemory();
  const threads = [memory.thread(), memory.thread(), memory.thread()];
  const [a, b, dead] = threads.map(({ table }) => new Locker(table, 1)) as [Locker, Locker, Locker];
  expect([a.lock('a'), b.lock('b'), dead.lock('c')]).toEqual([undefined, undefined, undefined]);
  const waits = [b.lock('c'), dead.lock('a')];
  expect(waits[1]).toBeDefined();
  memory.die(threads[2]!);
  // By b, which waits for the dead thread.
  const last = a.lock('b');
  await waits[0];
  b.release();
  await last;
  a.release();
  expect(threads[0]!.table.counts()).toEqual(NOTHING);
});

test('a thread that leaves its slot leaves no lock, whoever has the slot next', () => {
  const memory = new LockMemory();
  const [left, other] = [memory.thread(), memory.thread()];
  expect(new Locker(left.table, 1).lock('k')).toBeUndefined();
  memory.leave(left);
  const next = memory.thread();
  expect(next.slot).toBe(left.slot);
  put(next, 'k');
  expect(new Locker(next.table, 1).lock('k')).toBeUndefined();
  expect(() => put(other, 'k')).toThrow('of thread 102');
});

test('whoever clears up after a thread lets its locks go and who waits for them', async () => {
  const memory = new LockMemory();
  const [owner, dead, other] = [memory.thread(), memory.thread(), memory.thread()];
  expect(new Locker(dead.table, 1).lock('k')).toBeUndefined();
  const wait = new Locker(other.table, 1).lock('k');
  owner.table.threadGone(dead.slot);
  await wait;
  expect(owner.table.counts()).toEqual({ locks: 1, waiting: 0 });
});

test('what is prepared stays locked when its thread is gone', async () => {
  const memory = new LockMemory();
  const [gone, other] = [memory.thread(), memory.thread()];
  const owner = { id: 1, prepared: 'p' };
  gone.table.lockAll(owner, [{ keyspaceId: 1, from: bytes('k'), to: 'key' }]);
  gone.table.close(closed('the database', {}));
  memory.die(gone);
  other.table.threadGone(gone.slot);
  const refused = await expectRefusal(() => put(other, 'k'), 'KEY_LOCKED', 'conflict', { prepared: 'p' });
  expect(refused.message).toContain("prepared transaction 'p'");
  expect(other.table.counts()).toEqual({ locks: 1, waiting: 0 });
});

test('a thread that closes lets go of what others wait for, and its own waits end', async () => {
  const memory = new LockMemory();
  const [closing, other] = [memory.thread(), memory.thread()];
  const b = new Locker(other.table, 1);
  expect([new Locker(closing.table, 1).lock('a'), b.lock('b')]).toEqual([undefined, undefined]);
  const refused = expectRefusal(() => new Locker(closing.table, 2).lock('b'), 'CLOSED', 'closed');
  const wait = b.lock('a');
  closing.table.close(closed('the database', {}));
  await refused;
  await wait;
  expect(other.table.counts()).toEqual({ locks: 2, waiting: 0 });
  await memory.time.advance(10 * LOOK_MS);
  expect(memory.time.pending).toBe(0);
});

test('what is locked and waited for when the database is shared is so for others', async () => {
  const memory = new LockMemory();
  const lone = loneThread(memory.time);
  const [a, b] = [new Locker(lone.table, 1), new Locker(lone.table, 2)];
  expect([a.lock('a'), a.lock('m', 'n')]).toEqual([undefined, undefined]);
  const wait = b.lock('a');
  lone.table.checkFits();
  memory.thread(lone);
  const other = memory.thread();
  expect(other.table.counts()).toEqual({ locks: 2, waiting: 1 });
  await expectRefusal(() => put(other, 'mm'), 'KEY_LOCKED', 'conflict', { transaction: 1, thread: 100 });
  const c = new Locker(other.table, 1);
  const third = c.lock('a');
  a.release();
  await wait;
  expect(other.table.counts()).toEqual({ locks: 1, waiting: 1 });
  b.release();
  await third;
});

test('a thread that dies in the middle of a change leaves the rest as it is', async () => {
  const memory = new LockMemory();
  const [dead, other] = [memory.thread(), memory.thread()];
  const a = new Locker(dead.table, 1);
  for (const key of ['a', 'b', 'c']) expect(a.lock(key)).toBeUndefined();
  const wait = new Locker(other.table, 1).lock('b');
  // It holds the write lock, and has let go of one of three.
  dead.session.state.access!.lock();
  const words = new Int32Array(memory.memory);
  const first = LOCK_WORDS - (1 << 18) * 16;
  Atomics.store(words, first + 1, 0);
  memory.die(dead);
  await memory.time.advance(LOOK_MS);
  await wait;
  expect(other.table.counts()).toEqual({ locks: 1, waiting: 0 });
  // What was taken from it is used again.
  const b = new Locker(other.table, 2);
  for (const key of ['x', 'y', 'z']) expect(b.lock(key)).toBeUndefined();
  expect(Atomics.load(words, 4)).toBe(4);
});

test('a full region refuses by name and has changed nothing; when all is let go there is room for other sizes', async () => {
  const memory = new LockMemory(LOCK_WORDS - ((1 << 18) - 64) * 16);
  const [thread, other] = [memory.thread(), memory.thread()];
  const [a, b] = [new Locker(thread.table, 1), new Locker(other.table, 1)];
  const long = 'k'.repeat(500);
  for (let i = 0; i < 60; i++) expect(a.lock(`key-${i}`)).toBeUndefined();
  await expectRefusal(() => b.lock(long), 'LOCKS_FULL', 'busy');
  expect(other.table.counts()).toEqual({ locks: 60, waiting: 0 });
  put(other, long);
  a.release();
  for (let i = 0; i < 3; i++) expect(b.lock(`${long}${i}`)).toBeUndefined();
  expect(thread.table.counts()).toEqual({ locks: 3, waiting: 0 });
  expect(a.lock('key-1')).toBeUndefined();
  b.release();
  a.release();
  expect(other.table.counts()).toEqual(NOTHING);
});
