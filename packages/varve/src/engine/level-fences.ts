/**
 * Which file of a sorted level may hold a key: the largest keys of its files, searched as numbers. The read path's hop from
 * a level to a table. Made with the read view, so a search looks at nothing but one dense array. Immutable; any thread.
 */
import { compareRanges } from '../base/bytes.ts';
import { KeyFragments, UNDECIDED } from '../base/key-fragments.ts';
import type { FileMeta } from '../manifest/file-meta.ts';

export class LevelFences {
  readonly files: readonly FileMeta[];
  readonly #largest: KeyFragments;

  constructor(files: readonly FileMeta[]) {
    this.files = files;
    this.#largest = KeyFragments.of(files.map((file) => file.largestKey));
  }

  /** Index of the first file whose keys reach up to `key`; the number of files when none does. */
  find(key: Uint8Array, start: number, end: number): number {
    const found = this.#largest.search(key, start, end);
    return found === UNDECIDED ? findFile(this.files, key, start, end) : found;
  }
}

/** The same for files without fences. */
export function findFile(files: readonly FileMeta[], key: Uint8Array, start: number, end: number): number {
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const file = files[middle]!;
    const order = compareRanges(file.largestKey, 0, file.largestKey.length, key, start, end);
    if (order < 0 || (order === 0 && file.largestExclusive)) low = middle + 1;
    else high = middle;
  }
  return low;
}
