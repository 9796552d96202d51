/**
 * The hash table of the block cache: from (file, offset) to the slot that holds the block. Open addressing, linear probing;
 * a place holds slot + 1, 0 is empty. At most half full, so every search ends.
 *
 * Any thread searches, without a lock; changes are made by the one that has the cache's lock. Why a search is never wrong:
 * a place only ever names a slot whose block is complete, and a slot that was taken out of the table is not used again
 * before all operations of that time have ended. So the key that a searcher reads through a place is that of the block,
 * which stays. (A place is stored after what it leads to, and read before it, through it: the order holds on any processor.)
 * A searcher may miss a block that just moved to close a gap.
 *
 *   memory  writer        readers     published by        content
 *   table   lock holder   any thread  Atomics.store       u32 slot + 1, two places or more for each slot
 */
import { assert } from '../base/assert.ts';
import { FILE, OFFSET, SLOT_WORDS } from './replacement.ts';
import type { TakeMemory } from './sharing.ts';

const PLACES_MIN = 16;

export class BlockIndex {
  readonly #slots: Uint32Array;
  readonly #table: Int32Array;
  readonly #mask: number;
  /** An atomic store takes five times as long, so one thread alone does without. */
  isShared = false;

  /** For `count` slots, whose words are in `slots`. */
  constructor(slots: Uint32Array, count: number, take: TakeMemory) {
    this.#slots = slots;
    let places = PLACES_MIN;
    while (places < count * 2) places *= 2;
    this.#table = new Int32Array(take(places * 4));
    this.#mask = places - 1;
  }

  /** The slot of a key, or -1. */
  find(file: number, offset: number): number {
    const table = this.#table;
    const slots = this.#slots;
    const mask = this.#mask;
    for (let at = homeOf(file, offset, mask); ; at = (at + 1) & mask) {
      const entry = table[at]!;
      if (entry === 0) return -1;
      const slot = (entry - 1) * SLOT_WORDS;
      if (slots[slot + OFFSET] === offset && slots[slot + FILE] === file) return entry - 1;
    }
  }

  /** Makes a slot known whose words are filled. */
  link(slot: number): void {
    const at = slot * SLOT_WORDS;
    let place = homeOf(this.#slots[at + FILE]!, this.#slots[at + OFFSET]!, this.#mask);
    while (this.#table[place] !== 0) place = (place + 1) & this.#mask;
    this.#store(place, slot + 1);
  }

  /** Takes a slot out and closes the gap, so that no later entry of its run is cut off. */
  unlink(slot: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let gap = this.#homeOfSlot(slot);
    while (table[gap] !== slot + 1) {
      assert(table[gap] !== 0, 'a slot that holds a block is in the hash table');
      gap = (gap + 1) & mask;
    }
    for (let next = (gap + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const moved = table[next]! - 1;
      // It may move to the gap when its home does not lie between gap and itself.
      if (((next - this.#homeOfSlot(moved)) & mask) < ((next - gap) & mask)) continue;
      // For a moment it stands twice, which is as good as once.
      this.#store(gap, moved + 1);
      gap = next;
    }
    this.#store(gap, 0);
  }

  #store(place: number, entry: number): void {
    if (this.isShared) Atomics.store(this.#table, place, entry);
    else this.#table[place] = entry;
  }

  clear(): void {
    this.#table.fill(0);
  }

  #homeOfSlot(slot: number): number {
    const at = slot * SLOT_WORDS;
    return homeOf(this.#slots[at + FILE]!, this.#slots[at + OFFSET]!, this.#mask);
  }
}

function homeOf(file: number, offset: number, mask: number): number {
  let hash = Math.imul(file, 0x9e3779b1) ^ Math.imul(offset, 0x85ebca77);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) & mask;
}
