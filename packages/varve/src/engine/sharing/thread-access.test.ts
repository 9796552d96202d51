/**
 * The way into a shared database, with several threads' objects in one thread: each has a slot of its own over the same words.
 */
import { expect, test } from 'vitest';
import {
  CONTROL_WORDS,
  EPOCH,
  GENERATION,
  SLOT_PIN,
  SLOT_TASK,
  slotAt,
  WRITE_LOCK,
} from './control-words.ts';
import { pin } from './epochs.ts';
import { type AccessHooks, ThreadAccess } from './thread-access.ts';
import { claimSlot, freeSlot } from './thread-slots.ts';

/** The system gives no thread this number. */
const NOBODY = 0x7fff_fffe;

function makeWords(): Int32Array {
  const words = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));
  words[EPOCH] = 1;
  return words;
}

interface Thread {
  readonly access: ThreadAccess;
  readonly slot: number;
  /** What its hooks were asked, in order. */
  readonly calls: string[];
  /** Thrown by the next `repair`. */
  failure: Error | undefined;
}

function makeThread(words: Int32Array): Thread {
  const slot = claimSlot(words, 1);
  const calls: string[] = [];
  const hooks: AccessHooks = {
    flagged: () => undefined,
    follow: (isCurrent) => {
      calls.push('follow');
      return isCurrent();
    },
    load: () => void calls.push('load'),
    repair: () => {
      calls.push('repair');
      const { failure } = thread;
      thread.failure = undefined;
      if (failure !== undefined) throw failure;
      thread.access.endChange();
    },
  };
  const thread: Thread = { access: new ThreadAccess(words, slot, hooks), slot, calls, failure: undefined };
  return thread;
}

/** The thread is gone, without having said so. */
function die(words: Int32Array, { slot }: Thread): void {
  Atomics.store(words, slotAt(slot) + SLOT_TASK, NOBODY);
}

const pinOf = (words: Int32Array, slot: number): number => Atomics.load(words, slotAt(slot) + SLOT_PIN);

test('a write inside a read goes to the views of its own time, not to those that the read began with', () => {
  const words = makeWords();
  const [reader, writer] = [makeThread(words), makeThread(words)];
  reader.access.enter();
  writer.access.exclusive(() => writer.access.changeViews(() => undefined));
  reader.calls.length = 0;
  reader.access.lock();
  expect(reader.calls).toEqual(['load', 'follow']);
  reader.access.unlock();
  reader.access.leave();
  expect(pinOf(words, reader.slot)).toBe(0);
});

test('a thread that has left its slot does not touch the pin of the next one in it', () => {
  const words = makeWords();
  const gone = makeThread(words);
  const error = new Error('the database is closed');
  gone.access.end(error, () => freeSlot(words, gone.slot));
  expect(claimSlot(words, 2)).toBe(gone.slot);
  pin(words, gone.slot);
  const pinned = pinOf(words, gone.slot);
  expect(() => gone.access.enter()).toThrow(error);
  expect(() => gone.access.lock()).toThrow(error);
  expect(pinOf(words, gone.slot)).toBe(pinned);
});

test('a thread that ends in the middle of an operation keeps its slot until the operation has ended', () => {
  const words = makeWords();
  const { access, slot } = makeThread(words);
  access.enter();
  access.end(new Error('closed'), () => freeSlot(words, slot));
  expect(pinOf(words, slot)).not.toBe(0);
  expect(claimSlot(words, 2)).not.toBe(slot);
  access.leave();
  expect(claimSlot(words, 2)).toBe(slot);
});

test('a repair that did not come to its end is left to whoever takes the lock next', () => {
  const words = makeWords();
  const [dead, first, second] = [makeThread(words), makeThread(words), makeThread(words)];
  dead.access.lock();
  die(words, dead);
  first.failure = new Error('no memory is left');
  expect(() => first.access.lock()).toThrow('no memory is left');
  expect(Atomics.load(words, WRITE_LOCK)).not.toBe(0);
  second.access.lock();
  expect(second.calls).toContain('repair');
  second.access.unlock();
  first.access.lock();
  expect(first.calls.filter((call) => call === 'repair')).toHaveLength(1);
  first.access.unlock();
});

test('a lock that was held when its slot was left is taken over', () => {
  const words = makeWords();
  const [gone, next] = [makeThread(words), makeThread(words)];
  gone.access.lock();
  freeSlot(words, gone.slot);
  next.access.lock();
  expect(next.calls).toContain('repair');
  next.access.unlock();
});

test('a change of views that throws is ended: readers go on', () => {
  const words = makeWords();
  const [writer, reader] = [makeThread(words), makeThread(words)];
  const change = (): void =>
    writer.access.exclusive(() =>
      writer.access.changeViews(() => {
        throw new Error('no row is left');
      }),
    );
  expect(change).toThrow('no row is left');
  expect(Atomics.load(words, GENERATION) & 1).toBe(0);
  reader.access.enter();
  reader.access.leave();
});
