/**
 * The key hash of filters: two independent 32-bit halves, computed once per lookup and used against every filter.
 * Murmur3-style mixing of 4 bytes at a time; not for untrusted-collision resistance, only for spread.
 * PERSISTED through the filters: changing one bit of the result needs a new filter kind.
 */

/** Scratch for the second half, so that one call gives both without allocating: read it right after `hashKey`. */
export const hashHigh: Uint32Array = new Uint32Array(1);

/** Hash of [start, end): returns the low half, leaves the high half in `hashHigh[0]`. */
export function hashKey(bytes: Uint8Array, start: number, end: number): number {
  let a = 0x9747b28c ^ (end - start);
  let b = 0x3c6ef372;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    a = Math.imul(a ^ Math.imul(word, 0xcc9e2d51), 0x1b873593);
    a = (a << 13) | (a >>> 19);
    b = Math.imul(b ^ word, 0x85ebca6b);
    b = (b << 15) | (b >>> 17);
    b = (b + a) | 0;
  }
  let word = 0;
  for (let shift = 0; i < end; i++, shift += 8) word |= bytes[i]! << shift;
  a = mix(a ^ Math.imul(word, 0xcc9e2d51));
  b = mix(b ^ a ^ Math.imul(word, 0x27d4eb2f));
  hashHigh[0] = b;
  return a >>> 0;
}

function mix(value: number): number {
  let h = value;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
