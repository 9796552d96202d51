/**
 * Two questions about the files around a job, answered with a pointer that moves along with its ascending keys: can
 * anything older lie below this key (`KeyRanges`), and does the output so far overlap too much of the level after the next
 * (`OverlapMeter`, LevelDB's grandparents: a later compaction of that output would have to rewrite all of it).
 */
import { compareBytes, compareRanges } from '../base/bytes.ts';
import type { KeyBounds } from '../iterator/concat.ts';

/** A union of key ranges. */
export class KeyRanges {
  static readonly none: KeyRanges = new KeyRanges([]);
  /** Every key. */
  static readonly all: KeyRanges = new KeyRanges([], true);

  readonly #isAll: boolean;
  /** Disjoint, ascending. */
  readonly #ranges: readonly KeyBounds[];
  #at = 0;

  /** @param ranges in any order, overlapping or not: the bounds of files */
  constructor(ranges: readonly KeyBounds[], isAll = false) {
    this.#isAll = isAll;
    const united: KeyBounds[] = [];
    for (const range of ranges.toSorted((a, b) => compareBytes(a.smallestKey, b.smallestKey))) {
      const last = united.at(-1);
      if (last === undefined || endsBelow(last, range.smallestKey)) united.push(range);
      else if (compareEnds(last, range) < 0) {
        const { largestKey, largestExclusive } = range;
        united[united.length - 1] = { smallestKey: last.smallestKey, largestKey, largestExclusive };
      }
    }
    this.#ranges = united;
  }

  /** Is the key in one of the ranges? Keys must come in ascending order. */
  contains(key: Uint8Array, start: number, end: number): boolean {
    if (this.#isAll) return true;
    const ranges = this.#ranges;
    while (this.#at < ranges.length && isPast(ranges[this.#at]!, key, start, end)) this.#at++;
    if (this.#at === ranges.length) return false;
    const { smallestKey } = ranges[this.#at]!;
    return compareRanges(smallestKey, 0, smallestKey.length, key, start, end) <= 0;
  }

  /** Does any of the ranges share a key with [from, to)? In any order of calls. */
  overlaps(from: Uint8Array, to: Uint8Array): boolean {
    if (this.#isAll) return true;
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (endsBelow(this.#ranges[middle]!, from)) low = middle + 1;
      else high = middle;
    }
    return low < this.#ranges.length && compareBytes(this.#ranges[low]!.smallestKey, to) < 0;
  }
}

/** Bounds of a file and what rewriting it costs. */
export interface SizedBounds extends KeyBounds {
  readonly bytes: number;
}

/** Counts the bytes of the files that the keys since the last cut have gone past. */
export class OverlapMeter {
  readonly #files: readonly SizedBounds[];
  readonly #bytesMax: number;
  #at = 0;
  #bytes = 0;
  #started = false;

  /** @param files of one level, sorted; @param bytesMax how much one output may overlap */
  constructor(files: readonly SizedBounds[], bytesMax: number) {
    this.#files = files;
    this.#bytesMax = bytesMax;
  }

  /** True when the output should end before this key; keys ascend. */
  cutsBefore(key: Uint8Array, start: number, end: number): boolean {
    const files = this.#files;
    while (this.#at < files.length && isPast(files[this.#at]!, key, start, end)) {
      if (this.#started) this.#bytes += files[this.#at]!.bytes;
      this.#at++;
    }
    this.#started = true;
    if (this.#bytes <= this.#bytesMax) return false;
    this.#bytes = 0;
    return true;
  }

  /** The output ended for another reason. */
  reset(): void {
    this.#bytes = 0;
  }
}

/** The whole range lies below the key. */
function isPast(range: KeyBounds, key: Uint8Array, start: number, end: number): boolean {
  const order = compareRanges(range.largestKey, 0, range.largestKey.length, key, start, end);
  return order < 0 || (order === 0 && range.largestExclusive);
}

function endsBelow(range: KeyBounds, key: Uint8Array): boolean {
  return isPast(range, key, 0, key.length);
}

/** Order of two upper bounds; the exclusive one of two equal keys is the lower. */
function compareEnds(a: KeyBounds, b: KeyBounds): number {
  return compareBytes(a.largestKey, b.largestKey) || Number(b.largestExclusive) - Number(a.largestExclusive);
}
