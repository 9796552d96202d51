/**
 * Linking into a skiplist: an entry, its tower. Part of `add`, by the one writer there is.
 *
 * Every place is changed by the three stores of invariant 2 in memtable/node.ts, level 0 first. The hint from the new entry to
 * the one behind it follows from two codes that are known, or else from the two keys.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import type { SharedArena } from '../arena/shared-arena.ts';
import { BACK, ENTRY, HEAD, HEAD_TOWER, HEIGHT, HINT, NEXT } from './node.ts';
import { CODE_MAX } from '../base/offset-value.ts';
import { codeAgainst, codeOfNext } from './entry-codes.ts';
import type { Place } from './search.ts';

/** Links a complete entry at `place`, which is behind that entry afterwards. */
export function linkEntry(pool: SegmentPool, list: number, place: Place, entry: number): void {
  const { words } = pool;
  const { before, after, code } = place;
  words[entry + NEXT] = after;
  words[entry + HINT] = hintTo(pool, entry, after, code, words[before + HINT]!);
  setLink(words, before + NEXT, entry, code);
  words[(after === 0 ? list + HEAD : after) + BACK] = entry;
  const tower = place.towers[0]!;
  if (words[tower + ENTRY] === before) setLink(words, tower - 1, entry, code);
  place.before = entry;
}

/**
 * Gives the entry that was linked last a tower on levels 1 to `levels` - 1; none, which costs nothing but time, when the pool
 * has no room for it. `isAtHand`: the place was not searched for, so that its codes are not there.
 */
export function linkTower(
  pool: SegmentPool,
  arena: SharedArena,
  list: number,
  place: Place,
  entry: number,
  levels: number,
  isAtHand: boolean,
): void {
  const bytes = 4 * (2 * levels + 1);
  if (!arena.reserve(bytes)) return;
  const { words } = pool;
  const { towers, codes } = place;
  const height = words[list + HEIGHT]!;
  const tower = (arena.allocate(bytes) >>> 2) + 2 * levels;
  words[tower + ENTRY] = entry;
  words[tower - 1] = words[entry + NEXT]!;
  words[tower - 2] = words[entry + HINT]!;
  for (let level = 1; level < levels; level++) {
    if (level >= height) towers[level] = list + HEAD_TOWER;
    const before = towers[level]!;
    const at = before - 1 - 2 * level;
    const after = words[at]!;
    const isKnown = !isAtHand && level < height;
    const code = isKnown ? codes[level]! : codeAgainst(pool, words[before + ENTRY]!, entry);
    codes[level] = code;
    words[tower - 1 - 2 * level] = after;
    words[tower - 2 - 2 * level] = hintTo(
      pool,
      entry,
      after === 0 ? 0 : words[after + ENTRY]!,
      code,
      words[at - 1]!,
    );
  }
  // Before there are links on the new levels: to a writer that does not know of a level it would seem empty.
  if (levels > height) words[list + HEIGHT] = levels;
  towers[0] = tower;
  for (let level = 1; level < levels; level++) {
    setLink(words, towers[level]! - 1 - 2 * level, tower, codes[level]!);
    towers[level] = tower;
  }
}

/**
 * Brings the copy of NEXT in the tower of `place.before` up to date, which a writer that died left behind; false when it is.
 * What a search found is not the place then.
 */
export function repairCopy(words: Int32Array, place: Place): boolean {
  const { before } = place;
  const next = words[before + NEXT]!;
  if (next === place.after) return false;
  setLink(words, place.towers[0]! - 1, next, words[before + HINT]!);
  return true;
}

/** Sets a link, and the hint before it (invariant 2). */
function setLink(words: Int32Array, at: number, link: number, hint: number): void {
  Atomics.store(words, at - 1, CODE_MAX);
  Atomics.store(words, at, link);
  Atomics.store(words, at - 1, hint);
}

/** Hint from a new entry to the one behind it, from the codes of both against the one before. */
function hintTo(pool: SegmentPool, entry: number, after: number, code: number, afterCode: number): number {
  if (after === 0) return CODE_MAX;
  // CODE_MAX may be what a writer left that died.
  if (afterCode === CODE_MAX) return codeAgainst(pool, entry, after);
  return codeOfNext(pool, entry, after, code, afterCode);
}
