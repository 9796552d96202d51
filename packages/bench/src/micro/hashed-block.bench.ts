/**
 * A prototype for study-block-hash: a hash index of a data block, as RocksDB's blocks may have one, and the point lookup
 * through it. The engine has neither. The index is a byte a bucket: the position of the newest version of the one key that
 * hashes there; 254: of several keys, which are left to the search; 255: of none.
 *
 * The hash is that of the filter, which a get has computed anyway. At most 253 entries, and offsets of two bytes.
 */
import { BlockView, hashKey, lookUp, type PointResult } from 'varve/internals';

const SEVERAL = 254;
const NONE = 255;
const BLOCK_HEADER_BYTES = 16;

/** Writes the index of the block at `start` to `index`; returns the keys that are left to the search. */
export function addHashIndex(bytes: Uint8Array, start: number, index: number, buckets: number): number {
  const view = new BlockView();
  view.open(bytes, start);
  bytes.fill(NONE, index, index + buckets);
  const keys = new Uint32Array(buckets);
  let before = '';
  for (let position = 0; position < view.count; position++) {
    const key = view.keyAt(position);
    const text = Buffer.from(key).toString('latin1');
    if (text === before) continue;
    before = text;
    const bucket = bucketOf(hashKey(key, 0, key.length), buckets);
    bytes[index + bucket] = keys[bucket]!++ === 0 ? position : SEVERAL;
  }
  return keys.reduce((sum, count) => sum + (count > 1 ? count : 0), 0);
}

function bucketOf(hash: number, buckets: number): number {
  return ((hash >>> 16) * buckets) >>> 16;
}

/** As `lookUp` of the engine, by the index of `buckets` bytes at `index`. */
export function lookUpHashed(
  bytes: Uint8Array,
  start: number,
  index: number,
  buckets: number,
  hash: number,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  sequence: number,
  out: PointResult,
): boolean {
  const count = bytes[start]! | (bytes[start + 1]! << 8);
  const position = bytes[index + bucketOf(hash, buckets)]!;
  if (position === NONE) return false;
  if (position === SEVERAL) return lookUp(bytes, start, key, keyStart, keyEnd, sequence, out);
  const prefixLength = bytes[start + 4]! | (bytes[start + 5]! << 8);
  const prefix = start + BLOCK_HEADER_BYTES;
  const offsets = prefix + prefixLength;
  const suffixes = offsets + 2 * (count + 1);
  const at = offsets + position * 2;
  let from = suffixes + (bytes[at]! | (bytes[at + 1]! << 8));
  const to = suffixes + (bytes[at + 2]! | (bytes[at + 3]! << 8));
  if (keyEnd - keyStart !== prefixLength + to - from) return false;
  for (let i = 0; i < prefixLength; i++) if (bytes[prefix + i] !== key[keyStart + i]) return false;
  for (let i = keyStart + prefixLength; i < keyEnd; i++) if (bytes[from++] !== key[i]) return false;

  const valueOffsets = suffixes + (bytes[suffixes - 2]! | (bytes[suffixes - 1]! << 8));
  const sequences = valueOffsets + 2 * (count + 1);
  const width = bytes[start + 6]! >>> 4;
  const base = u32(bytes, start + 8) + u32(bytes, start + 12) * 2 ** 32;
  // Eight bytes of difference, and versions that are too new, are left to the search: neither occurs in the study.
  if (width === 8) return lookUp(bytes, start, key, keyStart, keyEnd, sequence, out);
  const own = width === 0 ? base : base + u32(bytes, sequences + position * 4);
  if (own > sequence) return lookUp(bytes, start, key, keyStart, keyEnd, sequence, out);
  const kinds = sequences + count * width;
  const commonKind = bytes[start + 7]!;
  const values = commonKind === NONE ? kinds + count : kinds;
  const valueAt = valueOffsets + position * 2;
  out.kind = commonKind === NONE ? bytes[kinds + position]! : commonKind;
  out.sequence = own;
  out.value = bytes;
  out.valueStart = values + (bytes[valueAt]! | (bytes[valueAt + 1]! << 8));
  out.valueEnd = values + (bytes[valueAt + 2]! | (bytes[valueAt + 3]! << 8));
  return true;
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
