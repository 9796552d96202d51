/**
 * The point read's last step: one key in one block, in place. The same search as BlockView.search, but nothing of the block
 * is kept for later, so that all of it stays in registers; a third faster where a view is opened for one search.
 *
 * Layout in block.ts. The block was validated when it was loaded, so offsets are believed. Hot; allocates nothing.
 */
import type { PointResult } from '../base/entry.ts';
import { fragmentOf } from '../base/key-fragments.ts';
import { getU16, getU32, getU64 } from '../base/fixed.ts';
import { BLOCK_HEADER_BYTES, BlockView, KINDS_DIFFER } from './block.ts';

/** For wide blocks, during one call. */
const view = new BlockView();

/**
 * Reads a byte of each line that a search of a usual block reads, so that the processor waits for all of them at once; in a
 * search each waits for the one before. Of a block in a slot of the cache, which is longer than that.
 */
export function touchBlock(bytes: Uint8Array, start: number): number {
  const first = bytes[start]! ^ bytes[start + 64]! ^ bytes[start + 128]! ^ bytes[start + 192]!;
  return first ^ bytes[start + 256]! ^ bytes[start + 320]! ^ bytes[start + 384]! ^ bytes[start + 448]!;
}

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
  if (count === 0 || keyEnd - keyStart < prefixLength) return false;
  for (let i = 0; i < prefixLength; i++) if (bytes[prefix + i] !== key[keyStart + i]) return false;

  const rest = keyStart + prefixLength;
  const wanted = fragmentOf(key, rest, keyEnd);
  const offsets = prefix + prefixLength;
  const suffixes = offsets + 2 * (count + 1);
  let low = 0;
  // Four bytes decide nearly every step, and then without a branch that depends on them.
  for (let left = count; left > 1; ) {
    const half = left >>> 1;
    const at = offsets + (low + half - 1) * 2;
    const from = suffixes + (bytes[at]! | (bytes[at + 1]! << 8));
    const to = suffixes + (bytes[at + 2]! | (bytes[at + 3]! << 8));
    const head = headAt(bytes, from, to - from);
    const isBelow = head === wanted ? compareTails(bytes, from, to, key, rest, keyEnd) < 0 : head < wanted;
    low += half & -Number(isBelow);
    left -= half;
  }
  let order = compareSuffix(bytes, offsets, suffixes, low, key, rest, keyEnd);
  if (order < 0) {
    if (++low === count) return false;
    order = compareSuffix(bytes, offsets, suffixes, low, key, rest, keyEnd);
  }
  if (order !== 0) return false;

  // `low` is the newest version; older ones follow it.
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

/** What remains of four bytes when only so many of them count. */
const masks = Int32Array.of(0, 0xff << 24, 0xffff << 16, 0xffffff << 8, -1);

/** As `fragmentOf` of a suffix in a block: behind it other columns follow, so that four bytes can be read always. */
function headAt(bytes: Uint8Array, at: number, length: number): number {
  const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  return (word & masks[length < 4 ? length : 4]!) ^ (1 << 31);
}

/** Order of a suffix against the rest of a key when their heads are equal. */
function compareTails(
  bytes: Uint8Array,
  from: number,
  to: number,
  key: Uint8Array,
  rest: number,
  keyEnd: number,
): number {
  let i = from + 4;
  let j = rest + 4;
  for (; i < to && j < keyEnd; i++, j++) {
    const difference = bytes[i]! - key[j]!;
    if (difference !== 0) return difference;
  }
  // Also where one of them is shorter than a head: what is missing there was zero in the other.
  return to - from - (keyEnd - rest);
}

function compareSuffix(
  bytes: Uint8Array,
  offsets: number,
  suffixes: number,
  index: number,
  key: Uint8Array,
  rest: number,
  keyEnd: number,
): number {
  let i = suffixes + getU16(bytes, offsets + 2 * index);
  const to = suffixes + getU16(bytes, offsets + 2 * index + 2);
  let j = rest;
  for (; i < to && j < keyEnd; i++, j++) {
    const difference = bytes[i]! - key[j]!;
    if (difference !== 0) return difference;
  }
  return to - i - (keyEnd - j);
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
