/**
 * Offset-value codes: how a key departs from one before it, as one integer, for searches to compare instead of keys
 * (Conner 1977; Graefe and Do, "Offset-value coding in database query processing", 2023).
 *
 * For X after P: code(X | P) = (127 - shared) << 24 | the three bytes of X behind those that it shares with P; 0 when they share
 * 127 or more. Keys count as if zeros followed them; keys that differ in nothing else share everything.
 * For X, Y after P: code(X | P) < code(Y | P) implies X < Y, and tells how many bytes X and Y share: `codeBehind`. So a
 * search that carries the code of its key against where it stands goes on or stops by comparing two integers, whatever
 * prefix the keys have in common; only equal codes send it to the keys. Searches of memtables and merges of jobs do so.
 */

/** The highest code, of keys too that begin with three bytes of 0xff: the end, and a place that is being changed. */
export const CODE_MAX = 0x7fffffff;
/** Where codes stop telling keys apart. */
const SHARED_MAX = 127;
const SHARE_ALL = 0x7fffffff;

/** How many bytes two keys share, zeros behind the shorter counted; SHARE_ALL when they differ in nothing else. */
export function sharedBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
  known: number,
): number {
  const aLength = aEnd - aStart;
  const bLength = bEnd - bStart;
  const limit = aLength < bLength ? aLength : bLength;
  let i = known < limit ? known : limit;
  while (i < limit && a[aStart + i] === b[bStart + i]) i++;
  if (i < limit) return i;
  while (i < aLength && a[aStart + i] === 0) i++;
  while (i < bLength && b[bStart + i] === 0) i++;
  return i < aLength || i < bLength ? i : SHARE_ALL;
}

/** Code of a key against one before it with which it shares `shared` bytes. */
export function codeOf(key: Uint8Array, start: number, end: number, shared: number): number {
  if (shared >= SHARED_MAX) return 0;
  const at = start + shared;
  const offset = (SHARED_MAX - shared) << 24;
  if (at + 3 <= end) return offset | (key[at]! << 16) | (key[at + 1]! << 8) | key[at + 2]!;
  if (at + 2 === end) return offset | (key[at]! << 16) | (key[at + 1]! << 8);
  return at + 1 === end ? offset | (key[at]! << 16) : offset;
}

/** Code of a key against the empty key of the heads. */
export function codeFromHead(key: Uint8Array, start: number, end: number): number {
  let zeros = 0;
  while (zeros < end - start && key[start + zeros] === 0) zeros++;
  return codeOf(key, start, end, zeros === end - start ? SHARE_ALL : zeros);
}

/** Code of the key against X, from its code against a P before X and the lower code of X against that P. */
export function codeBehind(
  code: number,
  codeOfX: number,
  key: Uint8Array,
  start: number,
  end: number,
): number {
  const difference = code ^ codeOfX;
  if (difference >= 0x10000) return code;
  return codeOf(key, start, end, sharedOf(code) + (difference >= 0x100 ? 1 : 2));
}

/** The bytes that keys of a code share at least. */
export function sharedOf(code: number): number {
  return SHARED_MAX - (code >>> 24);
}
