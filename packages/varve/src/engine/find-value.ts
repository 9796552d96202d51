/**
 * The point read for whoever wants the value: `Tree.get`, and where that ends at a reference or at operands the value behind them.
 */
import type { PointResult } from '../base/entry.ts';
import { KIND_BLOB, KIND_MERGE, KIND_PUT } from '../base/kinds.ts';
import { loadValue } from './blob-values.ts';
import { loadMerged } from './merging/merged-value.ts';
import type { Tree } from './tree.ts';

/**
 * As `tree.get`, and a value that tables only refer to is read from its blob file, one with operands is merged: it is lent
 * through `found` until the next read of anything.
 */
export function findValue(
  tree: Tree,
  key: Uint8Array,
  sequence: number,
  found: PointResult,
  time?: number,
): boolean {
  if (!tree.get(key, 0, key.length, sequence, found, time)) return false;
  if (found.kind === KIND_PUT) return true;
  if (found.kind === KIND_BLOB) {
    loadValue(tree.viewAt(sequence, time).version, tree.tables, key, 0, key.length, found);
  } else if (found.kind === KIND_MERGE) loadMerged(tree, key, sequence, time, found);
  return true;
}
