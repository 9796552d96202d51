/** Files that a strategy gives up go whole only when nobody holds a snapshot that sees them. Owner's thread. */
import { mayForgetFile, Readers } from '../../compaction/drop.ts';
import { type CompactionPlan, filesOf } from '../../compaction/plan.ts';
import type { Core } from '../core.ts';
import type { Tree } from '../tree.ts';

export function readersAllow(core: Core, tree: Tree, plan: CompactionPlan): boolean {
  if (plan.kind !== 'drop' || plan.reason === 'covered') return true;
  const { floor, registered, time } = core.history.readersFor(tree);
  const files = filesOf(plan);
  const oldest = files.reduce((least, file) => Math.min(least, file.smallestSequence), Infinity);
  const readers = new Readers(registered, floor, oldest, time);
  return files.every((file) => mayForgetFile(readers, file.smallestSequence, file.largestSequence));
}
