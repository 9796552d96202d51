/**
 * Which file of a sorted level may hold a key: the largest keys of its files, searched as numbers. The read path's hop from
 * a level to a table. Made with the read view, so a search looks at nothing but one dense array. Immutable; any thread.
 */
import { KeyFragments, UNDECIDED } from '../base/key-fragments.ts';
import { firstFileReaching } from '../iterator/concat.ts';
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
    return found === UNDECIDED ? firstFileReaching(this.files, key, start, end) : found;
  }
}
