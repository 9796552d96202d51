/**
 * The state of a shared database as tests see it from outside, out of its handle: who holds what at the moment. For rigs that
 * end threads at chosen moments; the engine itself never asks.
 */
import { CACHE_LOCK, GENERATION, SLOT_PIN, slotAt, WRITE_LOCK } from './control-words.ts';
import { checkHandle } from './share-handle.ts';
import { takenSlots, threadIdOf } from './thread-slots.ts';

export class SharedWords {
  readonly #control: Int32Array;

  constructor(handle: unknown) {
    this.#control = new Int32Array(checkHandle(handle).control);
  }

  /** `threadId` of every thread that has the database open, the owner first. */
  threads(): number[] {
    return takenSlots(this.#control).map((slot) => threadIdOf(this.#control, slot));
  }

  /** `threadId` of who holds a lock; undefined when it is free. */
  holder(lock: 'write' | 'cache'): number | undefined {
    const word = Atomics.load(this.#control, lock === 'write' ? WRITE_LOCK : CACHE_LOCK);
    return word === 0 ? undefined : threadIdOf(this.#control, (word & 255) - 1);
  }

  /** Words of a view are being changed. */
  get isChanging(): boolean {
    return (Atomics.load(this.#control, GENERATION) & 1) !== 0;
  }

  /** Is the thread in the middle of an operation? */
  isPinned(threadId: number): boolean {
    return takenSlots(this.#control).some(
      (slot) =>
        threadIdOf(this.#control, slot) === threadId &&
        Atomics.load(this.#control, slotAt(slot) + SLOT_PIN) !== 0,
    );
  }
}
