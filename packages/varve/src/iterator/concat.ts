/**
 * One sorted run as one EntryIterator: the files of a level below 0, which follow each other without overlap, opened one
 * at a time and only when the walk reaches them. Stands under the merge, for reads and for compaction.
 *
 * Invariants: (1) files are sorted, their bounds are disjoint, and no user key is in two of them. (2) At most one file's
 * iterator is held; opening the next one lets go of it. (3) A file may hold no point entry at all (only range tombstones,
 * which count for its bounds but do not travel here): the walk goes over it. Owner thread or worker, one at a time.
 */
import { compareRanges, EMPTY } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import type { EntryRun } from '../base/entry-run.ts';

/** The user keys that a file may hold. File metadata has this shape. */
export interface KeyBounds {
  readonly smallestKey: Uint8Array;
  readonly largestKey: Uint8Array;
  /** True when `largestKey` itself is outside: the exclusive end of a range tombstone. */
  readonly largestExclusive: boolean;
}

/** Opens the iterator of the file at an index of the run. */
export type OpenFile = (index: number) => EntryIterator;

export class ConcatIterator implements EntryIterator {
  valid = false;
  key: Uint8Array = EMPTY;
  keyStart = 0;
  keyEnd = 0;
  sequence = 0;
  kind = 0;
  value: Uint8Array = EMPTY;
  valueStart = 0;
  valueEnd = 0;
  readonly #files: readonly KeyBounds[];
  readonly #open: OpenFile;
  #file: EntryIterator | undefined;
  #index = -1;

  constructor(files: readonly KeyBounds[], open: OpenFile) {
    this.#files = files;
    this.#open = open;
  }

  first(): void {
    this.#startFrom(0);
  }

  last(): void {
    this.#endAt(this.#files.length - 1);
  }

  seek(key: Uint8Array, start: number, end: number, sequence: number): void {
    const index = firstFileReaching(this.#files, key, start, end);
    if (index === this.#files.length) {
      this.valid = false;
      return;
    }
    const file = this.#fileAt(index);
    file.seek(key, start, end, sequence);
    if (file.valid) this.#show(file);
    else this.#startFrom(index + 1);
  }

  seekBefore(key: Uint8Array, start: number, end: number): void {
    const index = filesStartingBelow(this.#files, key, start, end) - 1;
    if (index < 0) {
      this.valid = false;
      return;
    }
    const file = this.#fileAt(index);
    file.seekBefore(key, start, end);
    if (file.valid) this.#show(file);
    else this.#endAt(index - 1);
  }

  next(): void {
    const file = this.#file!;
    file.next();
    if (file.valid) this.#show(file);
    else this.#startFrom(this.#index + 1);
  }

  prev(): void {
    const file = this.#file!;
    file.prev();
    if (file.valid) this.#show(file);
    else this.#endAt(this.#index - 1);
  }

  run(forward: boolean, snapshot: number): EntryRun | undefined {
    return this.#file!.run?.(forward, snapshot);
  }

  moveTo(position: number): void {
    const file = this.#file!;
    file.moveTo!(position);
    this.#show(file);
  }

  /** To the first entry of the first file at or after `index` that has one. */
  #startFrom(index: number): void {
    for (let at = index; at < this.#files.length; at++) {
      const file = this.#fileAt(at);
      file.first();
      if (file.valid) {
        this.#show(file);
        return;
      }
    }
    this.valid = false;
  }

  /** To the last entry of the last file at or before `index` that has one. */
  #endAt(index: number): void {
    for (let at = index; at >= 0; at--) {
      const file = this.#fileAt(at);
      file.last();
      if (file.valid) {
        this.#show(file);
        return;
      }
    }
    this.valid = false;
  }

  #fileAt(index: number): EntryIterator {
    if (index !== this.#index || this.#file === undefined) {
      // Nothing is held while opening: an open that fails leaves no iterator of another file under this index.
      this.#file = undefined;
      this.valid = false;
      this.#file = this.#open(index);
      this.#index = index;
    }
    return this.#file;
  }

  #show(file: EntryIterator): void {
    this.valid = true;
    this.key = file.key;
    this.keyStart = file.keyStart;
    this.keyEnd = file.keyEnd;
    this.sequence = file.sequence;
    this.kind = file.kind;
    this.value = file.value;
    this.valueStart = file.valueStart;
    this.valueEnd = file.valueEnd;
  }
}

/** Index of the first file that may hold `key` or a later one; the number of files when none does. */
export function firstFileReaching(
  files: readonly KeyBounds[],
  key: Uint8Array,
  start: number,
  end: number,
): number {
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

/** How many files, from the front, start strictly below `key`. */
function filesStartingBelow(
  files: readonly KeyBounds[],
  key: Uint8Array,
  start: number,
  end: number,
): number {
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const file = files[middle]!;
    if (compareRanges(file.smallestKey, 0, file.smallestKey.length, key, start, end) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
