/**
 * Linking into a skiplist: the heads, an entry, its tower. Part of `add`; owner's thread only.
 *
 * Every place is changed by the three stores of invariant 2 in memtable/node.ts, level 0 first. The hint from the new entry to
 * the one behind it follows from two codes that are known, or else from the two keys.
 */
import type { Arena } from '../arena/arena.ts';
import type { SegmentPool } from '../arena/segment-pool.ts';
import { KEY, VALUE } from './entry-record.ts';
import { BACK, ENTRY, HEIGHT_MAX, HINT, NEXT, OWN_WORDS } from './node.ts';
import type { ListRoot } from './node.ts';
import { CODE_MAX } from '../base/offset-value.ts';
import { codeAgainst, codeOfNext } from './entry-codes.ts';
import type { Place } from './search.ts';

/** What `makeHeads` takes at most. */
export const HEAD_BYTES: number = 4 * (OWN_WORDS + KEY + 2 * HEIGHT_MAX + 4) + 16;

/** Gives an empty list its heads. */
export function makeHeads(pool: SegmentPool, arena: Arena, root: ListRoot, place: Place): void {
  const { words } = pool;
  // The tower first: with its links before it, no word that names something is 0.
  const tower = (arena.allocate(4 * (2 * HEIGHT_MAX + 1)) >>> 2) + 2 * HEIGHT_MAX;
  for (let level = 0; level < HEIGHT_MAX; level++) setLink(words, tower - 1 - 2 * level, 0, CODE_MAX);
  const head = (arena.allocate(4 * (OWN_WORDS + KEY)) >>> 2) + OWN_WORDS;
  words.fill(0, head - OWN_WORDS, head + KEY);
  words[head + HINT] = CODE_MAX;
  words[head + BACK] = head;
  // The head's value is the empty one that deletes share.
  const empty = arena.allocate(4);
  words[empty >>> 2] = 0;
  words[head + VALUE] = empty;
  words[tower + ENTRY] = head;
  place.towers.fill(tower);
  place.before = head;
  root.tower = tower;
  root.head = head;
}

/** Links a complete entry at `place`, which is behind that entry afterwards. */
export function linkEntry(pool: SegmentPool, root: ListRoot, place: Place, entry: number): void {
  const { words } = pool;
  const { before, after, code } = place;
  words[entry + NEXT] = after;
  words[entry + HINT] = hintTo(pool, entry, after, code, words[before + HINT]!);
  Atomics.store(words, before + HINT, CODE_MAX);
  Atomics.store(words, before + NEXT, entry);
  Atomics.store(words, before + HINT, code);
  words[(after === 0 ? root.head : after) + BACK] = entry;
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
  arena: Arena,
  root: ListRoot,
  place: Place,
  entry: number,
  levels: number,
  isAtHand: boolean,
): void {
  const bytes = 4 * (2 * levels + 1);
  if (!arena.reserve(bytes)) return;
  const { words } = pool;
  const { towers, codes } = place;
  const tower = (arena.allocate(bytes) >>> 2) + 2 * levels;
  words[tower + ENTRY] = entry;
  words[tower - 1] = words[entry + NEXT]!;
  words[tower - 2] = words[entry + HINT]!;
  for (let level = 1; level < levels; level++) {
    const before = towers[level]!;
    const at = before - 1 - 2 * level;
    const after = words[at]!;
    const isKnown = !isAtHand && level < root.height;
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
  towers[0] = tower;
  for (let level = 1; level < levels; level++) {
    setLink(words, towers[level]! - 1 - 2 * level, tower, codes[level]!);
    towers[level] = tower;
  }
  if (levels > root.height) root.height = levels;
}

/** Sets a link of a tower, and the hint before it. */
function setLink(words: Int32Array, at: number, link: number, hint: number): void {
  Atomics.store(words, at - 1, CODE_MAX);
  Atomics.store(words, at, link);
  Atomics.store(words, at - 1, hint);
}

/** Hint from a new entry to the one behind it, from the codes of both against the one before. */
function hintTo(pool: SegmentPool, entry: number, after: number, code: number, afterCode: number): number {
  if (after === 0) return CODE_MAX;
  return codeOfNext(pool, entry, after, code, afterCode);
}
