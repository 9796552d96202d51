/**
 * Which block leaves when a size class of the block cache is full: the seam between the cache and its policy.
 *
 * A hit never comes here: the cache raises the slot's own counter (`HITS`, at most `HITS_MAX`) in the line of metadata that
 * the lookup has read anyway, and a policy looks at the counters, and lowers them, when it has to choose. What a policy
 * keeps beside that it makes in its constructor, in shared memory; nothing is allocated later. Where threads share a cache
 * each has an object of the policy over the same memory, and calls it while it has the cache's lock; `warmth` at any time.
 * Two implementations share one suite (replacement.test.ts): S3-FIFO, which the cache uses, and CLOCK.
 */

import type { TakeMemory } from './sharing.ts';

/** Words of a slot in the cache's table: file, offset, length (0: it holds no block), hits. See block-cache.ts. */
export const SLOT_WORDS = 4;
export const FILE = 0;
export const OFFSET = 1;
export const LENGTH = 2;
export const HITS = 3;
/** Where the counter of a slot stops. */
export const HITS_MAX = 3;

export interface Replacement {
  /**
   * A block was put into a slot of the class; its words are filled, its counter is 0. True when it had left a short while
   * ago, as far as the policy remembers: a larger cache would have kept it.
   */
  added(sizeClass: number, slot: number): boolean;
  /** The block of a slot leaves for a reason of the cache's own: its file was dropped, its page changes hands. */
  removed(sizeClass: number, slot: number): void;
  /** The slot whose block leaves now, taken out of the policy's books. The class holds a block. */
  victim(sizeClass: number): number;
  /** Forgets everything. */
  clear(): void;
  /** How much the policy wants to keep a block: 0 for one that was not used again, at most `WARMTH_MAX`. */
  warmth(slot: number): number;
}

export const WARMTH_MAX = 7;

/** Makes the policy of a cache of `slots` slots, whose words are in `words`, in `classes` classes. */
export type MakeReplacement = (
  words: Uint32Array,
  slots: number,
  classes: number,
  take: TakeMemory,
) => Replacement;
