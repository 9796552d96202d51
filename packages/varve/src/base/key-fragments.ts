/**
 * Sorted keys as numbers: of each key the four bytes behind the prefix that all share. A search is a few steps over one
 * dense array instead of a byte-wise comparison with keys that lie apart; four bytes decide nearly every search, and where
 * they do not `search` says so, so that the caller compares the keys themselves.
 *
 * Stands in the read path twice: over the files of a level, and over the blocks of a table. Immutable; any thread.
 */

/** Answer of `search`: the four bytes do not tell. */
export const UNDECIDED = -1;

export class KeyFragments {
  readonly count: number;
  readonly #prefix: Uint8Array;
  readonly #fragments: Int32Array;

  /** Of `count` sorted keys; `prefix` is what all begin with, `fragments` of the rest of each (`fragmentOf`). */
  constructor(prefix: Uint8Array, fragments: Int32Array) {
    this.count = fragments.length;
    this.#prefix = prefix;
    this.#fragments = fragments;
  }

  /** Of whole keys, sorted. */
  static of(keys: readonly Uint8Array[]): KeyFragments {
    const first = keys[0] ?? new Uint8Array(0);
    const last = keys.at(-1) ?? first;
    let shared = 0;
    while (shared < first.length && shared < last.length && first[shared] === last[shared]) shared++;
    const fragments = Int32Array.from(keys, (key) => fragmentOf(key, shared, key.length));
    return new KeyFragments(first.slice(0, shared), fragments);
  }

  get memoryBytes(): number {
    return 128 + this.#prefix.length + 4 * this.count;
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
    const fragment = fragmentOf(key, start + prefixLength, end);
    const fragments = this.#fragments;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (fragments[middle]! < fragment) low = middle + 1;
      else high = middle;
    }
    return low < this.count && fragments[low] === fragment ? UNDECIDED : low;
  }
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
