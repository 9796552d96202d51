/**
 * Which blocks of the cache were used again: what is worth reading again after a restart. A counting sort by warmth, over
 * all slots, without the cache's lock: other threads may change what is read here, so a pair may name no block.
 */
import { FILE, LENGTH, OFFSET, type Replacement, SLOT_WORDS, WARMTH_MAX } from './replacement.ts';

/** Pairs (file, offset) of the first `count` slots in `out`, the warmest first, as many as fit. Returns how many. */
export function workingSet(
  slots: Uint32Array,
  count: number,
  replacement: Replacement,
  out: Uint32Array,
): number {
  // Asked once a slot: another thread's hit between two questions would put two blocks in one place.
  const warmth = new Uint8Array(count);
  const starts = new Uint32Array(WARMTH_MAX + 2);
  for (let slot = 0; slot < count; slot++) {
    warmth[slot] = slots[slot * SLOT_WORDS + LENGTH]! === 0 ? 0 : replacement.warmth(slot);
    starts[WARMTH_MAX - warmth[slot]! + 1]! += 1;
  }
  for (let i = 1; i <= WARMTH_MAX; i++) starts[i]! += starts[i - 1]!;
  const pairs = Math.min(starts[WARMTH_MAX]!, out.length >>> 1);
  for (let slot = 0; slot < count; slot++) {
    const at = starts[WARMTH_MAX - warmth[slot]!]!++;
    if (at >= pairs) continue;
    out[at * 2] = slots[slot * SLOT_WORDS + FILE]!;
    out[at * 2 + 1] = slots[slot * SLOT_WORDS + OFFSET]!;
  }
  return pairs;
}
