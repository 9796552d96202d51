/**
 * Manual compaction: what the user asked to be compacted now, one plan at a time. The engine asks level by level from 0
 * down, again and again until a level has `nothing` left in the range, and waits and asks again when the level is `busy`.
 *
 * Files of the deepest level are rewritten where they are, which drops what nobody reads any more; there the engine goes on
 * behind the range of the last plan. One plan takes at most about 25 tables of the upper level, so that a large range is
 * many jobs.
 */
import { successor } from '../base/bytes.ts';
import { type FileMeta, type KeySpan, spansOverlap } from '../manifest/file-meta.ts';
import { bytesOf, filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';
import { closedGroups } from './picker-level0.ts';
import { levelShape, type LeveledSettings } from './picker-leveled.ts';
import { type CompactionPlan, isBlocked, planOf, type RunningPlans } from './plan.ts';

/** What to compact: keys in [from, to) of one level. */
export interface ManualRange {
  readonly level: number;
  readonly from: Uint8Array;
  /** Undefined: to the end. */
  readonly to: Uint8Array | undefined;
  /** Files of the deepest level from this number on are as they should be and stay; 0 or left out: none is. */
  readonly freshFrom?: number;
}

const UPPER_TABLES_MAX = 25;

/** The next plan; `nothing` when the level has no file in the range, `busy` when running plans are in the way of all. */
export function pickManual(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
  { level, from, to, freshFrom = 0 }: ManualRange,
): CompactionPlan | 'nothing' | 'busy' {
  const span: KeySpan = { smallestKey: from, largestKey: to, largestExclusive: true };
  const files = filesOverlapping(keyspace, level, span);
  const deepest = keyspace.levels.length - 1;
  const stays = ({ number }: FileMeta): boolean => level === deepest && freshFrom > 0 && number >= freshFrom;
  if (files.every(stays)) return 'nothing';
  const { baseLevel } = levelShape(keyspace, settings);
  const outputLevel = level === 0 ? baseLevel : Math.min(level + 1, deepest);
  const depth = Math.max(1, outputLevel - baseLevel + 1);
  const make = (upper: readonly FileMeta[]): CompactionPlan | undefined => {
    const plan = planOf(keyspace, settings, {
      inputs: [{ level, files: upper }],
      outputLevel,
      depth,
      reason: 'manual',
      score: 0,
    });
    return isBlocked(plan, running) ? undefined : plan;
  };
  if (level === 0) {
    const groups = closedGroups(keyspace, baseLevel).filter((group) =>
      group.some((file) => spansOverlap(file, span)),
    );
    for (const group of groups) {
      const plan = make(group);
      if (plan !== undefined) return plan;
    }
    return 'busy';
  }
  const first = files.findIndex((file) => !stays(file) && make([file]) !== undefined);
  if (first < 0) return 'busy';
  const end = files.findIndex((file, at) => at > first && stays(file));
  const old = end < 0 ? files : files.slice(0, end);
  return make(longestRun(old, first, UPPER_TABLES_MAX * settings.tableBytes(depth), make))!;
}

/** Where a manual compaction of the deepest level goes on after `plan`; undefined when it was the last. */
export function resumeAfter({ span }: CompactionPlan): Uint8Array | undefined {
  const { largestKey, largestExclusive } = span;
  if (largestKey === undefined || largestExclusive) return largestKey;
  return successor(largestKey);
}

/** The files from `first` on that one plan can take. */
function longestRun(
  files: readonly FileMeta[],
  first: number,
  bytesMax: number,
  make: (upper: readonly FileMeta[]) => CompactionPlan | undefined,
): readonly FileMeta[] {
  let end = first + 1;
  while (end < files.length && bytesOf(files.slice(first, end + 1)) <= bytesMax) {
    // Files that were free one by one may have something running between them.
    if (make(files.slice(first, end + 1)) === undefined) break;
    end++;
  }
  return files.slice(first, end);
}
