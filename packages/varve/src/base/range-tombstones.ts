/**
 * Range tombstones as readers use them: an immutable set of non-overlapping fragments, each with all sequences that delete it.
 *
 * A memtable, a table and a read view over several of them each have one set; point reads ask `coveringSequence`, walks a
 * CoverCursor, flush and compaction take the fragments one by one. A tombstone deletes only lower sequences than its own.
 * Form and invariants: base/tombstone-fragments.ts; bytes: base/tombstone-codec.ts.
 * Any thread; a set never changes. A CoverCursor belongs to one walk.
 */
import { cloneRange } from './bytes.ts';
import { decodeFragments, encodeFragments } from './tombstone-codec.ts';
import { compareBoundary, FragmentBuilder, isBelow, mergePair, NO_FRAGMENTS } from './tombstone-fragments.ts';
import type { FragmentArrays } from './tombstone-fragments.ts';

/** Deletes the keys in [start, end) of lower sequences. An empty range deletes nothing. */
export interface RangeTombstone {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly sequence: number;
}

/** One piece of a set, copied out of it: [start, end) is deleted by each of `sequences`, newest first. */
export interface TombstoneFragment {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly sequences: readonly number[];
}

export class FragmentedTombstones {
  /** The empty set. */
  static readonly none: FragmentedTombstones = new FragmentedTombstones(NO_FRAGMENTS);

  readonly #arrays: FragmentArrays;
  readonly #boundaries: number;

  private constructor(arrays: FragmentArrays) {
    this.#arrays = arrays;
    this.#boundaries = arrays.keyOffsets.length - 1;
  }

  /** The set of `tombstones`, which may overlap and come in any order. */
  static build(tombstones: Iterable<RangeTombstone>): FragmentedTombstones {
    const builder = new FragmentBuilder();
    const singles: FragmentArrays[] = [];
    for (const { start, end, sequence } of tombstones) {
      if (!isBelow(start, end)) continue;
      builder.add(start, end, [sequence]);
      singles.push(builder.finish());
    }
    return new FragmentedTombstones(mergeAll(singles));
  }

  /** The set of fragments that come in key order and do not overlap; neighbours with the same sequences are joined. */
  static fromFragments(fragments: Iterable<TombstoneFragment>): FragmentedTombstones {
    const builder = new FragmentBuilder();
    for (const { start, end, sequences } of fragments) builder.add(start, end, sequences);
    return new FragmentedTombstones(builder.finish());
  }

  /** The union of sets. */
  static merge(sets: readonly FragmentedTombstones[]): FragmentedTombstones {
    if (sets.length === 1) return sets[0]!;
    return new FragmentedTombstones(mergeAll(sets.filter((set) => !set.isEmpty).map((set) => set.#arrays)));
  }

  /** Reads what `encode` wrote from [start, end); anything else is `corruption` with `where` as its context. */
  static decode(
    bytes: Uint8Array,
    start: number,
    end: number,
    where: Readonly<Record<string, unknown>>,
  ): FragmentedTombstones {
    return new FragmentedTombstones(decodeFragments(bytes, start, end, where));
  }

  get isEmpty(): boolean {
    return this.#boundaries === 0;
  }

  /** Number of (fragment, sequence) pairs: what a table counts as its range tombstones. */
  get count(): number {
    return this.#arrays.sequences.length;
  }

  /** Memory held, in bytes. */
  get memoryBytes(): number {
    const { keys, sequences } = this.#arrays;
    return keys.byteLength + sequences.byteLength + 8 * (this.#boundaries + 1);
  }

  /** Lowest bound (inclusive) and highest bound (exclusive) as copies; undefined when empty. */
  get bounds(): { readonly start: Uint8Array; readonly end: Uint8Array } | undefined {
    return this.isEmpty ? undefined : { start: this.#boundary(0), end: this.#boundary(this.#boundaries - 1) };
  }

  /** Lowest sequence; 0 when empty. */
  get smallestSequence(): number {
    let smallest = this.#arrays.sequences[0] ?? 0;
    for (const sequence of this.#arrays.sequences) if (sequence < smallest) smallest = sequence;
    return smallest;
  }

  /** Highest sequence; 0 when empty. */
  get largestSequence(): number {
    let largest = 0;
    for (const sequence of this.#arrays.sequences) if (sequence > largest) largest = sequence;
    return largest;
  }

  /** Highest sequence at or below `snapshot` of a tombstone over the key; 0 when there is none. */
  coveringSequence(key: Uint8Array, start: number, end: number, snapshot: number): number {
    const at = findInterval(this.#arrays, key, start, end);
    return at < 0 ? 0 : newestAt(this.#arrays, at, snapshot);
  }

  /** A position for a walk over keys, to ask the same at less cost. */
  cursor(): CoverCursor {
    return new CoverCursor(this.#arrays);
  }

  /** The part inside [lower, upper); undefined is unbounded. */
  clip(lower: Uint8Array | undefined, upper: Uint8Array | undefined): FragmentedTombstones {
    const builder = new FragmentBuilder();
    for (const { start, end, sequences } of this.fragments()) {
      const from = lower !== undefined && isBelow(start, lower) ? lower : start;
      const to = upper !== undefined && isBelow(upper, end) ? upper : end;
      if (isBelow(from, to)) builder.add(from, to, sequences);
    }
    return new FragmentedTombstones(builder.finish());
  }

  /** The fragments in key order, copied; gaps left out. */
  *fragments(): Generator<TombstoneFragment, void> {
    const { sequences, sequenceOffsets } = this.#arrays;
    for (let j = 0; j + 1 < this.#boundaries; j++) {
      const from = sequenceOffsets[j]!;
      const to = sequenceOffsets[j + 1]!;
      if (from === to) continue;
      yield {
        start: this.#boundary(j),
        end: this.#boundary(j + 1),
        sequences: Array.from(sequences.subarray(from, to)),
      };
    }
  }

  /** The bytes of the set (base/tombstone-codec.ts). */
  encode(): Uint8Array {
    return encodeFragments(this.#arrays);
  }

  #boundary(j: number): Uint8Array {
    const { keys, keyOffsets } = this.#arrays;
    return cloneRange(keys, keyOffsets[j]!, keyOffsets[j + 1]!);
  }
}

/**
 * `coveringSequence` for keys that come in order, either way: stays at the interval of the last key and tries it and its
 * neighbours before it searches, so that a walk over many keys pays one or two comparisons for each.
 */
export class CoverCursor {
  readonly #set: FragmentArrays;
  readonly #boundaries: number;
  /** Interval of the last key; -1 before the first boundary. */
  #at = -1;

  /** Obtained by FragmentedTombstones.cursor. */
  constructor(set: FragmentArrays) {
    this.#set = set;
    this.#boundaries = set.keyOffsets.length - 1;
  }

  /** As FragmentedTombstones.coveringSequence. */
  coveringSequence(key: Uint8Array, start: number, end: number, snapshot: number): number {
    const set = this.#set;
    const last = this.#boundaries - 1;
    let at = this.#at;
    if (at >= 0 && compareBoundary(set, at, key, start, end) > 0) {
      at--;
      if (at >= 0 && compareBoundary(set, at, key, start, end) > 0) at = findInterval(set, key, start, end);
    } else if (at < last && compareBoundary(set, at + 1, key, start, end) <= 0) {
      at++;
      if (at < last && compareBoundary(set, at + 1, key, start, end) <= 0) {
        at = findInterval(set, key, start, end);
      }
    }
    this.#at = at;
    return at < 0 ? 0 : newestAt(set, at, snapshot);
  }
}

/** Pairs of neighbours first, so that n sets cost n log n and not n squared. */
function mergeAll(sets: readonly FragmentArrays[]): FragmentArrays {
  let round = sets;
  while (round.length > 1) {
    const next: FragmentArrays[] = [];
    for (let i = 0; i + 1 < round.length; i += 2) next.push(mergePair(round[i]!, round[i + 1]!));
    if (round.length % 2 === 1) next.push(round.at(-1)!);
    round = next;
  }
  return round[0] ?? NO_FRAGMENTS;
}

/** The interval that holds the key; -1 before the first boundary. */
function findInterval(set: FragmentArrays, key: Uint8Array, start: number, end: number): number {
  let low = 0;
  let high = set.keyOffsets.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBoundary(set, middle, key, start, end) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Highest sequence of an interval at or below the snapshot; 0 when there is none. */
function newestAt(set: FragmentArrays, interval: number, snapshot: number): number {
  let low = set.sequenceOffsets[interval]!;
  const end = set.sequenceOffsets[interval + 1]!;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (set.sequences[middle]! <= snapshot) high = middle;
    else low = middle + 1;
  }
  return low < end ? set.sequences[low]! : 0;
}
