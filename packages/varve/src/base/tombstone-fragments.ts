/**
 * The form in which a set of range tombstones is held, its assembly and the union of two sets.
 *
 * Distinct boundary keys in order: interval j reaches from boundary j (inclusive) to boundary j + 1 (exclusive) and has its
 * sequences, newest first; an interval without sequences is a gap. Flat typed arrays: a set of any size is four objects.
 *
 * Invariants: (1) boundaries ascend strictly. (2) Sequences of an interval descend strictly and are at least 1.
 * (3) Neighbouring intervals differ; the first is no gap, the one behind the last boundary is. So equal sets are equal arrays.
 * Used through base/range-tombstones.ts by everything else. Any thread.
 */
import { assert } from './assert.ts';
import { compareRanges, copyRange } from './bytes.ts';

/** A set of range tombstones, immutable. */
export interface FragmentArrays {
  /** All boundary keys, one behind the other; boundary j is [keyOffsets[j], keyOffsets[j + 1]). */
  readonly keys: Uint8Array;
  readonly keyOffsets: Uint32Array;
  /** All sequences; interval j has [sequenceOffsets[j], sequenceOffsets[j + 1]). */
  readonly sequences: Float64Array;
  readonly sequenceOffsets: Uint32Array;
}

export const NO_FRAGMENTS: FragmentArrays = {
  keys: new Uint8Array(0),
  keyOffsets: new Uint32Array(1),
  sequences: new Float64Array(0),
  sequenceOffsets: new Uint32Array(1),
};

/** Assembles a set from fragments that come in key order and do not overlap; joins neighbours with the same sequences. */
export class FragmentBuilder {
  #keys: Uint8Array;
  #keyOffsets: Uint32Array;
  #sequences: Float64Array;
  #sequenceOffsets: Uint32Array;
  #count = 0;
  #keyBytes = 0;
  #sequenceCount = 0;

  /** Room to begin with; it grows as needed. */
  constructor(boundaries = 4, keyBytes = 64, sequences = 4) {
    this.#keys = new Uint8Array(keyBytes);
    this.#keyOffsets = new Uint32Array(boundaries + 1);
    this.#sequences = new Float64Array(sequences);
    this.#sequenceOffsets = new Uint32Array(boundaries + 1);
  }

  /** Adds [start, end), deleted by `sequences` (descending strictly, at least one). */
  add(start: Uint8Array, end: Uint8Array, sequences: readonly number[]): void {
    assert(isBelow(start, end) && sequences.length > 0, 'a range tombstone fragment must not be empty');
    if (this.#count > 0) {
      const from = this.#keyOffsets[this.#count - 1]!;
      const order = compareRanges(this.#keys, from, this.#keyBytes, start, 0, start.length);
      assert(order <= 0, 'range tombstone fragments must come in order');
      // The last boundary ended the previous fragment. When this one goes on there, it is taken back and set anew.
      if (order === 0) {
        this.#count--;
        this.#keyBytes = from;
      }
    }
    this.boundary(start, 0, start.length, sequences, 0, sequences.length);
    this.boundary(end, 0, end.length, sequences, 0, 0);
  }

  /** From this boundary on, up to the next, sequences [from, to) of the list; none is a gap. Left out when it changes nothing. */
  boundary(
    key: Uint8Array,
    start: number,
    end: number,
    sequences: ArrayLike<number>,
    from: number,
    to: number,
  ): void {
    if (this.#isLast(sequences, from, to)) return;
    this.#makeRoom(1, end - start, to - from);
    copyRange(key, start, end, this.#keys, this.#keyBytes);
    for (let i = from; i < to; i++) this.#sequences[this.#sequenceCount++] = sequences[i]!;
    this.#keyBytes += end - start;
    this.#count++;
    this.#keyOffsets[this.#count] = this.#keyBytes;
    this.#sequenceOffsets[this.#count] = this.#sequenceCount;
  }

  /** Boundaries [from, to) of a set with the sequences that follow them, in bulk. */
  boundariesOf(set: FragmentArrays, from: number, to: number): void {
    const { keys, keyOffsets, sequences, sequenceOffsets } = set;
    let first = from;
    if (first < to && this.#isLast(sequences, sequenceOffsets[first]!, sequenceOffsets[first + 1]!)) first++;
    if (first >= to) return;
    const keyStart = keyOffsets[first]!;
    const keyEnd = keyOffsets[to]!;
    const sequenceStart = sequenceOffsets[first]!;
    const sequenceEnd = sequenceOffsets[to]!;
    this.#makeRoom(to - first, keyEnd - keyStart, sequenceEnd - sequenceStart);
    this.#keys.set(keys.subarray(keyStart, keyEnd), this.#keyBytes);
    this.#sequences.set(sequences.subarray(sequenceStart, sequenceEnd), this.#sequenceCount);
    for (let j = first + 1; j <= to; j++) {
      this.#count++;
      this.#keyOffsets[this.#count] = keyOffsets[j]! - keyStart + this.#keyBytes;
      this.#sequenceOffsets[this.#count] = sequenceOffsets[j]! - sequenceStart + this.#sequenceCount;
    }
    this.#keyBytes += keyEnd - keyStart;
    this.#sequenceCount += sequenceEnd - sequenceStart;
  }

  /** The set; the builder starts anew. */
  finish(): FragmentArrays {
    const count = this.#count;
    if (count === 0) return NO_FRAGMENTS;
    const set = {
      keys: this.#keys.slice(0, this.#keyBytes),
      keyOffsets: this.#keyOffsets.slice(0, count + 1),
      sequences: this.#sequences.slice(0, this.#sequenceCount),
      sequenceOffsets: this.#sequenceOffsets.slice(0, count + 1),
    };
    this.#count = 0;
    this.#keyBytes = 0;
    this.#sequenceCount = 0;
    return set;
  }

  /** Has the last interval these sequences? Before the first boundary is a gap. */
  #isLast(sequences: ArrayLike<number>, from: number, to: number): boolean {
    const previous = this.#count === 0 ? 0 : this.#sequenceOffsets[this.#count - 1]!;
    if (to - from !== this.#sequenceCount - previous) return false;
    for (let i = 0; i < to - from; i++)
      if (this.#sequences[previous + i] !== sequences[from + i]) return false;
    return true;
  }

  #makeRoom(boundaries: number, keyBytes: number, sequences: number): void {
    if (this.#keyBytes + keyBytes > this.#keys.length) {
      const room = new Uint8Array(2 * (this.#keyBytes + keyBytes));
      room.set(this.#keys);
      this.#keys = room;
    }
    if (this.#count + boundaries >= this.#keyOffsets.length) {
      const length = 2 * (this.#count + boundaries) + 1;
      const keyOffsets = new Uint32Array(length);
      keyOffsets.set(this.#keyOffsets);
      this.#keyOffsets = keyOffsets;
      const sequenceOffsets = new Uint32Array(length);
      sequenceOffsets.set(this.#sequenceOffsets);
      this.#sequenceOffsets = sequenceOffsets;
    }
    if (this.#sequenceCount + sequences > this.#sequences.length) {
      const room = new Float64Array(2 * (this.#sequenceCount + sequences));
      room.set(this.#sequences);
      this.#sequences = room;
    }
  }
}

/**
 * Union of two sets: a sweep over the boundaries of both where they meet; what lies ahead of or behind the other set is
 * copied in bulk, so that adding one tombstone to a large set costs little more than a copy of it.
 */
export function mergePair(a: FragmentArrays, b: FragmentArrays): FragmentArrays {
  const aCount = a.keyOffsets.length - 1;
  const bCount = b.keyOffsets.length - 1;
  const builder = new FragmentBuilder(
    aCount + bCount,
    a.keys.length + b.keys.length,
    a.sequences.length + b.sequences.length,
  );
  const union: number[] = [];
  let i = countBelowFirst(a, b);
  let j = i > 0 ? 0 : countBelowFirst(b, a);
  builder.boundariesOf(a, 0, i);
  builder.boundariesOf(b, 0, j);
  while (i < aCount && j < bCount) {
    const order = compareBoundary(a, i, b.keys, b.keyOffsets[j]!, b.keyOffsets[j + 1]!);
    const source = order <= 0 ? a : b;
    const at = order <= 0 ? i : j;
    if (order <= 0) i++;
    if (order >= 0) j++;
    unite(a, i - 1, b, j - 1, union);
    builder.boundary(source.keys, source.keyOffsets[at]!, source.keyOffsets[at + 1]!, union, 0, union.length);
  }
  builder.boundariesOf(a, i, aCount);
  builder.boundariesOf(b, j, bCount);
  return builder.finish();
}

/** How many boundaries of a set lie before the first one of another. */
function countBelowFirst(set: FragmentArrays, other: FragmentArrays): number {
  let low = 0;
  let high = set.keyOffsets.length - 1;
  if (other.keyOffsets.length === 1) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBoundary(set, middle, other.keys, 0, other.keyOffsets[1]!) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Sequences of interval i of `a` and j of `b` together, descending, each once, into `out`; -1 is before the first. */
function unite(a: FragmentArrays, i: number, b: FragmentArrays, j: number, out: number[]): void {
  out.length = 0;
  let x = i < 0 ? 0 : a.sequenceOffsets[i]!;
  let y = j < 0 ? 0 : b.sequenceOffsets[j]!;
  const xEnd = i < 0 ? 0 : a.sequenceOffsets[i + 1]!;
  const yEnd = j < 0 ? 0 : b.sequenceOffsets[j + 1]!;
  while (x < xEnd || y < yEnd) {
    const left = x < xEnd ? a.sequences[x]! : -1;
    const right = y < yEnd ? b.sequences[y]! : -1;
    out.push(left > right ? left : right);
    if (left >= right) x++;
    if (right >= left) y++;
  }
}

/** Order of boundary j against a key. */
export function compareBoundary(
  set: FragmentArrays,
  j: number,
  key: Uint8Array,
  start: number,
  end: number,
): number {
  return compareRanges(set.keys, set.keyOffsets[j]!, set.keyOffsets[j + 1]!, key, start, end);
}

/** Order of two whole keys. */
export function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  return compareRanges(a, 0, a.length, b, 0, b.length) < 0;
}
