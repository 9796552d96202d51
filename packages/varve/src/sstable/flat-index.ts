/**
 * One block of the index, unpacked for searching: the four key bytes behind the shared prefix of each entry as one number,
 * and the handles as numbers. A search is a few steps over one dense array; a byte-wise search of the block itself, with
 * its way through the cache, takes about five times as long. 16 bytes of memory per entry, made at the first use.
 *
 * Four bytes decide nearly every search. Where they are equal `search` says so, and the caller asks the block itself, so
 * the answer is always that of BlockView.search. Immutable; one thread.
 */
import type { BlockView } from './block.ts';

/** Answer of `search`: the four bytes do not tell. */
export const UNDECIDED = -1;

/** The next four key bytes as a number that orders like them; what is missing counts as zero. */
function fragmentOf(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) ^ (1 << 31);
  }
  let fragment = 0;
  for (let i = 0; i < 4; i++) fragment = (fragment << 8) | (at + i < end ? bytes[at + i] : 0);
  return fragment ^ (1 << 31);
}

export class FlatIndex {
  readonly count: number;
  /** Where the blocks lie in the file, and their stored lengths. */
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  readonly #prefix: Uint8Array;
  readonly #fragments: Int32Array;

  /** Unpacks the index block that `view` looks at; `readHandle` leaves offset and length of an entry's block. */
  constructor(
    view: BlockView,
    handles: { readHandle(view: BlockView, index: number): void; handleOffset: number; handleLength: number },
  ) {
    const { count, bytes, prefixStart, prefixLength } = view;
    this.count = count;
    this.#prefix = bytes.slice(prefixStart, prefixStart + prefixLength);
    this.#fragments = new Int32Array(count);
    this.offsets = new Float64Array(count);
    this.lengths = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      this.#fragments[i] = fragmentOf(bytes, view.suffixStart(i), view.suffixStart(i + 1));
      handles.readHandle(view, i);
      this.offsets[i] = handles.handleOffset;
      this.lengths[i] = handles.handleLength;
    }
  }

  get memoryBytes(): number {
    return 256 + this.#prefix.length + 20 * this.count;
  }

  /** Index of the first entry at or above `key`, `count` when there is none; UNDECIDED when an entry may be equal. */
  search(key: Uint8Array, start: number, end: number): number {
    const prefix = this.#prefix;
    const prefixLength = prefix.length;
    for (let i = 0; i < prefixLength; i++) {
      if (start + i === end) return 0;
      const difference = prefix[i] - key[start + i];
      if (difference !== 0) return difference > 0 ? 0 : this.count;
    }
    const fragment = fragmentOf(key, start + prefixLength, end);
    const fragments = this.#fragments;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (fragments[middle] < fragment) low = middle + 1;
      else high = middle;
    }
    return low < this.count && fragments[low] === fragment ? UNDECIDED : low;
  }
}
