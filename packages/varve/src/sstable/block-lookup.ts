/**
 * The point read's last step: one key in one block, in place. The same search as BlockView.search, but nothing of the block
 * is kept for later, so that all of it stays in registers; a third faster where a view is opened for one search.
 *
 * Layout in block.ts. The block was validated when it was loaded, so offsets are believed. Hot; allocates nothing.
 */
import type { PointResult } from '../base/entry.ts';
import { getU16, getU32, getU64 } from '../base/fixed.ts';
import { BLOCK_HEADER_BYTES, BlockView, KINDS_DIFFER } from './block.ts';

/** For wide blocks, during one call. */
const view = new BlockView();

/** Leaves the newest version of the key at or below `sequence` in `out`, deletes included; false when there is none. */
export function lookUp(
  bytes: Uint8Array,
  start: number,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  sequence: number,
  out: PointResult,
): boolean {
  const widths = bytes[start + 6]!;
  if ((widths & 15) !== 2) return lookUpWide(bytes, start, key, keyStart, keyEnd, sequence, out);
  const count = getU32(bytes, start);
  const prefixLength = getU16(bytes, start + 4);
  const prefix = start + BLOCK_HEADER_BYTES;
  if (keyEnd - keyStart < prefixLength) return false;
  for (let i = 0; i < prefixLength; i++) if (bytes[prefix + i] !== key[keyStart + i]) return false;

  const rest = keyStart + prefixLength;
  const offsets = prefix + prefixLength;
  const suffixes = offsets + 2 * (count + 1);
  let low = 0;
  let high = count;
  let found = -1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = offsets + middle * 2;
    let from = suffixes + (bytes[at]! | (bytes[at + 1]! << 8));
    const to = suffixes + (bytes[at + 2]! | (bytes[at + 3]! << 8));
    let i = rest;
    let difference = 0;
    while (from < to && i < keyEnd) {
      difference = bytes[from]! - key[i]!;
      if (difference !== 0) break;
      from++;
      i++;
    }
    if (difference === 0) difference = to - from - (keyEnd - i);
    if (difference < 0) low = middle + 1;
    else {
      high = middle;
      if (difference === 0) found = middle;
    }
  }
  if (found < 0) return false;

  // `low` is the newest version; older ones follow it up to `found` at least.
  const valueOffsets = suffixes + getU16(bytes, suffixes - 2);
  const sequences = valueOffsets + 2 * (count + 1);
  const sequenceWidth = widths >>> 4;
  const base = getU64(bytes, start + 8);
  let version = low;
  let own = sequenceAt(bytes, sequences, sequenceWidth, base, version);
  while (own > sequence) {
    if (++version === count || !isSameSuffix(bytes, offsets, suffixes, low, version)) return false;
    own = sequenceAt(bytes, sequences, sequenceWidth, base, version);
  }
  const kinds = sequences + count * sequenceWidth;
  const commonKind = bytes[start + 7]!;
  const values = commonKind === KINDS_DIFFER ? kinds + count : kinds;
  const valueAt = valueOffsets + version * 2;
  out.kind = commonKind === KINDS_DIFFER ? bytes[kinds + version]! : commonKind;
  out.sequence = own;
  out.value = bytes;
  out.valueStart = values + (bytes[valueAt]! | (bytes[valueAt + 1]! << 8));
  out.valueEnd = values + (bytes[valueAt + 2]! | (bytes[valueAt + 3]! << 8));
  return true;
}

function sequenceAt(bytes: Uint8Array, column: number, width: number, base: number, index: number): number {
  if (width === 0) return base;
  const at = column + index * width;
  return base + (width === 4 ? getU32(bytes, at) : getU64(bytes, at));
}

function isSameSuffix(bytes: Uint8Array, offsets: number, suffixes: number, a: number, b: number): boolean {
  let i = suffixes + getU16(bytes, offsets + 2 * a);
  const end = suffixes + getU16(bytes, offsets + 2 * a + 2);
  let j = suffixes + getU16(bytes, offsets + 2 * b);
  if (suffixes + getU16(bytes, offsets + 2 * b + 2) - j !== end - i) return false;
  while (i < end && bytes[i] === bytes[j]) {
    i++;
    j++;
  }
  return i === end;
}

function lookUpWide(
  bytes: Uint8Array,
  start: number,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  sequence: number,
  out: PointResult,
): boolean {
  view.open(bytes, start);
  const position = view.search(key, keyStart, keyEnd, sequence);
  const isFound = position === view.matched;
  if (isFound) {
    out.kind = view.kind(position);
    out.sequence = view.sequence(position);
    out.value = bytes;
    out.valueStart = view.valueStart(position);
    out.valueEnd = view.valueStart(position + 1);
  }
  // Not kept: the bytes may be a large block's own.
  view.close();
  return isFound;
}
