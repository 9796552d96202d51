/**
 * Who of several sources in internal order has the next entry, walking back: a binary heap of their numbers, largest entry on top.
 * As long as the same source stays on top a step costs one comparison: with the larger of the root's two children, which
 * is remembered. Of two sources with the same (key, sequence) the one given first is the smaller one. One thread.
 */
import type { EntryIterator } from '../base/entry.ts';
import { compareHeads } from './loser-tree.ts';

export class BackwardHeap {
  readonly #sources: readonly EntryIterator[];
  /** The sources that are valid. */
  readonly #heap: Int32Array;
  #size = 0;
  /** Heap slot (1 or 2) of the better of the root's children; 0 when not known. */
  #second = 0;

  constructor(sources: readonly EntryIterator[]) {
    this.#sources = sources;
    this.#heap = new Int32Array(sources.length);
  }

  /** All sources stand at the first entries of a walk; the number of the one on top, valid or not. */
  build(): number {
    const heap = this.#heap;
    let size = 0;
    for (let i = 0; i < this.#sources.length; i++) if (this.#sources[i]!.valid) heap[size++] = i;
    this.#size = size;
    this.#second = 0;
    for (let slot = (size >> 1) - 1; slot >= 0; slot--) this.#sink(slot);
    return this.#top();
  }

  /** The source on top has moved; the number of the one that is there now. */
  settle(): number {
    const heap = this.#heap;
    if (!this.#sources[heap[0]!]!.valid) {
      heap[0] = heap[--this.#size]!;
      this.#second = 0;
      this.#sink(0);
    } else if (this.#size > 1) {
      const second = this.#findSecond();
      if (this.#before(heap[second]!, heap[0]!)) {
        const moved = heap[0]!;
        heap[0] = heap[second]!;
        heap[second] = moved;
        this.#second = 0;
        this.#sink(second);
      }
    }
    return this.#top();
  }

  /** Number of the source whose entry comes behind the one on top; undefined when there is none. */
  second(): number | undefined {
    return this.#size > 1 ? this.#heap[this.#findSecond()] : undefined;
  }

  /** With nothing left any of them, none of which is valid. */
  #top(): number {
    return this.#size === 0 ? 0 : this.#heap[0]!;
  }

  /** Heap slot of the better of the root's children; there are two sources at least. */
  #findSecond(): number {
    if (this.#second === 0) {
      this.#second = this.#size > 2 && this.#before(this.#heap[2]!, this.#heap[1]!) ? 2 : 1;
    }
    return this.#second;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const size = this.#size;
    const moved = heap[from]!;
    let slot = from;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, moved)) break;
      heap[slot] = heap[child]!;
      slot = child;
    }
    heap[slot] = moved;
  }

  /** Does the entry of source i come before that of source j, walking back? */
  #before(i: number, j: number): boolean {
    return (compareHeads(this.#sources[i]!, this.#sources[j]!) || i - j) > 0;
  }
}
