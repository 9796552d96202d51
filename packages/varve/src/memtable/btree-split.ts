/**
 * Growing a B+tree: room in a full leaf, from there upwards in full inner nodes, and in a new root. Part of `add`.
 *
 * The nodes that a split takes are made ready before the first change, so that nothing is left half done when memory is out.
 * A leaf is cut in the middle, or where keys that come in order leave it, so that it stays full behind them; inner nodes
 * follow.
 */
import { assert } from '../base/assert.ts';
import type { SegmentPool } from '../arena/segment-pool.ts';
import type { NodeMemory } from './node-memory.ts';
import {
  BOUND,
  CHANGES,
  CHILDREN,
  CODES,
  ENTRIES,
  HEADER_WORDS,
  INNER_MAX,
  insertSlot,
  LEAF_MAX,
  NEXT,
  PREV,
  SEPARATORS,
  SIZE,
} from './btree-node.ts';
import type { BTreeRoot } from './btree-node.ts';
import { BTreePlace, findSlot } from './btree-search.ts';
import { CODE_MAX, codeFromHead } from '../base/offset-value.ts';
import { codeAgainst } from './entry-codes.ts';
import { KEY, KEY_LENGTH } from './entry-record.ts';

/** Levels of the highest tree: with a fifth of the room used, 2^30 entries. */
const HEIGHT_MAX = 14;

/** The way down to the leaf that is being split: inner nodes from the root on, and the child taken in each. */
const pathNodes = new Int32Array(HEIGHT_MAX);
const pathChildren = new Int32Array(HEIGHT_MAX);
const place = new BTreePlace();

/** Gives a tree that has no memory its first leaf, for one entry. */
export function makeRoot(pool: SegmentPool, nodes: NodeMemory, root: BTreeRoot): void {
  nodes.prepare(1);
  const leaf = nodes.take();
  clearNode(pool.words, leaf);
  root.node = leaf;
  root.height = 1;
  root.firstLeaf = leaf;
  root.lastLeaf = leaf;
}

/**
 * Splits the full leaf that the key of `entry` leads to, before slot `cut`. The entry itself is not inserted; with `cut` at
 * the end of the leaf it bounds the new one.
 */
export function splitLeaf(
  pool: SegmentPool,
  nodes: NodeMemory,
  root: BTreeRoot,
  leaf: number,
  cut: number,
  entry: number,
  key: Uint8Array,
  start: number,
  end: number,
): void {
  const { words } = pool;
  let full = 0;
  place.code = codeFromHead(key, start, end);
  let node = root.node;
  const depth = root.height - 1;
  assert(depth < HEIGHT_MAX, 'a tree of so many levels does not fit the pool');
  for (let level = 0; level < depth; level++) {
    let child = findSlot(pool, node, SEPARATORS, key, start, end, place);
    if (place.isSameKey) {
      child++;
      place.code = 0;
    }
    pathNodes[level] = node;
    pathChildren[level] = child;
    full = words[node + SIZE]! === INNER_MAX ? full + 1 : 0;
    node = words[node + CHILDREN + child]!;
  }
  assert(node === leaf, 'a key leads to the leaf where it was placed');
  nodes.prepare(1 + full + (full === depth ? 1 : 0));

  let separator = cut === LEAF_MAX ? entry : words[leaf + ENTRIES + cut]!;
  let right = cutNode(words, nodes, leaf, ENTRIES, cut, LEAF_MAX - cut);
  // Its first key is its lower bound.
  if (cut < LEAF_MAX) words[right + CODES] = 0;
  words[right + BOUND] = words[leaf + BOUND]!;
  words[leaf + BOUND] = separator;
  words[right + CHANGES] = 0;
  const next = words[leaf + NEXT]!;
  words[right + NEXT] = next;
  words[right + PREV] = leaf;
  words[leaf + NEXT] = right;
  words[leaf + CHANGES]!++;
  if (next === 0) root.lastLeaf = right;
  else words[next + PREV] = right;

  // In order, the nodes above are cut where the key went, too.
  const isAppend = cut === LEAF_MAX;
  for (let level = depth - 1; level >= 0; level--) {
    node = pathNodes[level]!;
    const child = pathChildren[level]!;
    if (words[node + SIZE]! < INNER_MAX) {
      insertChild(pool, node, child, separator, right);
      return;
    }
    root.inners++;
    if (isAppend && child === INNER_MAX) {
      const fresh = cutNode(words, nodes, node, SEPARATORS, INNER_MAX, 0);
      words[fresh + BOUND] = separator;
      words[fresh + CHILDREN] = right;
      right = fresh;
      continue;
    }
    const middle = INNER_MAX >>> 1;
    const up = words[node + SEPARATORS + middle]!;
    const moved = INNER_MAX - middle - 1;
    const fresh = cutNode(words, nodes, node, SEPARATORS, middle + 1, moved);
    words[fresh + BOUND] = up;
    words.copyWithin(
      fresh + CHILDREN,
      node + CHILDREN + middle + 1,
      node + CHILDREN + middle + 1 + moved + 1,
    );
    words[node + SIZE] = middle;
    words[node + CODES + middle] = CODE_MAX;
    if (child <= middle) insertChild(pool, node, child, separator, right);
    else insertChild(pool, fresh, child - middle - 1, separator, right);
    separator = up;
    right = fresh;
  }
  root.inners++;
  const top = nodes.take();
  clearNode(words, top);
  words[top + CHILDREN] = root.node;
  insertChild(pool, top, 0, separator, right);
  root.node = top;
  root.height++;
}

/** Moves the `moved` slots from `cut` on to a new node. */
function cutNode(
  words: Int32Array,
  nodes: NodeMemory,
  node: number,
  slots: number,
  cut: number,
  moved: number,
): number {
  const right = nodes.take();
  words[right + SIZE] = moved;
  words.copyWithin(right + CODES, node + CODES + cut, node + CODES + cut + moved + 1);
  words.copyWithin(right + slots, node + slots + cut, node + slots + cut + moved);
  words[node + SIZE] = cut;
  words[node + CODES + cut] = CODE_MAX;
  return right;
}

/** Puts `right` behind a child, with the separator between them. The node has room. */
function insertChild(pool: SegmentPool, node: number, child: number, separator: number, right: number): void {
  const { words } = pool;
  const size = words[node + SIZE]!;
  for (let i = node + CHILDREN + size; i > node + CHILDREN + child; i--) words[i + 1] = words[i]!;
  words[node + CHILDREN + child + 1] = right;
  const before = child === 0 ? words[node + BOUND]! : words[node + SEPARATORS + child - 1]!;
  const from = 4 * (separator + KEY);
  const code =
    before === 0
      ? codeFromHead(pool.bytes, from, from + words[separator + KEY_LENGTH]!)
      : codeAgainst(pool, before, separator);
  insertSlot(pool, node, SEPARATORS, child, separator, code);
}

function clearNode(words: Int32Array, node: number): void {
  words.fill(0, node, node + HEADER_WORDS);
  words[node + CODES] = CODE_MAX;
}
