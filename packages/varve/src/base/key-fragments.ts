/**
 * Sorted keys as numbers: of each key the eight bytes behind the prefix that all share, as a head and a tail of four. A search is
 * a few steps over the dense array of heads instead of a byte-wise comparison with keys that lie apart; tails are looked at
 * where heads are equal. Eight bytes decide nearly every search, and where they do not `search` says so, so that the caller
 * compares the keys themselves.
 *
 * Stands in the read path twice: over the files of a level, and over the blocks of a table. Immutable; any thread.
 */

/** Answer of `search`: the eight bytes do not tell. */
export const UNDECIDED = -1;

export class KeyFragments {
  readonly count: number;
  readonly #prefix: Uint8Array;
  readonly #heads: Int32Array;
  readonly #tails: Int32Array;

  /** Of `count` sorted keys; `prefix` is what all begin with. `set` each of them before the first search. */
  constructor(prefix: Uint8Array, count: number) {
    this.count = count;
    this.#prefix = prefix;
    this.#heads = new Int32Array(count);
    this.#tails = new Int32Array(count);
  }

  /** Key number `index` is the prefix and then [start, end). */
  set(index: number, bytes: Uint8Array, start: number, end: number): void {
    this.#heads[index] = fragmentOf(bytes, start, end);
    this.#tails[index] = fragmentOf(bytes, start + 4, end);
  }

  /** Of whole keys, sorted. */
  static of(keys: readonly Uint8Array[]): KeyFragments {
    const first = keys[0] ?? new Uint8Array(0);
    const last = keys.at(-1) ?? first;
    let shared = 0;
    while (shared < first.length && shared < last.length && first[shared] === last[shared]) shared++;
    const fragments = new KeyFragments(first.slice(0, shared), keys.length);
    for (let i = 0; i < keys.length; i++) fragments.set(i, keys[i]!, shared, keys[i]!.length);
    return fragments;
  }

  get memoryBytes(): number {
    return 128 + this.#prefix.length + 8 * this.count;
  }

  /** Index of the first key above [start, end), `count` when there is none; UNDECIDED when a key may be equal to it. */
  search(key: Uint8Array, start: number, end: number): number {
    const prefix = this.#prefix;
    const prefixLength = prefix.length;
    for (let i = 0; i < prefixLength; i++) {
      if (start + i === end) return 0;
      const difference = prefix[i]! - key[start + i]!;
      if (difference !== 0) return difference > 0 ? 0 : this.count;
    }
    const at = start + prefixLength;
    const head = fragmentOf(key, at, end);
    const low = lowerBound(this.#heads, head);
    return low < this.count && this.#heads[low] === head ? this.#searchTails(low, head, key, at, end) : low;
  }

  /** The answer when the head at `first` is that of the key. */
  #searchTails(first: number, head: number, key: Uint8Array, start: number, end: number): number {
    const heads = this.#heads;
    const tails = this.#tails;
    const tail = fragmentOf(key, start + 4, end);
    let low = first;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (heads[middle] === head && tails[middle]! < tail) low = middle + 1;
      else high = middle;
    }
    return low < this.count && heads[low] === head && tails[low] === tail ? UNDECIDED : low;
  }
}

/**
 * Index of the first number at or above the wanted one. Without branches that depend on the numbers: each would be guessed
 * wrong half of the time, which takes longer than the whole step.
 */
function lowerBound(numbers: Int32Array, wanted: number): number {
  let count = numbers.length;
  if (count === 0) return 0;
  let low = 0;
  while (count > 1) {
    const half = count >>> 1;
    low += half & -Number(numbers[low + half - 1]! < wanted);
    count -= half;
  }
  return low + Number(numbers[low]! < wanted);
}

/** The four bytes from `at` as a number that orders like them; what is missing counts as zero. */
export function fragmentOf(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    return word ^ (1 << 31);
  }
  let word = 0;
  for (let i = at; i < at + 4; i++) word = (word << 8) | (i < end ? bytes[i]! : 0);
  return word ^ (1 << 31);
}
