/**
 * The versions of one key in a tree: a chain from the newest, which the leaf's slot names, to the oldest, linked both ways
 * (words OLDER and NEWER, memtable/btree-node.ts).
 *
 * A version that came on top of another has two words more: SKIP, a version further down, and DEPTH, how many lie below it.
 * The skips are Myers' jump pointers ("An applicative random-access stack", 1983): any depth is reached in logarithmic
 * steps, so that a snapshot reads a key fast that was overwritten a million times since. A skip goes to a lower sequence
 * whatever was put between later on.
 */
import { sequenceOf } from './entry-record.ts';
import { NEWER, OLDER } from './btree-node.ts';

const SKIP = -3;
const DEPTH = -4;
/** In NEWER: the entry has SKIP and DEPTH. */
const HAS_SKIP = -0x80000000;
const LINK = 0x7fffffff;

/** Words in front of the first version of a key, and of later ones. */
export const FIRST_WORDS = 2;
export const LATER_WORDS = 4;

/** The next newer version, 0 at the newest. */
export function newerThan(words: Int32Array, entry: number): number {
  return words[entry + NEWER]! & LINK;
}

/** The newest version at or below `sequence` of the chain that begins with `newest`; 0 for none. */
export function versionAt(words: Int32Array, newest: number, sequence: number): number {
  let at = newest;
  while (at !== 0 && sequenceOf(words, at) > sequence) {
    const skip = words[at + NEWER]! < 0 ? words[at + SKIP]! : 0;
    at = skip !== 0 && sequenceOf(words, skip) > sequence ? skip : words[at + OLDER]!;
  }
  return at;
}

/** The oldest version of the chain that goes on with `entry`. */
export function oldestFrom(words: Int32Array, entry: number): number {
  let at = entry;
  for (let older = words[at + OLDER]!; older !== 0; older = words[at + OLDER]!) {
    const skip = words[at + NEWER]! < 0 ? words[at + SKIP]! : 0;
    at = skip === 0 ? older : skip;
  }
  return at;
}

/** Links the first version of a key, which is a chain of its own. */
export function linkFirst(words: Int32Array, entry: number): void {
  words[entry + OLDER] = 0;
  words[entry + NEWER] = 0;
}

/** Links a version, written with LATER_WORDS, straight above `older` (0: as the oldest) in the chain that begins with `newest`. */
export function linkVersion(words: Int32Array, newest: number, older: number, entry: number): void {
  let newer = 0;
  if (older === 0) newer = oldestFrom(words, newest);
  else if (older !== newest) newer = newerThan(words, older);
  words[entry + OLDER] = older;
  words[entry + NEWER] = newer | HAS_SKIP;
  words[entry + SKIP] = skipAbove(words, older);
  words[entry + DEPTH] = older === 0 ? 0 : depthOf(words, older) + 1;
  if (older !== 0) words[older + NEWER] = (words[older + NEWER]! & HAS_SKIP) | entry;
  if (newer !== 0) words[newer + OLDER] = entry;
}

/** Skip of a version that comes straight above `older`: both jumps of it when they are equally long, or else to it. */
function skipAbove(words: Int32Array, older: number): number {
  if (older === 0 || words[older + NEWER]! >= 0) return older;
  const skip = words[older + SKIP]!;
  if (skip === 0 || words[skip + NEWER]! >= 0) return older;
  const far = words[skip + SKIP]!;
  if (far === 0) return older;
  const isEven = words[older + DEPTH]! - depthOf(words, skip) === depthOf(words, skip) - depthOf(words, far);
  return isEven ? far : older;
}

function depthOf(words: Int32Array, entry: number): number {
  return words[entry + NEWER]! < 0 ? words[entry + DEPTH]! : 0;
}
