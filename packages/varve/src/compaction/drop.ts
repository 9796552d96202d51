/**
 * The one rule that decides what flush and compaction may leave out (docs/internals/compaction.md). A pure function of
 * sequences and times; every job asks it for every version and for every range tombstone, and nothing else ever drops an
 * entry.
 *
 * Readers. A state is read at its sequence r. Now or later that can be: r of a registered snapshot; any r >= historyFloor;
 * the latest, which is at or above every sequence of the inputs. Nobody else: who wants to read the past registers first
 * and then checks the floor, and a job publishes the floor first and then reads the register. R(x) below is the lowest
 * reader at or above sequence x.
 *
 * The rule. A version x of a key (or a range tombstone x) is dropped when
 *  (1) replaced: the next newer version n of the same key (the next newer tombstone of the same fragment) has n <= R(x);
 *  (2) covered:  a range tombstone t over the key has x < t <= R(x);
 *  (3) spent:    x is itself a delete or a range tombstone, nothing older is below the inputs where it applies, and no
 *                reader is below x, not counting readers below every sequence of the inputs, who see none of them.
 * n, t count from the inputs, whether or not they are dropped themselves.
 *
 * Proof that every reader r finds the same before and after, at any key. What the job's inputs tell r is: w, the newest
 * version <= r, and t, the newest covering tombstone <= r; the put w when w >= t, otherwise "deleted", or "look below" when
 * there is neither. What lies above the inputs is newer for this key and not touched, what lies below is older.
 *  - w is never dropped by (1): R(w) <= r, so n <= R(w) would be a version <= r newer than w. When it is dropped by (2) a
 *    tombstone in (w, r] covers it, so t > w and r saw "deleted" already. In the same way t is never dropped by (1).
 *  - So when r saw a put, that put stays; what else stays below r is older than it, and r sees it.
 *  - When r saw "deleted" by h = max(w, t) and h stays, whatever stays at or below r is older than h, so r sees "deleted".
 *  - When h was dropped, it was by (3) (or w by (2), and then h is t). Then no reader is in [x, h) for any version x < h of
 *    the key in the inputs, so R(x) >= h: if h is a version, x has a next newer one n <= h <= R(x), and (1) dropped it; if h
 *    is a tombstone, (2) dropped it. So r finds no version in the outputs, none below, and sees nothing, as before.
 *
 * Expiry. Every reader also has a time: a snapshot and a cursor that of their creation, any other read the stored clock's when
 * it is made. A put that expires is a delete for readers at its expiry or later. `readers.time` is at or before the times of
 * all who may read: of those in the register, and of whoever comes later, because the stored clock never runs back and stood
 * there when the job began. (A state of the past that is read at a time of the past counts with that time.)
 *  - `kindFor` makes a put whose expiry is at or before `readers.time` a delete at its own sequence. It is one for every
 *    reader who sees it, by the line above, so the inputs tell each of them the same as before; and the rule, asked about
 *    that delete, keeps what they tell by the proof above. In particular what is older stays hidden: the delete goes by (3)
 *    only, when nothing older is below.
 *  - A put that has expired for some readers only stays a put. The proof holds for it: `w` is the newest version whatever it
 *    shows, and by (1) and (2) only versions are dropped that no reader's `w` is.
 *  - Tables go whole in which there is nothing but what has expired by `readers.time`, deletes and range tombstones, when nothing
 *    older may be below any of them than others of them (picker-expired.ts): every reader finds nothing in them, and nothing
 *    below, before and after.
 *
 * Count. A keyspace may keep the newest n versions of every key that is there, whoever reads (`staysByCount`): from the newest
 * version of the key in the inputs on down to the n-th, as long as they are puts that no range tombstone of the inputs covers. Keeping
 * those although the rule would let them go changes nothing for any reader r: no tombstone of the inputs lies over any of them. When r is
 * at or above the last of them, the newest version at or below r is one of them, it was in the inputs and it stays. When r is below all of
 * them it does not see them. And the proof above holds for what is older: nothing that it drops has an older version that stays, since
 * those that stay by count are the newest. When the newest version is a delete the key is not there, and the rule alone decides.
 * A delete that ends them stays too while something older may lie below: without it that would look like more of them.
 */
import { assert } from '../base/assert.ts';
import { isExpired } from '../base/expiry.ts';
import { KIND_BLOB, KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';

/** `newer` of a version that has no newer one in the inputs. */
export const NO_NEWER: number = Number.POSITIVE_INFINITY;

/** Who may read the past while or after a job runs. */
export class Readers {
  readonly #registered: Float64Array;
  readonly #floor: number;
  /** No reader that sees anything of the inputs is below this. */
  readonly first: number;
  /** No reader judges by an earlier time than this. */
  readonly time: number;

  /**
   * @param registered sequences of the snapshots, ascending, read after `historyFloor` was published
   * @param historyFloor every state at or above it may be read; the latest sequence when no history is kept
   * @param oldestSequence the lowest sequence of any entry or range tombstone of the inputs
   * @param time the earliest time of any reader; 0: nothing counts as expired
   */
  constructor(registered: readonly number[], historyFloor: number, oldestSequence: number, time: number) {
    assert(Number.isSafeInteger(historyFloor), 'the history floor is not a sequence');
    for (let i = 1; i < registered.length; i++) {
      assert(registered[i - 1]! <= registered[i]!, 'registered sequences are not ascending');
    }
    this.#registered = Float64Array.from(registered.filter((sequence) => sequence >= oldestSequence));
    this.#floor = historyFloor;
    this.time = time;
    this.first = Math.min(this.#registered[0] ?? NO_NEWER, Math.max(historyFloor, oldestSequence));
  }

  /** Does a snapshot see what was written at `sequence`? */
  isRegisteredFrom(sequence: number): boolean {
    const last = this.#registered.at(-1);
    return last !== undefined && last >= sequence;
  }

  /**
   * May a filter change what readers find at the newest version of a key, which was written at `sequence`? Not while a registered
   * reader sees it, and not in the history that is kept; readers of the latest state are meant to see it changed.
   */
  mayFilter(sequence: number): boolean {
    return sequence <= this.#floor && !this.isRegisteredFrom(sequence);
  }

  /** R(x): the lowest sequence at or above `sequence` at which somebody may read. */
  lowestFrom(sequence: number): number {
    const history = sequence > this.#floor ? sequence : this.#floor;
    const registered = this.#registered;
    if (registered.length === 0) return history;
    let low = 0;
    let high = registered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (registered[middle]! < sequence) low = middle + 1;
      else high = middle;
    }
    return low < registered.length && registered[low]! < history ? registered[low]! : history;
  }
}

/** What a version counts as, given its stored value: a put that has expired for all readers is a delete. */
export function kindFor(readers: Readers, kind: number, value: Uint8Array, valueStart: number): number {
  return kind === KIND_PUT_EXPIRY && isExpired(value, valueStart, readers.time) ? KIND_DELETE : kind;
}

/**
 * Is a version one of the newest of its key in the inputs that stay by their count? To be asked from the newest on, until it
 * says no, a delete is asked about, or there are enough.
 *
 * @param newer as for `mayDrop`
 * @param nothingBelow likewise
 * @param cover the highest range tombstone of the inputs over the key, whoever sees it; 0 for none
 */
export function staysByCount(
  kind: number,
  sequence: number,
  newer: number,
  cover: number,
  nothingBelow: boolean,
): boolean {
  if (cover > sequence) return false;
  return kind !== KIND_DELETE || (newer !== NO_NEWER && !nothingBelow);
}

/**
 * May a table go whole that one or more range tombstones of sequence `cover` or higher cover from its first key to its last,
 * all its entries being older? By (2) each of its versions x may go when cover <= R(x); R never falls, so the lowest decides.
 * The same goes for its own range tombstones, which hide nothing from a reader that the covering ones do not hide.
 */
export function mayDropCovered(readers: Readers, smallest: number, cover: number): boolean {
  return cover <= readers.lowestFrom(smallest);
}

/**
 * May a table go whole whose entries count as gone (the strategy 'fifo'; all of them expired)? Only when no reader of the past
 * sees any of them, so that what a snapshot shows does not change. The caller takes the oldest places first, or tables over
 * older ones whose keys it knows to be gone too: nothing older may come to light.
 */
export function mayForgetFile(readers: Readers, smallest: number, largest: number): boolean {
  // Readers at the latest state and later ones are meant to see it gone.
  const lowest = readers.lowestFrom(smallest);
  return lowest >= largest && !readers.isRegisteredFrom(smallest);
}

/**
 * May this version, or this range tombstone, be left out?
 *
 * @param readers who may still read
 * @param kind put (of a value or of a reference to one), merge, delete or range delete, as `kindFor` says
 * @param sequence of the version or tombstone
 * @param newer sequence of the next newer version of the key that is no merge (of the next newer tombstone of the fragment) in
 *   the inputs, NO_NEWER when there is none
 * @param covering for a put or delete: the highest range tombstone of the inputs over its key with a sequence at or below
 *   `readers.lowestFrom(sequence)`; 0 when there is none, and for a range tombstone
 * @param nothingBelow asked for deletes and range tombstones only: no older entry can exist below the inputs at this key
 *   (anywhere in this range)
 */
export function mayDrop(
  readers: Readers,
  kind: number,
  sequence: number,
  newer: number,
  covering: number,
  nothingBelow: boolean,
): boolean {
  if (newer <= readers.lowestFrom(sequence) || covering > sequence) return true;
  if ((kind >= KIND_PUT && kind <= KIND_PUT_EXPIRY) || kind === KIND_BLOB) return false;
  assert(kind === KIND_DELETE || kind === KIND_RANGE_DELETE, 'the drop rule does not know this entry kind');
  return nothingBelow && sequence <= readers.first;
}
