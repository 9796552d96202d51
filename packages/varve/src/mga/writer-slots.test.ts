import { threadId } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { makeWords, WORD_WRITERS, WRITERS_MAX } from './inventory-words.ts';
import { changesEnded, isAnyChanging, WriterSlot } from './writer-slots.ts';

const OWN = threadId + 1;

describe('WriterSlot', () => {
  test('takes the pair of a thread that is gone when there is no other, and ends its change', () => {
    const shared = makeWords(1024, 1);
    const { words } = shared;
    const pairs = words.subarray(WORD_WRITERS, WORD_WRITERS + WRITERS_MAX * 2);
    for (let i = 0; i < WRITERS_MAX; i++) pairs.set([1000 + i, 7], i * 2);
    const gone = 1004;
    const slot = new WriterSlot(shared, (id) => id + 1 !== gone);
    slot.enter();
    expect([...pairs.subarray(8, 10)]).toEqual([OWN, 9]);
    slot.leave();
    expect([...pairs.subarray(8, 10)]).toEqual([OWN, 10]);
    expect(() => new WriterSlot(shared, () => true).enter()).not.toThrow();
    pairs[8] = 2000;
    expect(() => new WriterSlot(shared, () => true).enter()).toThrow('at most 128 threads');
  });

  test('takes another pair when its own was taken', () => {
    const shared = makeWords(1024, 1);
    const slot = new WriterSlot(shared, () => true);
    slot.enter();
    slot.leave();
    shared.words[WORD_WRITERS] = 2000;
    slot.enter();
    expect([...shared.words.subarray(WORD_WRITERS, WORD_WRITERS + 4)]).toEqual([2000, 2, OWN, 1]);
  });
});

test('changes of threads that are gone are not waited for', async () => {
  const shared = makeWords(1024, 1);
  shared.words.set([2000, 3], WORD_WRITERS);
  expect(isAnyChanging(shared, () => true)).toBe(true);
  expect(isAnyChanging(shared, () => false)).toBe(false);
  await changesEnded(shared, () => false);
  expect([...shared.words.subarray(WORD_WRITERS, WORD_WRITERS + 2)]).toEqual([0, 4]);
});
