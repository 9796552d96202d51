/**
 * The nodes of the batch that is being added to a memtable, so that a range delete can turn the earlier operations of its
 * own batch into deletes (CONTRACT 1) without a walk over everything in its range. Owner's thread only.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { compareRanges } from '../base/bytes.ts';
import { KEY, KEY_LENGTH, VALUE } from './node.ts';

/** Room that is kept between batches. */
const KEPT = 1024;

export class BatchNodes {
  #nodes = new Int32Array(16);
  #count = 0;

  add(node: number): void {
    if (this.#count === this.#nodes.length) {
      const room = new Int32Array(2 * this.#count);
      room.set(this.#nodes);
      this.#nodes = room;
    }
    this.#nodes[this.#count++] = node;
  }

  clear(): void {
    this.#count = 0;
    if (this.#nodes.length > KEPT) this.#nodes = new Int32Array(KEPT);
  }

  /** Gives every node with a key in [from, to) the value reference `reference`. */
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
      const node = this.#nodes[i]!;
      const start = (node + KEY) * 4;
      const end = start + words[node + KEY_LENGTH]!;
      if (compareRanges(bytes, start, end, from, fromStart, fromEnd) < 0) continue;
      if (compareRanges(bytes, start, end, to, toStart, toEnd) >= 0) continue;
      Atomics.store(words, node + VALUE, reference);
    }
  }
}
