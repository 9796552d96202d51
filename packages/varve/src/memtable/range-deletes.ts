/**
 * The range tombstones of one memtable: records in its arena, chained newest to oldest, so that a worker that attaches the
 * memtable reads them in place. What readers use is the set of fragments over them, built on demand and kept until the next
 * range delete; the ones that came since are merged into it.
 *
 *   word    field of a record
 *   r + 0   the next older record, 0 at the end
 *   r + 1   sequence, low 32 bits; r + 2 high 21 bits
 *   r + 3   length of the start key, r + 4 of the end key
 *   r + 5   start key, then end key
 */
import type { Arena } from '../arena/arena.ts';
import type { SegmentPool } from '../arena/segment-pool.ts';
import { cloneRange, copyRange } from '../base/bytes.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import type { RangeTombstone } from '../base/range-tombstones.ts';

const FIELDS = 5;

export class RangeDeletes {
  readonly #pool: SegmentPool;
  #newest: number;
  /** The newest record that is in `#fragments`. */
  #built = 0;
  #fragments: FragmentedTombstones | undefined;

  constructor(pool: SegmentPool, newest: number) {
    this.#pool = pool;
    this.#newest = newest;
  }

  /** The newest record, 0 for none: all that an attached memtable needs. */
  get newest(): number {
    return this.#newest;
  }

  add(
    arena: Arena,
    sequence: number,
    from: Uint8Array,
    fromStart: number,
    fromEnd: number,
    to: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void {
    const { words, bytes } = this.#pool;
    const fromLength = fromEnd - fromStart;
    const toLength = toEnd - toStart;
    const block = arena.allocate(4 * FIELDS + fromLength + toLength);
    const record = block >>> 2;
    words[record] = this.#newest;
    words[record + 1] = sequence;
    words[record + 2] = sequence / 4294967296;
    words[record + 3] = fromLength;
    words[record + 4] = toLength;
    copyRange(from, fromStart, fromEnd, bytes, block + 4 * FIELDS);
    copyRange(to, toStart, toEnd, bytes, block + 4 * FIELDS + fromLength);
    this.#newest = record;
  }

  /** All range tombstones; undefined when there are none. */
  fragments(): FragmentedTombstones | undefined {
    if (this.#built !== this.#newest) this.#build();
    return this.#fragments;
  }

  clear(): void {
    this.#newest = 0;
    this.#built = 0;
    this.#fragments = undefined;
  }

  #build(): void {
    const { words, bytes } = this.#pool;
    const fresh: RangeTombstone[] = [];
    for (let record = this.#newest; record !== this.#built; record = words[record]!) {
      const middle = 4 * (record + FIELDS) + words[record + 3]!;
      fresh.push({
        start: cloneRange(bytes, 4 * (record + FIELDS), middle),
        end: cloneRange(bytes, middle, middle + words[record + 4]!),
        sequence: words[record + 2]! * 4294967296 + (words[record + 1]! >>> 0),
      });
    }
    const set = FragmentedTombstones.build(fresh);
    const earlier = this.#fragments;
    this.#fragments = earlier === undefined ? set : FragmentedTombstones.merge([earlier, set]);
    this.#built = this.#newest;
  }
}
