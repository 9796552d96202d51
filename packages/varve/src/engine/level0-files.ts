/**
 * How full level 0 is, for back-pressure: the most files over all keyspaces, not counting what a keyspace is set to gather
 * there beyond the default. And how many of them wait, that is, no running compaction takes them away: while one runs, what
 * it takes is still there, and what comes meanwhile is what the next one will have to take. Keyspaces that nobody has named
 * since the open do not count: nothing compacts them, and how many files they may gather is not known.
 */
import type { KeyspaceVersion, Version } from '../manifest/version.ts';
import { gatheredFiles, usualLeveled } from '../options/compaction-settings.ts';
import type { Tree } from './tree.ts';

export interface FullLevel0 {
  readonly files: number;
  readonly waiting: number;
  /** Where most wait; undefined when there are none in any level 0. */
  readonly tree: Tree | undefined;
}

export const emptyLevel0: FullLevel0 = { files: 0, waiting: 0, tree: undefined };

export interface Compacting {
  /** Why a keyspace does not compact any more, if it does not. */
  failureOf(tree: Tree): unknown;
  runningOf(tree: Tree): { readonly size: number; holds(file: number): boolean };
}

export function fullestLevel0(
  version: Version,
  trees: ReadonlyMap<number, Tree>,
  compacting: Compacting,
): FullLevel0 {
  let { files: most, waiting: mostWaiting, tree: fullest } = emptyLevel0;
  for (const { record, levels } of version.keyspaces.values()) {
    const tree = trees.get(record.id);
    // Waiting for a compaction that will not come would block the writers of every keyspace for good.
    if (tree?.isNamed !== true || compacting.failureOf(tree) !== undefined) continue;
    const gathers = gatheredFiles(tree.settings.compaction);
    if (gathers === undefined) continue;
    const beyond = Math.max(0, gathers - usualLeveled.level0Files);
    const level0 = levels[0] ?? [];
    most = Math.max(most, level0.length - beyond);
    const waiting = level0.length - beyond - takenOf(level0, tree, compacting);
    if (waiting > mostWaiting) [mostWaiting, fullest] = [waiting, tree];
  }
  return { files: most, waiting: mostWaiting, tree: fullest };
}

/** Files that a running compaction takes away. */
function takenOf(level0: KeyspaceVersion['levels'][number], tree: Tree, compacting: Compacting): number {
  const running = compacting.runningOf(tree);
  return running.size === 0 ? 0 : level0.filter(({ number }) => running.holds(number)).length;
}
