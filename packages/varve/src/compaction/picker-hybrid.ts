/**
 * Hybrid compaction: tiered in level 0, leveled below. Files of level 0 are merged with each other into larger ones of level
 * 0 until they hold `level0Bytes` together, and only then go down: the base level is rewritten once for that much data
 * instead of once for every few flushes. Deeper levels are those of leveled compaction, so space is as small there.
 */
import { bytesOf, type KeyspaceVersion } from '../manifest/version.ts';
import { type LeveledSettings, pickFromLevel0, pickLeveled } from './picker-leveled.ts';
import { byLevel, LEVEL0_TABLE_BYTES, ofSize, runsOfLevel0 } from './picker-tiered.ts';
import { type CompactionPlan, isBlocked, planOf, type RunningPlans } from './plan.ts';

export interface HybridSettings extends LeveledSettings {
  readonly level0Bytes: number;
}

export function pickHybrid(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: HybridSettings,
): CompactionPlan | undefined {
  const level0 = keyspace.levels[0]!;
  const bytes = bytesOf(level0.filter((file) => !running.holds(file.number)));
  const down = bytes / settings.level0Bytes;
  if (down >= 1) {
    const plan = pickFromLevel0(keyspace, running, settings, down);
    if (plan !== undefined) return plan;
  }
  return (
    pickWithinLevel0(keyspace, running, settings) ??
    pickLeveled({ ...keyspace, levels: [[], ...keyspace.levels.slice(1)] }, running, settings)
  );
}

/** Files of like size become one. */
function pickWithinLevel0(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
): CompactionPlan | undefined {
  const runs = runsOfLevel0(keyspace.levels[0]!);
  const busy = runs.findIndex(({ files }) => files.some((file) => running.holds(file.number)));
  const free = busy < 0 ? runs.length : busy;
  if (free < Math.max(2, settings.level0Files)) return undefined;
  const { first, count } = ofSize(runs, free) ?? { first: 0, count: 2 };
  const plan = planOf(keyspace, settings, {
    inputs: byLevel(runs.slice(first, first + count)),
    outputLevel: 0,
    depth: 0,
    reason: 'run-size',
    score: free / settings.level0Files,
    tableBytesMax: LEVEL0_TABLE_BYTES,
  });
  return isBlocked(plan, running) ? undefined : plan;
}
