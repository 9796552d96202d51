/**
 * Short index keys: between the last key of one block and the first of the next any key serves, so take a short one.
 */

/**
 * Writes to `out` a short key s with last <= s < next and returns its length; `last` orders before `next`.
 * Never longer than `last`; equal to it when nothing shorter fits.
 */
export function shortestSeparator(
  last: Uint8Array,
  lastLength: number,
  next: Uint8Array,
  nextStart: number,
  nextEnd: number,
  out: Uint8Array,
): number {
  const limit = Math.min(lastLength, nextEnd - nextStart);
  let shared = 0;
  while (shared < limit && last[shared] === next[nextStart + shared]) {
    out[shared] = last[shared];
    shared++;
  }
  // `last` is a prefix of `next`: it is the shortest itself.
  if (shared === lastLength) return lastLength;
  const raised = last[shared] + 1;
  const differs = next[nextStart + shared];
  if (
    shared + 1 < lastLength &&
    (raised < differs || (raised === differs && nextStart + shared + 1 < nextEnd))
  ) {
    out[shared] = raised;
    return shared + 1;
  }
  // Keeping the first byte that differs keeps the result below `next`; raise a later byte instead.
  out[shared] = last[shared];
  for (let i = shared + 1; i < lastLength; i++) {
    if (last[i] < 0xff && i + 1 < lastLength) {
      out[i] = last[i] + 1;
      return i + 1;
    }
    out[i] = last[i];
  }
  return lastLength;
}
