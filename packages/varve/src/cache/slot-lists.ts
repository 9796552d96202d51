/**
 * First-in-first-out lists of slots in shared memory, for the replacement policies and the free slots: a slot is in one list
 * at most. Leaving from the middle is a few stores, since a dropped file takes its slots out wherever they stand.
 * Used by the thread that has the cache's lock.
 */
import type { TakeMemory } from './sharing.ts';

/** Ends of a list are stored as slot + 1; 0 is none. */
export class SlotLists {
  readonly #next: Uint32Array;
  readonly #previous: Uint32Array;
  /** List + 1 of each slot. */
  readonly #of: Uint8Array;
  readonly #first: Uint32Array;
  readonly #last: Uint32Array;
  readonly #sizes: Uint32Array;

  constructor(slots: number, lists: number, take: TakeMemory) {
    this.#next = new Uint32Array(take(slots * 4));
    this.#previous = new Uint32Array(take(slots * 4));
    this.#of = new Uint8Array(take(slots));
    this.#first = new Uint32Array(take(lists * 4));
    this.#last = new Uint32Array(take(lists * 4));
    this.#sizes = new Uint32Array(take(lists * 4));
  }

  /** Empties all lists, whatever was in them. */
  clear(): void {
    this.#of.fill(0);
    this.#first.fill(0);
    this.#last.fill(0);
    this.#sizes.fill(0);
  }

  size(list: number): number {
    return this.#sizes[list]!;
  }

  /** The list that a slot is in; -1 for none. */
  listOf(slot: number): number {
    return this.#of[slot]! - 1;
  }

  /** The slot that came first; -1 when there is none. */
  first(list: number): number {
    return this.#first[list]! - 1;
  }

  /** The slot that came last; -1 when there is none. */
  last(list: number): number {
    return this.#last[list]! - 1;
  }

  /** The slot that came before one in its list; -1 for the first. */
  before(slot: number): number {
    return this.#previous[slot]! - 1;
  }

  push(list: number, slot: number): void {
    const last = this.#last[list]!;
    this.#next[slot] = 0;
    this.#previous[slot] = last;
    if (last === 0) this.#first[list] = slot + 1;
    else this.#next[last - 1] = slot + 1;
    this.#last[list] = slot + 1;
    this.#of[slot] = list + 1;
    this.#sizes[list]!++;
  }

  /** Takes out the slot that came first. The list is not empty. */
  shift(list: number): number {
    const slot = this.#first[list]! - 1;
    this.remove(slot);
    return slot;
  }

  /** Takes out a slot, wherever it stands in its list. */
  remove(slot: number): void {
    const list = this.#of[slot]! - 1;
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (previous === 0) this.#first[list] = next;
    else this.#next[previous - 1] = next;
    if (next === 0) this.#last[list] = previous;
    else this.#previous[next - 1] = previous;
    this.#of[slot] = 0;
    this.#sizes[list]!--;
  }
}
