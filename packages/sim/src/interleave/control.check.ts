/**
 * What the checks of a shared database have in common: its control words, and threads that have slots in them.
 */
import {
  claimSlot,
  CONTROL_WORDS,
  EPOCH,
  GENERATION,
  JOB_FLOOR,
  SLOT_PIN,
  SLOT_TAKEN,
  SLOT_TASK,
  SLOTS_USED,
  slotAt,
  VISIBLE,
  WRITE_LOCK,
} from 'varve/internals';
import type { Labels } from './instance.ts';

export interface Control {
  readonly control: SharedArrayBuffer;
}

/** Fresh control words, named for schedules. */
export function makeControl(label: Labels): SharedArrayBuffer {
  const control = new SharedArrayBuffer(4 * CONTROL_WORDS);
  const names: Record<number, string> = {
    [WRITE_LOCK]: 'write lock',
    [EPOCH]: 'epoch',
    [GENERATION]: 'generation',
    [VISIBLE]: 'visible.high',
    [VISIBLE + 1]: 'visible.low',
    [JOB_FLOOR]: 'job floor.high',
    [JOB_FLOOR + 1]: 'job floor.low',
    [SLOTS_USED]: 'slots used',
  };
  for (let slot = 0; slot < 4; slot++) {
    names[slotAt(slot) + SLOT_TASK] = `slot ${slot}.task`;
    names[slotAt(slot) + SLOT_PIN] = `slot ${slot}.pin`;
    names[slotAt(slot) + SLOT_TAKEN] = `slot ${slot}.taken`;
  }
  label(control, 'control', names);
  new Int32Array(control)[EPOCH] = 1;
  return control;
}

/** The control words as a thread sees them, with a slot of its own. To be called where a thread is prepared. */
export function join({ control }: Control, thread: number): { words: Int32Array; slot: number } {
  const words = new Int32Array(control);
  return { words, slot: claimSlot(words, thread) };
}

export function must(isTrue: boolean, what: () => string): void {
  if (!isTrue) throw new Error(what());
}
