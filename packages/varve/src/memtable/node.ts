/**
 * What a skiplist is made of in the pool: entries (memtable/entry-record.ts) in one chain, and towers, the index above
 * them. An entry or tower is named by a word index, 0 is none.
 *
 *   entry      word     field
 *              e - 3    HINT           how the next entry's key departs from this one's (below)
 *              e - 2    NEXT           the next entry, 0 at the end
 *              e - 1    BACK           an entry before this one: the nearest but for an insertion in progress, or the head
 *
 *   tower      t + 0    ENTRY          the entry that it leads to
 *              t - 1    that entry's NEXT, t - 2 its HINT: copies, so that a search passes by without touching the entry
 *              t - 3    link of level 1: the next tower there, 0 at the end; t - 4 hint of its entry against this one's
 *              t - 1 - 2 i, t - 2 - 2 i  the same of level i
 *
 * Half of the entries have a tower, half of the towers a second level, and so on. Towers lie apart from entries, close
 * together, because a search visits many of them and few entries: that is most of its speed (cache lines and pages touched).
 * Order: key ascending, sequence descending. The heads are an entry and a tower before all others, with an empty key; they lie
 * in the list's descriptor (memtable/descriptor.ts), the first thing in its memory:
 *
 *   descriptor d + 10   HEIGHT         levels so far, the entries counted as level 0; stored before a link on the topmost
 *              d + 11   RANDOM         state of the generator of heights
 *              d + 12   ENTRY_ARENA    state of the arena of entries (arena/shared-arena.ts), d + 18 TOWER_ARENA of towers
 *              d + 66   HEAD_TOWER, d + 70 HEAD, d + 74 EMPTY_VALUE the value record that deletes by a range share
 *              d + 75   FILTER         stored when the filter is complete; 0 while the list is small
 *
 * Hints are offset-value codes (base/offset-value.ts): they tell most keys apart, whatever prefix these have in common;
 * only equal codes send a search to the keys.
 *
 * Invariants: (1) nothing moves or is unlinked; only links, hints, BACK and VALUE change after an entry is linked.
 * (2) An insert completes the entry and then, bottom up, stores in each place hint = CODE_MAX, link, hint: after every
 * single store the list is whole, and a hint is exact or CODE_MAX, which sends a search to the keys. A reader beside the writer takes link, hint, and, before it goes on by them, the link again:
 * when that has changed it repeats. A writer that dies leaves one place at most where a tower's copy of NEXT lags behind its
 * entry's: readers miss nothing but what it was adding, and the next writer's search puts it right (skiplist.ts).
 * (3) BACK may lag behind, never point past its entry: who walks back goes forward from there to the direct neighbour. One
 * word an entry makes `prev` a step instead of a search; forward order never needs it.
 */

import { ARENA_WORDS } from '../arena/shared-arena.ts';
import { CODE_MAX } from '../base/offset-value.ts';
import { COMMON_WORDS, TYPE, TYPE_SKIPLIST } from './descriptor.ts';
import { KEY, VALUE } from './entry-record.ts';

/** Words of an entry that are the skiplist's. */
export const OWN_WORDS = 3;
export const HINT = -3;
/** A hint is always the word before its link. */
export const NEXT = -2;
export const BACK = -1;

export const ENTRY = 0;
/** Levels, the entries counted as level 0: enough for 2^22 entries at full speed. */
export const HEIGHT_MAX = 21;

export const HEIGHT: number = COMMON_WORDS;
export const RANDOM: number = HEIGHT + 1;
export const ENTRY_ARENA: number = HEIGHT + 2;
export const TOWER_ARENA: number = ENTRY_ARENA + ARENA_WORDS;
export const HEAD_TOWER: number = TOWER_ARENA + ARENA_WORDS + 2 * HEIGHT_MAX;
export const HEAD: number = HEAD_TOWER + 1 + OWN_WORDS;
/** Behind the head, whose key is empty. */
const EMPTY_VALUE: number = HEAD + KEY;
/** The filter of its keys (memtable/key-filter.ts), 0 for none. */
export const FILTER: number = EMPTY_VALUE + 1;
export const DESCRIPTOR_BYTES: number = 4 * (EMPTY_VALUE + 2);

/** Makes fresh memory the descriptor of an empty list, but for the arenas. */
export function initDescriptor(words: Int32Array, d: number): void {
  words.fill(0, d, d + DESCRIPTOR_BYTES / 4);
  words[d + TYPE] = TYPE_SKIPLIST;
  words[d + HEIGHT] = 1;
  words[d + RANDOM] = 0x2545f491;
  const tower = d + HEAD_TOWER;
  const head = d + HEAD;
  for (let level = 0; level < HEIGHT_MAX; level++) words[tower - 2 - 2 * level] = CODE_MAX;
  words[tower + ENTRY] = head;
  words[head + HINT] = CODE_MAX;
  words[head + BACK] = head;
  words[head + VALUE] = 4 * (d + EMPTY_VALUE);
}

/** The entry straight before `entry`, or the head; invariant 3. `entry` 0 stands for the end. */
export function stepBack(words: Int32Array, head: number, entry: number): number {
  let at = words[(entry === 0 ? head : entry) + BACK]!;
  for (let next = words[at + NEXT]!; next !== entry; next = words[at + NEXT]!) at = next;
  return at;
}
