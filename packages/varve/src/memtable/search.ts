/**
 * Searching a skiplist: from the head tower down to the last entry before (key, sequence), by the hints of memtable/node.ts.
 *
 * `code` is always the code of the searched key against where the search stands. A hint below it: go on. A hint above it:
 * stop. Equal: the keys decide, from the byte on up to which they are known to be equal; CODE_MAX, which says nothing: the keys.
 * Standalone functions over typed arrays without allocation; the result goes into a Place that the caller owns.
 *
 * Beside a writer on another thread a link and its hint may be of two times. Stopping by such a pair is right, since the link
 * leads behind what the hint is of; before going on by it the link is read again (invariant 2 of memtable/node.ts).
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { loadInOrder } from '../runtime/load-in-order.ts';
import { KEY, KEY_LENGTH, sequenceOf } from './entry-record.ts';
import { ENTRY, HEAD, HEAD_TOWER, HEIGHT, HEIGHT_MAX, NEXT } from './node.ts';
import { CODE_MAX, codeBehind, codeFromHead, codeOf, sharedBytes, sharedOf } from '../base/offset-value.ts';

/** Where a search ended. */
export class Place {
  /** The last entry before what was searched; the head when there is none. */
  before = 0;
  /** The entry behind `before`, 0 at the end. */
  after = 0;
  /** Is the key of `after` the searched one? */
  isSameKey = false;
  /** Code of the searched key against `before`. */
  code = 0;
  /** On every level above 0 the last tower before it, and the code against that; on level 0 as on level 1. */
  readonly towers: Int32Array = new Int32Array(HEIGHT_MAX);
  readonly codes: Int32Array = new Int32Array(HEIGHT_MAX);
  /** Bytes that the last two compared keys share. */
  shared = 0;
}

/**
 * Order of an entry against (key, sequence), when `known` bytes are known to be equal; leaves `shared` and `isSameKey` in
 * `place`.
 */
export function compareEntry(
  pool: SegmentPool,
  entry: number,
  key: Uint8Array,
  start: number,
  end: number,
  sequence: number,
  known: number,
  place: Place,
): number {
  const { words, bytes } = pool;
  const length = words[entry + KEY_LENGTH]!;
  const wanted = end - start;
  const from = (entry + KEY) * 4;
  const shared = sharedBytes(bytes, from, from + length, key, start, end, known);
  place.shared = shared;
  place.isSameKey = false;
  if (shared < length && shared < wanted) return bytes[from + shared]! - key[start + shared]!;
  if (length !== wanted) return length - wanted;
  place.isSameKey = true;
  const own = sequenceOf(words, entry);
  return own > sequence ? -1 : own === sequence ? 0 : 1;
}

/** Finds the place of (key, sequence) in the list of a descriptor. */
export function search(
  pool: SegmentPool,
  list: number,
  key: Uint8Array,
  start: number,
  end: number,
  sequence: number,
  place: Place,
): void {
  const { words } = pool;
  const { towers, codes } = place;
  let code = codeFromHead(key, start, end);
  let tower = list + HEAD_TOWER;
  let stop = 0;
  for (let level = words[list + HEIGHT]! - 1; level > 0; ) {
    const link = tower - 1 - 2 * level;
    const next = loadInOrder(words, link);
    const hint = loadInOrder(words, link - 1);
    // What stopped the level above stops this one; so does the end, which is 0 like `stop` at first.
    if (next !== stop && (hint <= code || (hint === CODE_MAX && next !== 0))) {
      if (loadInOrder(words, link) !== next) continue;
      if (hint < code) {
        code = codeBehind(code, hint, key, start, end);
        tower = next;
        continue;
      }
      if (compareEntry(pool, words[next + ENTRY]!, key, start, end, sequence, sharedOf(hint), place) < 0) {
        code = codeOf(key, start, end, place.shared);
        tower = next;
        continue;
      }
      stop = next;
    }
    towers[level] = tower;
    codes[level] = code;
    level--;
  }
  towers[0] = tower;
  let before = words[tower + ENTRY]!;
  let link = tower - 1;
  let after = loadInOrder(words, link);
  let hint = loadInOrder(words, link - 1);
  place.isSameKey = false;
  while (after !== 0 && (hint <= code || hint === CODE_MAX)) {
    if (loadInOrder(words, link) !== after) {
      after = loadInOrder(words, link);
      hint = loadInOrder(words, link - 1);
      continue;
    }
    if (hint < code) code = codeBehind(code, hint, key, start, end);
    else {
      if (compareEntry(pool, after, key, start, end, sequence, sharedOf(hint), place) >= 0) break;
      code = codeOf(key, start, end, place.shared);
      place.isSameKey = false;
    }
    before = after;
    link = before + NEXT;
    after = loadInOrder(words, link);
    hint = loadInOrder(words, link - 1);
  }
  place.before = before;
  place.after = after;
  place.code = code;
}

/**
 * Is (key, sequence) right behind `place.before`, where the last insert put its entry? Then `place` is made to say what a
 * search would have, except for the codes of the towers. For the writer, when nobody inserted since.
 */
export function isNextTo(
  pool: SegmentPool,
  list: number,
  key: Uint8Array,
  start: number,
  end: number,
  sequence: number,
  place: Place,
): boolean {
  const { words } = pool;
  const { before } = place;
  let code = 0;
  if (before === list + HEAD) code = codeFromHead(key, start, end);
  else {
    if (compareEntry(pool, before, key, start, end, sequence, 0, place) >= 0) return false;
    code = codeOf(key, start, end, place.shared);
  }
  const after = words[before + NEXT]!;
  place.isSameKey = false;
  if (after !== 0 && compareEntry(pool, after, key, start, end, sequence, 0, place) < 0) {
    return false;
  }
  place.after = after;
  place.code = code;
  return true;
}
