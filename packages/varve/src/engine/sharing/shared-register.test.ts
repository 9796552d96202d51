/**
 * The register of sequences that threads read at, with two threads' objects over the same words.
 */
import { expect, test } from 'vitest';
import { CONTROL_WORDS, VISIBLE } from './control-words.ts';
import { storeSequence } from './sequence-words.ts';
import { REGISTER_WORDS, SharedRegister } from './shared-register.ts';
import { claimSlot, freeSlot } from './thread-slots.ts';

const clock = { now: () => 0, last: 0 };

test('a thread that has left its slot registers nothing in the row of the next one', () => {
  const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));
  const places = new Int32Array(new SharedArrayBuffer(4 * REGISTER_WORDS));
  const slot = claimSlot(control, 1);
  const gone = new SharedRegister(control, places, slot, clock);
  storeSequence(control, VISIBLE, 5);
  gone.addVisible();
  gone.end();
  freeSlot(control, slot);
  const next = new SharedRegister(control, places, claimSlot(control, 2), clock);
  gone.addVisible();
  expect(next.sequences()).toEqual([]);
  storeSequence(control, VISIBLE, 7);
  next.addVisible();
  gone.remove(5, 0);
  gone.remove(7, 0);
  expect(next.sequences()).toEqual([7]);
});
