/**
 * The entries of the batch that is being added to a memtable, so that a range delete can turn the earlier operations of its
 * own batch into deletes (CONTRACT 1) without a walk over everything in its range. Owner's thread only.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { compareRanges } from '../base/bytes.ts';
import { KEY, KEY_LENGTH, VALUE } from './entry-record.ts';

/** Room that is kept between batches. */
const KEPT = 1024;

export class BatchEntries {
  #entries = new Int32Array(16);
  #count = 0;

  add(entry: number): void {
    if (this.#count === this.#entries.length) {
      const room = new Int32Array(2 * this.#count);
      room.set(this.#entries);
      this.#entries = room;
    }
    this.#entries[this.#count++] = entry;
  }

  clear(): void {
    this.#count = 0;
    if (this.#entries.length > KEPT) this.#entries = new Int32Array(KEPT);
  }

  /** Gives every entry with a key in [from, to) the value reference `reference`. */
  replaceValues(
    pool: SegmentPool,
    from: Uint8Array,
    fromStart: number,
    fromEnd: number,
    to: Uint8Array,
    toStart: number,
    toEnd: number,
    reference: number,
  ): void {
    const { words, bytes } = pool;
    for (let i = 0; i < this.#count; i++) {
      const entry = this.#entries[i]!;
      const start = (entry + KEY) * 4;
      const end = start + words[entry + KEY_LENGTH]!;
      if (compareRanges(bytes, start, end, from, fromStart, fromEnd) < 0) continue;
      if (compareRanges(bytes, start, end, to, toStart, toEnd) >= 0) continue;
      Atomics.store(words, entry + VALUE, reference);
    }
  }
}
