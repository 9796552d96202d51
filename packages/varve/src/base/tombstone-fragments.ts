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
  #keys: Uint8Array = new Uint8Array(64);
  #keyOffsets: number[] = [0];
  #sequences: number[] = [];
  #sequenceOffsets: number[] = [0];

  /** Adds [start, end), deleted by `sequences` (descending strictly, at least one). */
  add(start: Uint8Array, end: Uint8Array, sequences: readonly number[]): void {
    assert(isBelow(start, end) && sequences.length > 0, 'a range tombstone fragment must not be empty');
    const last = this.#keyOffsets.length - 2;
    let isAdjacent = false;
    if (last >= 0) {
      const order = compareRanges(
        this.#keys,
        this.#keyOffsets[last]!,
        this.#keyOffsets[last + 1]!,
        start,
        0,
        start.length,
      );
      assert(order <= 0, 'range tombstone fragments must come in order');
      isAdjacent = order === 0;
    }
    // The last boundary ended the previous fragment. When this one goes on there, the boundary is taken back and set anew.
    if (isAdjacent) this.#dropLast();
    this.boundary(start, 0, start.length, sequences, 0, sequences.length);
    this.boundary(end, 0, end.length, [], 0, 0);
  }

  /** From this boundary on, up to the next, the given sequences; none is a gap. Left out when they do not change. */
  boundary(
    key: Uint8Array,
    start: number,
    end: number,
    sequences: ArrayLike<number>,
    from: number,
    to: number,
  ): void {
    const offsets = this.#sequenceOffsets;
    const intervals = offsets.length - 1;
    const previous = intervals === 0 ? 0 : offsets[intervals - 1]!;
    const own = this.#sequences;
    let isSame = to - from === own.length - previous;
    for (let i = 0; isSame && i < to - from; i++) isSame = own[previous + i] === sequences[from + i];
    if (isSame) return;
    const at = this.#keyOffsets.at(-1)!;
    const after = at + end - start;
    if (after > this.#keys.length) {
      const room = new Uint8Array(2 * after);
      room.set(this.#keys.subarray(0, at));
      this.#keys = room;
    }
    copyRange(key, start, end, this.#keys, at);
    this.#keyOffsets.push(after);
    for (let i = from; i < to; i++) own.push(sequences[i]!);
    offsets.push(own.length);
  }

  /** The set; the builder starts anew. */
  finish(): FragmentArrays {
    if (this.#keyOffsets.length === 1) return NO_FRAGMENTS;
    const set = {
      keys: this.#keys.slice(0, this.#keyOffsets.at(-1)),
      keyOffsets: Uint32Array.from(this.#keyOffsets),
      sequences: Float64Array.from(this.#sequences),
      sequenceOffsets: Uint32Array.from(this.#sequenceOffsets),
    };
    this.#keyOffsets = [0];
    this.#sequences = [];
    this.#sequenceOffsets = [0];
    return set;
  }

  #dropLast(): void {
    this.#keyOffsets.pop();
    this.#sequenceOffsets.pop();
  }
}

/** Union of two sets: a sweep over the boundaries of both. */
export function mergePair(a: FragmentArrays, b: FragmentArrays): FragmentArrays {
  const builder = new FragmentBuilder();
  const union: number[] = [];
  const aCount = a.keyOffsets.length - 1;
  const bCount = b.keyOffsets.length - 1;
  let i = 0;
  let j = 0;
  while (i < aCount || j < bCount) {
    let order = i === aCount ? 1 : -1;
    if (i < aCount && j < bCount) {
      order = compareBoundary(a, i, b.keys, b.keyOffsets[j]!, b.keyOffsets[j + 1]!);
    }
    const source = order <= 0 ? a : b;
    const at = order <= 0 ? i : j;
    if (order <= 0) i++;
    if (order >= 0) j++;
    unite(a, i - 1, b, j - 1, union);
    builder.boundary(source.keys, source.keyOffsets[at]!, source.keyOffsets[at + 1]!, union, 0, union.length);
  }
  return builder.finish();
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
