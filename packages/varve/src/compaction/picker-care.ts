/**
 * Defragmentation: what is worth compacting for its space alone, when the strategy of a keyspace wants nothing. Tables full of
 * deletes go down to what they delete, or are rewritten where nothing older is below; of tables with little live data the
 * newer ones that replace it are brought down to them.
 *
 * Each plan either brings something one place down or leaves a table without what it was picked for, so there is an end.
 */
import { type FileMeta, hullOf } from '../manifest/file-meta.ts';
import { filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';
import { closedGroups } from './picker-level0.ts';
import { levelShape, type LeveledSettings } from './picker-leveled.ts';
import {
  type CompactionPlan,
  type CompactionReason,
  filesOf,
  isBlocked,
  planOf,
  type RunningPlans,
} from './plan.ts';
import { brokenRule } from './plan-rules.ts';

/** What is known of the tables beside what the manifest says, and what is asked for. */
export interface CareFacts {
  /** Tables with a smaller share of live data are rewritten. */
  readonly liveRatio: number;
  /** Most files of the upper level in one plan. */
  readonly filesMax: number;
  /** Is the file old enough to be looked at? */
  isSettled(file: FileMeta): boolean;
  /** Estimated live share; undefined when nobody has looked. */
  liveOf(file: FileMeta): number | undefined;
  /** The lowest sequence that somebody reads at, Infinity for none: what is newer can not be dropped yet. */
  readonly oldestReader: number;
}

/** A table with this share of deletes is worth a compaction of its own. */
const TOMBSTONE_SHARE = 0.5;
/** So is one with this share when nothing is below: a rewrite makes all of them go. */
const SPENT_SHARE = 0.1;

export function pickCare(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
  facts: CareFacts,
): CompactionPlan | undefined {
  let best: CompactionPlan | undefined;
  for (const [level, files] of keyspace.levels.entries()) {
    for (const file of files) {
      const want = wantOf(keyspace, level, file, facts);
      if (want === undefined || want.score <= (best?.score ?? 0) || running.holds(file.number)) continue;
      const plan =
        want.reason === 'tombstones'
          ? down(keyspace, running, settings, facts, { level, file, ...want })
          : onto(keyspace, running, settings, { level, file, ...want });
      if (plan === undefined || isBlocked(plan, running)) continue;
      // The hull counts what the inputs overlap where they arrive, and a level between may hold something in it.
      if (brokenRule(keyspace, plan) !== undefined) continue;
      if (filesOf(plan).every((each) => each.largestSequence <= facts.oldestReader)) best = plan;
    }
  }
  return best;
}

interface Want {
  readonly reason: CompactionReason;
  readonly score: number;
}

interface Target extends Want {
  readonly level: number;
  readonly file: FileMeta;
}

function wantOf(
  keyspace: KeyspaceVersion,
  level: number,
  file: FileMeta,
  facts: CareFacts,
): Want | undefined {
  if (!facts.isSettled(file)) return undefined;
  const deletes = file.tombstones + file.rangeTombstones;
  if (deletes > 0) {
    const share = deletes / (file.entries + file.rangeTombstones);
    // Range tombstones say nothing of how much they hide.
    const isDense = share >= TOMBSTONE_SHARE || file.rangeTombstones > 0;
    if (isDense || (share >= SPENT_SHARE && !hasBelow(keyspace, level, file))) {
      return { reason: 'tombstones', score: Math.max(share, TOMBSTONE_SHARE) };
    }
  }
  const live = facts.liveOf(file);
  if (live === undefined || live >= facts.liveRatio) return undefined;
  return { reason: 'live-ratio', score: 1 - live };
}

function hasBelow(keyspace: KeyspaceVersion, level: number, file: FileMeta): boolean {
  return keyspace.levels.some((_, each) => each > level && filesOverlapping(keyspace, each, file).length > 0);
}

/** The file, and neighbours like it, to the next place where something older lies; else rewritten. */
function down(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
  facts: CareFacts,
  { level, file, reason, score }: Target,
): CompactionPlan | undefined {
  const { baseLevel } = levelShape(keyspace, settings);
  const upper =
    level === 0 ? groupOf(keyspace, baseLevel, file) : alike(keyspace, running, facts, level, file);
  return move(keyspace, settings, { level, upper, reason, score });
}

/** What replaces data of the file, from the deepest place above it. */
function onto(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
  { level, file, reason, score }: Target,
): CompactionPlan | undefined {
  const { baseLevel } = levelShape(keyspace, settings);
  for (let above = level - 1; above >= 0; above--) {
    const newer = filesOverlapping(keyspace, above, file);
    if (newer.length === 0) continue;
    const upper = above === 0 ? groupOf(keyspace, baseLevel, newer.at(-1)!) : newer;
    return upper.some((each) => running.holds(each.number))
      ? undefined
      : move(keyspace, settings, { level: above, upper, reason, score });
  }
  // What replaces it is in level 0 too; or versions that it replaced itself and that snapshots kept, and deletes.
  const upper = level === 0 ? groupOf(keyspace, baseLevel, file) : [file];
  return move(keyspace, settings, { level, upper, reason, score });
}

function move(
  keyspace: KeyspaceVersion,
  settings: LeveledSettings,
  { level, upper, reason, score }: Want & { readonly level: number; readonly upper: readonly FileMeta[] },
): CompactionPlan {
  const { baseLevel } = levelShape(keyspace, settings);
  const hull = hullOf(upper);
  const next = keyspace.levels.findIndex(
    (_, each) => each > level && filesOverlapping(keyspace, each, hull).length > 0,
  );
  let outputLevel = next < 0 ? level : next;
  if (outputLevel === 0) outputLevel = baseLevel;
  const depth = Math.max(1, outputLevel - baseLevel + 1);
  return planOf(keyspace, settings, { inputs: [{ level, files: upper }], outputLevel, depth, reason, score });
}

/** The closed group of level 0 that the file is of. */
function groupOf(keyspace: KeyspaceVersion, baseLevel: number, file: FileMeta): readonly FileMeta[] {
  return closedGroups(keyspace, baseLevel).find((group) => group.includes(file))!;
}

/** Neighbours of the level from the file on that are wanted for their deletes too: one job for all. */
function alike(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  facts: CareFacts,
  level: number,
  file: FileMeta,
): readonly FileMeta[] {
  const files = keyspace.levels[level]!;
  const first = files.indexOf(file);
  let end = first + 1;
  while (end < files.length && end - first < facts.filesMax) {
    const next = files[end]!;
    if (running.holds(next.number) || wantOf(keyspace, level, next, facts)?.reason !== 'tombstones') break;
    end++;
  }
  return files.slice(first, end);
}
