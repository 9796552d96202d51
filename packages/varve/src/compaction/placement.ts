/**
 * Where a table goes that is newer than everything at its keys: as deep as nothing older lies above it, so that it is not
 * compacted down through levels that it has no business in. Pure; asked under the write lock, when the table gets its sequence.
 *
 * What keeps the rule of plan.ts (of two versions of a key the newer is in a newer place): no file of the level or above
 * overlaps the table, and no plan that runs on its keys begins at the level or above. Such a plan could move something older
 * to above the table, or into its level, and counts on nothing coming to below it. Level 0 is always right: the table is the
 * newest there.
 */
import type { KeySpan } from '../manifest/file-meta.ts';
import { filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';
import type { RunningPlans } from './plan.ts';

/** The level for a table over `span` that holds what was written last. */
export function deepestLevelFor(keyspace: KeyspaceVersion, running: RunningPlans, span: KeySpan): number {
  const { levels } = keyspace;
  const occupied = levels.findIndex((_, level) => filesOverlapping(keyspace, level, span).length > 0);
  let level = (occupied < 0 ? levels.length : occupied) - 1;
  while (level > 0 && running.beginsAbove(level, span)) level--;
  return Math.max(0, level);
}
