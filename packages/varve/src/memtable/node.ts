/**
 * What a skiplist is made of in the pool: entries (memtable/entry-record.ts) in one chain, and towers, the index above
 * them. An entry or tower is named by a word index, 0 is none.
 *
 *   entry      word     field
 *              e - 3    NEXT           the next entry, 0 at the end
 *              e - 2    HINT           how the next entry's key departs from this one's (below)
 *              e - 1    BACK           an entry before this one: the nearest but for an insertion in progress, or the head
 *
 *   tower      t + 0    ENTRY          the entry that it leads to
 *              t - 1    that entry's NEXT, t - 2 its HINT: copies, so that a search passes by without touching the entry
 *              t - 3    link of level 1: the next tower there, 0 at the end; t - 4 hint of its entry against this one's
 *              t - 1 - 2 i, t - 2 - 2 i  the same of level i
 *
 * Half of the entries have a tower, half of the towers a second level, and so on. Towers lie apart from entries, close
 * together, because a search visits many of them and few entries: that is most of its speed (cache lines and pages touched).
 * Order: key ascending, sequence descending. The heads are an entry and a tower before all others, with an empty key.
 *
 * Hints are offset-value codes (base/offset-value.ts): they tell most keys apart, whatever prefix these have in common;
 * only equal codes send a search to the keys.
 *
 * Invariants: (1) nothing moves or is unlinked; only links, hints, BACK and VALUE change after an entry is linked.
 * (2) An insert completes the entry and then, bottom up, stores in each place hint = CODE_MAX, link, hint: after every
 * single store the list is whole, and a hint is exact or CODE_MAX, which sends a search to the keys on the entries and to
 * the level below elsewhere. (A reader beside the writer takes link, hint, link again and repeats when they differ.)
 * (3) BACK may lag behind, never point past its entry: who walks back goes forward from there to the direct neighbour. One
 * word an entry makes `prev` a step instead of a search; forward order never needs it.
 */

/** Words of an entry that are the skiplist's. */
export const OWN_WORDS = 3;
export const NEXT = -3;
export const HINT = -2;
export const BACK = -1;

export const ENTRY = 0;
/** Levels, the entries counted as level 0: enough for 2^22 entries at full speed. */
export const HEIGHT_MAX = 21;
/** Where searches begin. */
export interface ListRoot {
  /** The head entry; 0: the list is empty and has no memory. */
  head: number;
  /** The head tower. */
  tower: number;
  /** Levels so far, the entries counted as level 0. */
  height: number;
}

/** The entry straight before `entry`, or the head; invariant 3. `entry` 0 stands for the end. */
export function stepBack(words: Int32Array, head: number, entry: number): number {
  let at = words[(entry === 0 ? head : entry) + BACK]!;
  for (let next = words[at + NEXT]!; next !== entry; next = words[at + NEXT]!) at = next;
  return at;
}
