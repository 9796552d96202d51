/**
 * A run: neighbouring entries of one block that a walk may show without asking anybody, because each is the newest and only
 * version of its key, visible to the reader, and no other source has a key between them. Scans spend their time here, so an
 * entry costs a few loads instead of a step of every iterator in the stack.
 *
 * The columns are those of sstable/block.ts. A source lends its run until it is moved (base/entry.ts); nobody writes to it.
 * Invariant: positions in [from, to) are entries of the block in ascending order of distinct keys.
 */
import { EMPTY } from './bytes.ts';

export class EntryRun {
  bytes: Uint8Array = EMPTY;
  prefixStart = 0;
  prefixLength = 0;
  /** Of all its entries: put or blob. */
  kind = 0;
  /** Offsets take 4 bytes instead of 2. */
  wide = false;
  keyOffsets = 0;
  suffixes = 0;
  valueOffsets = 0;
  values = 0;
  from = 0;
  to = 0;
  /** The entry that the source stands at. */
  position = 0;

  keySuffixStart(index: number): number {
    return this.suffixes + offsetAt(this.bytes, this.wide, this.keyOffsets, index);
  }

  valueStart(index: number): number {
    return this.values + offsetAt(this.bytes, this.wide, this.valueOffsets, index);
  }

  /** First position in [from, to) whose key is at or above the given; `to` when there is none. */
  lowerBound(key: Uint8Array, start: number, end: number): number {
    let low = this.from;
    let high = this.to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(middle, key, start, end) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Order of the key at a position against another key: negative, zero or positive. */
  compare(index: number, key: Uint8Array, start: number, end: number): number {
    const { bytes, prefixStart, prefixLength } = this;
    const length = end - start;
    for (let i = 0; i < prefixLength; i++) {
      if (i === length) return 1;
      const difference = bytes[prefixStart + i]! - key[start + i]!;
      if (difference !== 0) return difference;
    }
    let at = this.keySuffixStart(index);
    const to = this.keySuffixStart(index + 1);
    let other = start + prefixLength;
    for (; at < to && other < end; at++, other++) {
      const difference = bytes[at]! - key[other]!;
      if (difference !== 0) return difference;
    }
    return to - at - (end - other);
  }
}

function offsetAt(bytes: Uint8Array, wide: boolean, column: number, index: number): number {
  const at = wide ? column + index * 4 : column + index * 2;
  const low = bytes[at]! | (bytes[at + 1]! << 8);
  return wide ? (low | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0 : low;
}
