/**
 * Which of a row of range deletes was the last over a key: they are added in their order, and each takes the place of what was
 * before it in its range. So what is kept is one number from each bound to the next, and a question is one search,
 * however many range deletes there are. For the operations of one batch in one keyspace (join-batch.ts).
 */
import { compareBytes } from '../../base/bytes.ts';

/** No range delete is over the key. */
export const NOT_COVERED = -1;

export class LatestCovers {
  /** Ascending, each once. */
  readonly #bounds: Uint8Array[] = [];
  /** What was added last over the keys from `#bounds[i]` to the next; behind the last bound there is nothing. */
  readonly #latest: number[] = [];

  /** Over [from, to); the bytes are kept, not copied. Does nothing for an empty range. */
  add(from: Uint8Array, to: Uint8Array, number: number): void {
    if (compareBytes(from, to) >= 0) return;
    const first = this.#firstFrom(from);
    const end = this.#firstFrom(to);
    const isBound = end < this.#bounds.length && compareBytes(this.#bounds[end]!, to) === 0;
    const behind = end === 0 ? NOT_COVERED : this.#latest[end - 1]!;
    this.#bounds.splice(first, end - first, ...(isBound ? [from] : [from, to]));
    this.#latest.splice(first, end - first, ...(isBound ? [number] : [number, behind]));
  }

  /** The number that was added last over the key. */
  over(key: Uint8Array): number {
    const at = this.#firstFrom(key);
    const isBound = at < this.#bounds.length && compareBytes(this.#bounds[at]!, key) === 0;
    return this.#latest[isBound ? at : at - 1] ?? NOT_COVERED;
  }

  /** Index of the first bound at or behind the key. */
  #firstFrom(key: Uint8Array): number {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.#bounds[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
