/**
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: FIFO queues are all you need for cache eviction, SOSP 2023), in each size class.
 *
 * A new block stands in a small queue, a tenth of the class. It leaves from there unless it was used twice meanwhile, which
 * takes it to the main queue; so a scan passes through the small queue and moves nothing else. Who left the small queue
 * and comes back soon goes to the main queue at once (ghosts.ts). In the main queue the first block leaves that has no
 * hits left; each turn takes one.
 */
import { Ghosts } from './ghosts.ts';
import {
  FILE,
  HITS,
  HITS_MAX,
  type MakeReplacement,
  OFFSET,
  type Replacement,
  SLOT_WORDS,
} from './replacement.ts';
import type { TakeMemory } from './sharing.ts';
import { SlotLists } from './slot-lists.ts';

/** The small queue gives a block away when it has this share of its class or more. */
const SMALL_SHARE = 0.1;
/** Hits in the small queue that take a block to the main queue. */
const PROMOTING_HITS = 2;
/** After this many second chances the next block leaves whatever its hits, so that no single miss pays for a whole round. */
const CHANCES_MAX = 256;

class S3Fifo implements Replacement {
  readonly #words: Uint32Array;
  /** Of each class the small queue (even) and the main queue (odd). */
  readonly #lists: SlotLists;
  readonly #ghosts: Ghosts;

  constructor(words: Uint32Array, slots: number, classes: number, take: TakeMemory) {
    this.#words = words;
    this.#lists = new SlotLists(slots, classes * 2, take);
    this.#ghosts = new Ghosts(slots, classes, take);
  }

  clear(): void {
    this.#lists.clear();
    this.#ghosts.clear();
  }

  added(sizeClass: number, slot: number): boolean {
    const lists = this.#lists;
    const at = slot * SLOT_WORDS;
    const small = sizeClass * 2;
    const remembered = (lists.size(small) + lists.size(small + 1)) * (1 - SMALL_SHARE);
    const returned = this.#ghosts.take(
      sizeClass,
      this.#words[at + FILE]!,
      this.#words[at + OFFSET]!,
      remembered,
    );
    lists.push(returned ? small + 1 : small, slot);
    return returned;
  }

  removed(_sizeClass: number, slot: number): void {
    this.#lists.remove(slot);
  }

  victim(sizeClass: number): number {
    const lists = this.#lists;
    const words = this.#words;
    const small = sizeClass * 2;
    const main = small + 1;
    for (let chances = 0; ; chances++) {
      const inSmall = lists.size(small);
      const inMain = lists.size(main);
      const fromSmall = inMain === 0 || (inSmall > 0 && inSmall >= (inSmall + inMain) * SMALL_SHARE);
      const slot = lists.shift(fromSmall ? small : main);
      const at = slot * SLOT_WORDS;
      const hits = words[at + HITS]!;
      if (hits < (fromSmall ? PROMOTING_HITS : 1) || chances >= CHANCES_MAX) {
        if (fromSmall) this.#ghosts.add(sizeClass, words[at + FILE]!, words[at + OFFSET]!);
        return slot;
      }
      words[at + HITS] = fromSmall ? 0 : hits - 1;
      lists.push(main, slot);
    }
  }

  warmth(slot: number): number {
    const list = this.#lists.listOf(slot);
    if (list < 0) return 0;
    return this.#words[slot * SLOT_WORDS + HITS]! + ((list & 1) === 1 ? HITS_MAX + 1 : 0);
  }
}

export const s3Fifo: MakeReplacement = (words, slots, classes, take) =>
  new S3Fifo(words, slots, classes, take);
