/**
 * How full level 0 is, for back-pressure: the most files over all keyspaces, not counting what a keyspace is set to gather
 * there beyond the default.
 */
import type { Version } from '../manifest/version.ts';
import { gatheredFiles, usualLeveled } from '../options/compaction-settings.ts';
import type { Tree } from './tree.ts';

export interface FullLevel0 {
  readonly files: number;
  /** Where that is; undefined when there are no files in any level 0. */
  readonly tree: Tree | undefined;
}

/** @param failureOf why a keyspace does not compact any more, if it does not */
export function fullestLevel0(
  version: Version,
  trees: ReadonlyMap<number, Tree>,
  failureOf: (tree: Tree) => unknown,
): FullLevel0 {
  let most: FullLevel0 = { files: 0, tree: undefined };
  for (const { record, levels } of version.keyspaces.values()) {
    const tree = trees.get(record.id);
    // Waiting for a compaction that will not come would block the writers of every keyspace for good.
    if (tree !== undefined && failureOf(tree) !== undefined) continue;
    const gathers = tree === undefined ? usualLeveled.level0Files : gatheredFiles(tree.settings.compaction);
    if (gathers === undefined) continue;
    const files = (levels[0]?.length ?? 0) - Math.max(0, gathers - usualLeveled.level0Files);
    if (files > most.files) most = { files, tree };
  }
  return most;
}
