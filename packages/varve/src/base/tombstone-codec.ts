/**
 * Byte form of a set of range tombstones: the payload of a table's range-tombstone block (checksummed by the block).
 *
 *   type    field
 *   u32     number of boundary keys n, little-endian
 *   n times:
 *     varint  keyLength, then the key
 *     varint  number of sequences of the interval that begins here; 0 is a gap
 *     varint  the newest sequence, then for each older one the distance down to it
 *
 * Invariants: those of base/tombstone-fragments.ts; decoding checks all of them, so each set has one byte form.
 */
import { assert } from './assert.ts';
import { compareRanges, copyRange } from './bytes.ts';
import { corruption } from './errors.ts';
import { getU32, putU32 } from './fixed.ts';
import { FragmentBuilder } from './tombstone-fragments.ts';
import type { FragmentArrays } from './tombstone-fragments.ts';
import { ByteReader, putVarint, varintLength } from './varint.ts';

/** Bytes of a set. */
export function encodeFragments(set: FragmentArrays): Uint8Array {
  const { keys, keyOffsets, sequences, sequenceOffsets } = set;
  const boundaries = keyOffsets.length - 1;
  let length = 4 + keys.length;
  for (let j = 0; j < boundaries; j++) {
    length += varintLength(keyOffsets[j + 1]! - keyOffsets[j]!);
    length += varintLength(sequenceOffsets[j + 1]! - sequenceOffsets[j]!);
    for (let i = sequenceOffsets[j]!; i < sequenceOffsets[j + 1]!; i++) {
      length += varintLength(i === sequenceOffsets[j] ? sequences[i]! : sequences[i - 1]! - sequences[i]!);
    }
  }
  const bytes = new Uint8Array(length);
  putU32(bytes, 0, boundaries);
  let at = 4;
  for (let j = 0; j < boundaries; j++) {
    const start = keyOffsets[j]!;
    const end = keyOffsets[j + 1]!;
    at = putVarint(bytes, at, end - start);
    copyRange(keys, start, end, bytes, at);
    at = putVarint(bytes, at + end - start, sequenceOffsets[j + 1]! - sequenceOffsets[j]!);
    for (let i = sequenceOffsets[j]!; i < sequenceOffsets[j + 1]!; i++) {
      at = putVarint(bytes, at, i === sequenceOffsets[j] ? sequences[i]! : sequences[i - 1]! - sequences[i]!);
    }
  }
  assert(at === length, 'encoded range tombstones must have the length that was computed');
  return bytes;
}

/** The set in [start, end); anything that `encodeFragments` does not write is `corruption` with `where`. */
export function decodeFragments(
  bytes: Uint8Array,
  start: number,
  end: number,
  where: Readonly<Record<string, unknown>>,
): FragmentArrays {
  const bad = (what: string): Error => corruption(`range tombstones are damaged: ${what}`, where);
  if (end - start < 4) throw bad('the block is cut');
  const count = getU32(bytes, start);
  const reader = new ByteReader(bytes, start + 4, end);
  const builder = new FragmentBuilder();
  let previousStart = 0;
  let previousEnd = 0;
  const sequences: number[] = [];
  for (let j = 0; j < count; j++) {
    const length = reader.varint();
    const key = reader.skip(length);
    let sequenceCount = reader.varint();
    if (reader.failed || sequenceCount > end - reader.at) throw bad('the block is cut');
    if (j > 0 && compareRanges(bytes, previousStart, previousEnd, bytes, key, key + length) >= 0) {
      throw bad('its keys are out of order');
    }
    previousStart = key;
    previousEnd = key + length;
    sequences.length = 0;
    for (let last = 0; sequenceCount > 0; sequenceCount--) {
      const delta = reader.varint();
      const sequence = sequences.length === 0 ? delta : last - delta;
      if (reader.failed || delta === 0 || sequence < 1) throw bad('its sequences are out of order');
      sequences.push(sequence);
      last = sequence;
    }
    builder.boundary(bytes, key, key + length, sequences, 0, sequences.length);
  }
  const set = builder.finish();
  if (reader.at !== end) throw bad('bytes follow its last key');
  if (sequences.length > 0 || set.keyOffsets.length - 1 !== count)
    throw bad('its fragments are not in their shortest form');
  return set;
}
