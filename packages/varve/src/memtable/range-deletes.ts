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
import type { ArenaMemory } from '../arena/arena.ts';
import type { SegmentPool } from '../arena/segment-pool.ts';
import { cloneRange, copyRange } from '../base/bytes.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import type { RangeTombstone } from '../base/range-tombstones.ts';

const FIELDS = 5;

/** Writes a record in front of the chain that begins with `newest`; the caller makes it the newest. */
export function writeRangeDelete(
  arena: ArenaMemory,
  newest: number,
  sequence: number,
  from: Uint8Array,
  fromStart: number,
  fromEnd: number,
  to: Uint8Array,
  toStart: number,
  toEnd: number,
): number {
  const { words, bytes } = arena.pool;
  const fromLength = fromEnd - fromStart;
  const toLength = toEnd - toStart;
  const block = arena.allocate(4 * FIELDS + fromLength + toLength);
  const record = block >>> 2;
  words[record] = newest;
  words[record + 1] = sequence;
  words[record + 2] = sequence / 4294967296;
  words[record + 3] = fromLength;
  words[record + 4] = toLength;
  copyRange(from, fromStart, fromEnd, bytes, block + 4 * FIELDS);
  copyRange(to, toStart, toEnd, bytes, block + 4 * FIELDS + fromLength);
  return record;
}

/** The fragments over a chain, one object's copy: built on demand, brought up to date by what is in front of the chain now. */
export class RangeDeletes {
  readonly #pool: SegmentPool;
  /** The newest record that is in `#fragments`. */
  #built = 0;
  #fragments: FragmentedTombstones | undefined;

  constructor(pool: SegmentPool) {
    this.#pool = pool;
  }

  /** All range tombstones of the chain that begins with `newest`; undefined when there are none. */
  fragments(newest: number): FragmentedTombstones | undefined {
    if (this.#built !== newest) this.#build(newest);
    return this.#fragments;
  }

  clear(): void {
    this.#built = 0;
    this.#fragments = undefined;
  }

  #build(newest: number): void {
    const { words, bytes } = this.#pool;
    const fresh: RangeTombstone[] = [];
    for (let record = newest; record !== this.#built; record = words[record]!) {
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
    this.#built = newest;
  }
}
