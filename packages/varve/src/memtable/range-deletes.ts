/**
 * The range tombstones of one memtable: records in its arena, chained newest to oldest, so that a worker that attaches the
 * memtable reads them in place. What readers use are sets of fragments over them, built on demand and kept; what comes later is
 * added to them.
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

/** Sets become one when point reads have asked as often as this part of the tombstones in the largest. */
const ASKS_SHARE = 1 / 8;

/**
 * The sets over a chain, one object's copy: made on demand, brought up to date by what is in front of the chain now.
 *
 * To add one tombstone to a set is to copy the set. So what is new becomes a set of its own, and two become one when the newer has
 * grown to half of the older: range deletes with point reads between them copy each tombstone a few times, and not all of them
 * for each. Point reads ask every set, of which there are about as many as n has binary digits; when they have asked often enough
 * to pay for it, all become one. Walks need one anyway.
 */
export class RangeDeletes {
  readonly #pool: SegmentPool;
  /** The newest record that is in a set. */
  #built = 0;
  /** The oldest first, which is the largest: each has more than twice the tombstones of the next. */
  #sets: FragmentedTombstones[] = [];
  /** Point reads since there is more than one set. */
  #asks = 0;

  constructor(pool: SegmentPool) {
    this.#pool = pool;
  }

  /** All range tombstones of the chain that begins with `newest`; undefined when there are none. */
  fragments(newest: number): FragmentedTombstones | undefined {
    if (this.#built !== newest) this.#take(newest);
    if (this.#sets.length > 1) this.#join();
    return this.#sets[0];
  }

  /** Of the same the highest sequence at or below `snapshot` over the key; 0 when there is none. */
  coveringSequence(newest: number, key: Uint8Array, start: number, end: number, snapshot: number): number {
    if (this.#built !== newest) this.#take(newest);
    if (this.#sets.length > 1 && ++this.#asks > this.#sets[0]!.count * ASKS_SHARE) this.#join();
    const sets = this.#sets;
    let highest = 0;
    for (let i = 0; i < sets.length; i++) {
      const covering = sets[i]!.coveringSequence(key, start, end, snapshot);
      if (covering > highest) highest = covering;
    }
    return highest;
  }

  clear(): void {
    this.#built = 0;
    this.#sets = [];
  }

  #join(): void {
    this.#sets = [FragmentedTombstones.merge(this.#sets)];
    this.#asks = 0;
  }

  #take(newest: number): void {
    const sets = this.#sets;
    sets.push(FragmentedTombstones.build(this.#since(newest)));
    this.#built = newest;
    this.#asks = 0;
    while (sets.length > 1 && sets.at(-2)!.count <= 2 * sets.at(-1)!.count) {
      const newer = sets.pop()!;
      sets.push(FragmentedTombstones.merge([sets.pop()!, newer]));
    }
  }

  /** Those that are in no set yet. */
  #since(newest: number): RangeTombstone[] {
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
    return fresh;
  }
}
