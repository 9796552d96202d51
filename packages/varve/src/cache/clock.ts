/**
 * CLOCK: what was used since its last turn goes to the back of the line, the first that was not leaves. The plain policy
 * that S3-FIFO is measured against; one scan of many blocks empties it.
 */
import { HITS, type MakeReplacement, type Replacement, SLOT_WORDS } from './replacement.ts';
import type { TakeMemory } from './sharing.ts';
import { SlotLists } from './slot-lists.ts';

class Clock implements Replacement {
  readonly #words: Uint32Array;
  readonly #lists: SlotLists;

  constructor(words: Uint32Array, slots: number, classes: number, take: TakeMemory) {
    this.#words = words;
    this.#lists = new SlotLists(slots, classes, take);
  }

  clear(): void {
    this.#lists.clear();
  }

  added(sizeClass: number, slot: number): boolean {
    this.#lists.push(sizeClass, slot);
    return false;
  }

  removed(_sizeClass: number, slot: number): void {
    this.#lists.remove(slot);
  }

  victim(sizeClass: number): number {
    for (;;) {
      const slot = this.#lists.shift(sizeClass);
      const at = slot * SLOT_WORDS + HITS;
      if (this.#words[at]! === 0) return slot;
      this.#words[at] = 0;
      this.#lists.push(sizeClass, slot);
    }
  }

  warmth(slot: number): number {
    return this.#words[slot * SLOT_WORDS + HITS]!;
  }
}

export const clock: MakeReplacement = (words, slots, classes, take) => new Clock(words, slots, classes, take);
