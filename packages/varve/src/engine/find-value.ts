/**
 * The point read for whoever wants the value: `Tree.get`, and where that ends at a reference the value it names.
 */
import type { PointResult } from '../base/entry.ts';
import { KIND_BLOB } from '../base/kinds.ts';
import { loadValue } from './blob-values.ts';
import type { Tree } from './tree.ts';

/**
 * As `tree.get`, and a value that tables only refer to is read from its blob file: it is lent through `found` until the next read
 * of anything.
 */
export function findValue(
  tree: Tree,
  key: Uint8Array,
  sequence: number,
  found: PointResult,
  time?: number,
): boolean {
  if (!tree.get(key, 0, key.length, sequence, found, time)) return false;
  if (found.kind === KIND_BLOB) {
    loadValue(tree.viewAt(sequence, time).version, tree.tables, key, 0, key.length, found);
  }
  return true;
}
