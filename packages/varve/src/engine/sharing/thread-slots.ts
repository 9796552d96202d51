/**
 * The threads that have a shared database open, each with a slot of words (control-words.ts): claiming and clearing slots,
 * and whether the thread in a slot still runs. The owner's thread has slot 0.
 *
 * A slot is claimed by the thread that will use it (`claim`, one compare-and-exchange). It is cleared by that thread when it
 * closes, or by the owner when the thread is gone; by then nothing is held in its name any more (the owner breaks its locks
 * first). Words are plain numbers: nothing here needs the other thread to answer.
 */
import { busy } from '../../base/errors.ts';
import {
  SLOT_ANSWERS,
  SLOT_HEARD,
  SLOT_OVERFLOW,
  SLOT_PIN,
  SLOT_STARTED,
  SLOT_TAKEN,
  SLOT_TASK,
  SLOT_THREAD,
  SLOTS_MAX,
  SLOTS_USED,
  slotAt,
  UNKNOWN_TASK,
} from './control-words.ts';
import { currentTask, isRunning } from './thread-liveness.ts';

export const OWNER_SLOT = 0;
const TICKS = 4294967296;
/** What a lock word has room for. */
const GENERATION_MASK = 0xff_ffff;

/** Takes a free slot for the calling thread. @throws busy `TOO_MANY_THREADS` */
export function claimSlot(words: Int32Array, threadId: number): number {
  const task = currentTask();
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    const at = slotAt(slot);
    // From here on a thread that dies is known to be dead, whatever it has not stored yet.
    if (Atomics.compareExchange(words, at + SLOT_TASK, 0, task?.number ?? UNKNOWN_TASK) !== 0) continue;
    Atomics.store(words, at + SLOT_STARTED, Math.floor((task?.started ?? 0) / TICKS));
    Atomics.store(words, at + SLOT_STARTED + 1, (task?.started ?? 0) | 0);
    Atomics.store(words, at + SLOT_THREAD, threadId);
    Atomics.store(words, at + SLOT_HEARD, Atomics.load(words, at + SLOT_ANSWERS));
    Atomics.add(words, at + SLOT_TAKEN, 1);
    for (let used = Atomics.load(words, SLOTS_USED); used <= slot; used = Atomics.load(words, SLOTS_USED)) {
      Atomics.compareExchange(words, SLOTS_USED, used, slot + 1);
    }
    return slot;
  }
  throw busy('TOO_MANY_THREADS', `a database is open in at most ${SLOTS_MAX} threads`, { max: SLOTS_MAX });
}

/** Makes the slot free. Nothing is held in its name any more. */
export function freeSlot(words: Int32Array, slot: number): void {
  const at = slotAt(slot);
  for (const word of [SLOT_PIN, SLOT_OVERFLOW, SLOT_STARTED, SLOT_STARTED + 1, SLOT_TASK]) {
    Atomics.store(words, at + word, 0);
  }
}

/** How often the slot was taken: with its number it names one thread's use of it. */
export function generationOf(words: Int32Array, slot: number): number {
  return Atomics.load(words, slotAt(slot) + SLOT_TAKEN);
}

export function threadIdOf(words: Int32Array, slot: number): number {
  return Atomics.load(words, slotAt(slot) + SLOT_THREAD);
}

/** Slots that a thread has. */
export function takenSlots(words: Int32Array): number[] {
  const taken: number[] = [];
  const used = Atomics.load(words, SLOTS_USED);
  for (let slot = 0; slot < used; slot++) {
    if (Atomics.load(words, slotAt(slot) + SLOT_TASK) !== 0) taken.push(slot);
  }
  return taken;
}

/** A thread has room for so many open tables at least. */
const OPEN_FILES_MIN = 8;

/** Tables that one thread may have open: threads share the limit. */
export function openFilesShare(words: Int32Array, openFilesMax: number): number {
  return Math.max(OPEN_FILES_MIN, Math.floor(openFilesMax / Math.max(1, takenSlots(words).length)));
}

/** True when the thread of a taken slot has ended. False also where the system does not tell. */
export function isSlotDead(words: Int32Array, slot: number, isThorough: boolean): boolean {
  const at = slotAt(slot);
  const number = Atomics.load(words, at + SLOT_TASK);
  if (number === 0 || number === UNKNOWN_TASK) return false;
  const high = Atomics.load(words, at + SLOT_STARTED);
  const started = high * TICKS + (Atomics.load(words, at + SLOT_STARTED + 1) >>> 0);
  return !isRunning({ number, started }, isThorough && started !== 0);
}

/** True when the thread that took the slot for the `generation`th time has left it. */
export function isLeft(words: Int32Array, slot: number, generation: number): boolean {
  const isAnother = ((generationOf(words, slot) ^ generation) & GENERATION_MASK) !== 0;
  return isAnother || Atomics.load(words, slotAt(slot) + SLOT_TASK) === 0;
}
