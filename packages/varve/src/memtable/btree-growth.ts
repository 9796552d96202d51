/**
 * How many nodes a number of adds can take from a B+tree at most: what a reservation has to make ready.
 *
 * A leaf that is cut in the middle, or left full behind keys in order, takes 29 adds or more until it is full again, and may
 * then be cut twice (in order, later in the middle): at most one cut in 8 adds, beside one for each leaf that is full now and
 * one for where the last add went. Inner nodes are cut by cuts below them in the same way (19 for two).
 */
import { INNER_MAX, LEAF_MAX, SIZE } from './btree-node.ts';
import type { BTreeRoot } from './btree-node.ts';

/** `nodes`: how many the tree has. */
export function nodesForAdds(words: Int32Array, root: BTreeRoot, nodes: number, ops: number): number {
  if (root.node === 0 && ops <= LEAF_MAX) return 1;
  const top = root.node === 0 ? 0 : words[root.node + SIZE]!;
  if (root.height === 1 && top + ops <= LEAF_MAX) return 0;
  let cuts = Math.min(ops, nodes - root.inners + 1 + (ops >>> 3));
  let wanted = cuts + (root.node === 0 ? 1 : 0);
  for (let level = 2; level <= root.height; level++) {
    if (level === root.height && top + cuts <= INNER_MAX) return wanted;
    cuts = Math.min(cuts, root.inners + 1 + (cuts >>> 3));
    wanted += cuts;
  }
  // New roots, and their cuts.
  while (cuts > 0) {
    cuts >>>= 3;
    wanted += 1 + cuts;
  }
  return wanted;
}
