/** What a thread is told of changes that it has missed. What all threads see of them is in packages/sim/src/interleave/lock-records.check.ts. */
import { expect, test } from 'vitest';
import { CONTROL_WORDS } from './control-words.ts';
import { BLOCKS, CHANGES, LockRecords, UNIT_WORDS } from './lock-records.ts';
import { claimSlot } from './thread-slots.ts';

const RING_WORDS = 4096;

test.each([RING_WORDS + 1, 2 ** 31 + 1, 2 ** 32 - 1])('who has missed %d changes is told so', (missed) => {
  const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));
  const memory = new SharedArrayBuffer(4 * (BLOCKS + 4 * UNIT_WORDS));
  const records = new LockRecords(control, memory, claimSlot(control, 1));
  const seen = records.changes;
  records.words[CHANGES] = seen + missed;
  const visited: number[] = [];
  expect(records.since(seen, (unit) => visited.push(unit))).toBe(false);
  expect(visited).toEqual([]);
  records.words[CHANGES] = seen + RING_WORDS;
  expect(records.since(seen, (unit) => visited.push(unit))).toBe(true);
  expect(visited.length).toBe(RING_WORDS);
});
