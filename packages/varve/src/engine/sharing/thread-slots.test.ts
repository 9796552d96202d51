/**
 * Slots of threads: claimed once each, refused by name when all are taken, free again when they are left.
 */
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { VarveError } from '../../base/errors.ts';
import { CONTROL_WORDS, SLOT_TASK, SLOTS_MAX, slotAt } from './control-words.ts';
import { claimSlot, freeSlot, generationOf, isSlotDead, openFilesShare, takenSlots } from './thread-slots.ts';

const control = (): Int32Array => new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));

test('as many threads as there are slots get one each, and the next is refused by name', () => {
  const words = control();
  const slots = Array.from({ length: SLOTS_MAX }, (_, threadId) => claimSlot(words, threadId));
  expect(slots).toEqual(Array.from({ length: SLOTS_MAX }, (_, slot) => slot));
  let refused: unknown;
  try {
    claimSlot(words, SLOTS_MAX);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(VarveError);
  expect(refused).toMatchObject({ kind: 'busy', code: 'TOO_MANY_THREADS', context: { max: SLOTS_MAX } });
  freeSlot(words, 7);
  expect(claimSlot(words, 1000)).toBe(7);
  expect(generationOf(words, 7)).toBe(2);
  expect(takenSlots(words)).toHaveLength(SLOTS_MAX);
});

test('threads share what files may be open, and each has room for a few', () => {
  const words = control();
  for (let i = 0; i < 4; i++) claimSlot(words, i);
  expect(openFilesShare(words, 1000)).toBe(250);
  expect(openFilesShare(words, 10)).toBe(8);
});

test.runIf(process.platform === 'linux')(
  'a thread that has ended is known to be dead, one that runs is not',
  async () => {
    const words = control();
    const own = claimSlot(words, 0);
    expect(isSlotDead(words, own, true)).toBe(false);
    const code = `
      const { parentPort } = require('node:worker_threads');
      const { readlinkSync } = require('node:fs');
      parentPort.postMessage(Number(readlinkSync('/proc/thread-self').split('/').at(-1)));
      parentPort.on('message', () => parentPort.close());
    `;
    const worker = new Worker(code, { eval: true });
    const [number] = (await once(worker, 'message')) as [number];
    // As if it had died right behind the first store of its claim.
    Atomics.store(words, slotAt(1) + SLOT_TASK, number);
    expect(isSlotDead(words, 1, true)).toBe(false);
    worker.postMessage('end');
    await once(worker, 'exit');
    await expect.poll(() => isSlotDead(words, 1, true)).toBe(true);
  },
);
