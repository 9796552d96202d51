/**
 * What a skiplist is made of in the pool: entries in one chain, and towers, the index above them. All words are signed 32
 * bits; an entry or tower is named by a word index, 0 is none.
 *
 *   entry      word     field
 *              e + 0    NEXT           the next entry, 0 at the end
 *              e + 1    HINT           how the next entry's key departs from this one's (below)
 *              e + 2    BACK           an entry before this one: the nearest but for an insertion in progress, or the head
 *              e + 3    VALUE          byte offset of the value record (a multiple of 8) + kind (0..7)
 *              e + 4    SEQUENCE_LOW, e + 5 SEQUENCE_HIGH (21 bits)
 *              e + 6    KEY_LENGTH     in bytes
 *              e + 7    KEY            the key bytes
 *   value record: u32 length, then the bytes; right behind the key unless large, or in place of an earlier one
 *
 *   tower      t + 0    ENTRY          the entry that it leads to
 *              t - 1    that entry's NEXT, t - 2 its HINT: copies, so that a search passes by without touching the entry
 *              t - 3    link of level 1: the next tower there, 0 at the end; t - 4 hint of its entry against this one's
 *              t - 1 - 2 i, t - 2 - 2 i  the same of level i
 *
 * Half of the entries have a tower, half of the towers a second level, and so on. Towers lie apart from entries, close
 * together, because a search visits many of them and few entries: that is most of its speed (cache lines and pages touched).
 * Order: key ascending, sequence descending. The heads are an entry and a tower before all others, with an empty key.
 *
 * Hints are offset-value codes (Conner 1977; Graefe and Do, "Offset-value coding in database query processing", 2023): for
 * X after P, code(X | P) = (127 - shared) << 24 | the three bytes of X behind those that it shares with P; 0 when they share
 * 127 or more. Keys count as if zeros followed them; keys that differ in nothing else share everything.
 * For X, Y after P: code(X | P) < code(Y | P) implies X < Y, and tells how many bytes X and Y share: `codeBehind`. So a
 * search that carries the code of its key against where it stands goes on or stops by comparing two integers, whatever
 * prefix the keys have in common; only equal codes send it to the keys.
 *
 * Invariants: (1) nothing moves or is unlinked; only links, hints, BACK and VALUE change after an entry is linked.
 * (2) An insert completes the entry and then, bottom up, stores in each place hint = CODE_MAX, link, hint: after every
 * single store the list is whole, and a hint is exact or CODE_MAX, which sends a search to the keys on the entries and to
 * the level below elsewhere. (A reader beside the writer takes link, hint, link again and repeats when they differ.)
 * (3) BACK may lag behind, never point past its entry: who walks back goes forward from there to the direct neighbour. One
 * word an entry makes `prev` a step instead of a search; forward order never needs it.
 */

export const NEXT = 0;
export const HINT = 1;
export const BACK = 2;
export const VALUE = 3;
export const SEQUENCE_LOW = 4;
export const SEQUENCE_HIGH = 5;
export const KEY_LENGTH = 6;
export const KEY = 7;

export const ENTRY = 0;
/** Levels, the entries counted as level 0: enough for 2^22 entries at full speed. */
export const HEIGHT_MAX = 21;
/** Kinds share a word with an offset whose low 3 bits are 0. */
export const KIND_MAX = 7;
/** The hint of the end, and of a place that is being changed. */
export const CODE_MAX = 0x7fffffff;
/** Where codes stop telling keys apart. */
const SHARED_MAX = 127;
const SHARE_ALL = 0x7fffffff;

/** Most bytes that an entry takes beside key and value: fixed words, value length, padding of two records to 8. */
export const ENTRY_OVERHEAD_MAX: number = 4 * (KEY + 1) + 16;

/** Where searches begin. */
export interface ListRoot {
  /** The head entry; 0: the list is empty and has no memory. */
  head: number;
  /** The head tower. */
  tower: number;
  /** Levels so far, the entries counted as level 0. */
  height: number;
}

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

/** Sequence of an entry. */
export function sequenceOf(words: Int32Array, entry: number): number {
  return words[entry + SEQUENCE_HIGH]! * 4294967296 + (words[entry + SEQUENCE_LOW]! >>> 0);
}

/** The entry straight before `entry`, or the head; invariant 3. `entry` 0 stands for the end. */
export function stepBack(words: Int32Array, head: number, entry: number): number {
  let at = words[(entry === 0 ? head : entry) + BACK]!;
  for (let next = words[at + NEXT]!; next !== entry; next = words[at + NEXT]!) at = next;
  return at;
}
