/**
 * What an entry is in the pool, whatever structure it hangs in: memtable/node.ts (skiplist) and memtable/btree-node.ts put
 * words of their own in front of it. All words are signed 32 bits; an entry is named by the word index e of its VALUE.
 *
 *   entry      word     field
 *              e - n    n words of the structure
 *              e + 0    VALUE          byte offset of the value record (a multiple of 8) + kind (0..7)
 *              e + 1    SEQUENCE_LOW, e + 2 SEQUENCE_HIGH (21 bits)
 *              e + 3    KEY_LENGTH     in bytes
 *              e + 4    KEY            the key bytes
 *   value record: u32 length, then the bytes; right behind the key unless large, or in place of an earlier one
 *
 * Invariants: (1) an entry is complete before anything points to it, (2) another value for it is a new record and one store
 * of VALUE, (3) nothing moves or is freed one by one. One writer at a time.
 */
import type { ArenaMemory } from '../arena/arena.ts';
import { LARGE_BYTES } from '../arena/arena.ts';
import type { SegmentPool } from '../arena/segment-pool.ts';
import { copyRange } from '../base/bytes.ts';
import type { PointResult } from '../base/entry.ts';

export const VALUE = 0;
export const SEQUENCE_LOW = 1;
export const SEQUENCE_HIGH = 2;
export const KEY_LENGTH = 3;
export const KEY = 4;

/** Kinds share a word with an offset whose low 3 bits are 0. */
export const KIND_MAX = 7;

/** Most bytes that an entry takes beside key, value and the structure's words: fixed words, value length, padding of two records to 8. */
export const RECORD_OVERHEAD_MAX: number = 4 * (KEY + 1) + 16;

/** Writes an entry with room for `ownWords` of the structure in front of it; nothing points to it yet. */
export function writeEntry(
  arena: ArenaMemory,
  ownWords: number,
  sequence: number,
  kind: number,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  value: Uint8Array,
  valueStart: number,
  valueEnd: number,
): number {
  const { words, bytes } = arena.pool;
  const length = valueEnd - valueStart;
  const entryBytes = 4 * (ownWords + KEY) + keyEnd - keyStart;
  const isApart = length > LARGE_BYTES;
  const valueAt = (entryBytes + 7) & ~7;
  const block = arena.allocate(isApart ? entryBytes : valueAt + 4 + length);
  const record = isApart ? arena.allocate(4 + length) : block + valueAt;
  const entry = (block >>> 2) + ownWords;
  words[entry + VALUE] = record | kind;
  words[entry + SEQUENCE_LOW] = sequence;
  words[entry + SEQUENCE_HIGH] = sequence / 4294967296;
  words[entry + KEY_LENGTH] = keyEnd - keyStart;
  const { copier } = arena;
  copier.copy(key, keyStart, keyEnd, bytes, (entry + KEY) * 4);
  words[record >>> 2] = length;
  copier.copy(value, valueStart, valueEnd, bytes, record + 4);
  return entry;
}

/** Gives an entry another kind and value. */
export function replaceValue(
  arena: ArenaMemory,
  entry: number,
  kind: number,
  value: Uint8Array,
  valueStart: number,
  valueEnd: number,
): void {
  const { words, bytes } = arena.pool;
  const length = valueEnd - valueStart;
  const record = arena.allocate(4 + length);
  words[record >>> 2] = length;
  copyRange(value, valueStart, valueEnd, bytes, record + 4);
  Atomics.store(words, entry + VALUE, record | kind);
}

/** Sequence of an entry. */
export function sequenceOf(words: Int32Array, entry: number): number {
  return words[entry + SEQUENCE_HIGH]! * 4294967296 + (words[entry + SEQUENCE_LOW]! >>> 0);
}

/** Lends an entry as what a point read found. */
export function lendEntry(pool: SegmentPool, entry: number, out: PointResult): void {
  const { words } = pool;
  const reference = words[entry + VALUE]!;
  const record = (reference & ~7) >>> 0;
  out.kind = reference & 7;
  out.sequence = sequenceOf(words, entry);
  out.value = pool.bytes;
  out.valueStart = record + 4;
  out.valueEnd = record + 4 + words[record >>> 2]!;
}
