/**
 * Size-tiered compaction (RocksDB calls it universal): a keyspace is a row of sorted runs, newest first, each flush in level 0
 * and each deeper level being one, and runs of like size are merged into a larger one. An entry is rewritten once for each
 * doubling or so of the data instead of ten times a level; what it costs is space and runs to read.
 *
 * Due are, in this order:
 *  space      all runs, when what lies above the oldest run is more than `spaceAmplificationMax` - 1 times as large as it
 *  run-size   with `runs` runs or more: from the newest on, as long as the next run is at most as large as those before
 *             together, plus a tenth
 *  run-count  else the newest ones, as many as bring the number below `runs`
 *
 * Only neighbours are merged, so that a newer version never sinks below an older one. The result goes as deep as it can:
 * to the level above the next older run, to level 0 when that is there itself, to the deepest level when there is none.
 */
import type { FileMeta } from '../manifest/file-meta.ts';
import { bytesOf, type KeyspaceVersion } from '../manifest/version.ts';
import {
  type CompactionPlan,
  type CompactionReason,
  isBlocked,
  type LevelFiles,
  planOf,
  type RunningPlans,
  type TableSizes,
} from './plan.ts';

export interface TieredSettings extends TableSizes {
  /** Sorted runs at which merging starts. */
  readonly runs: number;
  /** Bytes of all runs over those of the oldest one at which all are merged. */
  readonly spaceAmplificationMax: number;
}

/** One sorted run: what one flush or one merge wrote to level 0, mostly one file, or a deeper level. */
export interface Run {
  readonly level: number;
  readonly files: readonly FileMeta[];
  readonly bytes: number;
}

/** A run may be a tenth larger than all newer ones together and still counts as of their size. */
const SIZE_SLACK = 1.1;
/** The rule of space does not count for data that is smaller. */
const SPACE_BYTES_MIN = 64 * 1024 * 1024;
/** A merge inside level 0 makes one file, as a flush does. */
export const LEVEL0_TABLE_BYTES: number = 1024 ** 3;

/** Newest first. */
export function runsOf({ levels }: KeyspaceVersion): Run[] {
  const runs = runsOfLevel0(levels[0]!);
  for (let level = 1; level < levels.length; level++) {
    const files = levels[level]!;
    if (files.length > 0) runs.push({ level, files, bytes: bytesOf(files) });
  }
  return runs;
}

/**
 * Files of level 0 whose sequences lie between each other's were written together: merging one of them with older files and
 * leaving the other would leave no order between the result and that one (rule 1 of plan.ts).
 */
export function runsOfLevel0(files: readonly FileMeta[]): Run[] {
  const runs: Run[] = [];
  let first = 0;
  for (let at = 0; at < files.length; at++) {
    const oldest = Math.min(...files.slice(first, at + 1).map((file) => file.smallestSequence));
    const next = files[at + 1];
    if (next !== undefined && next.largestSequence >= oldest) continue;
    const group = files.slice(first, at + 1);
    runs.push({ level: 0, files: group, bytes: bytesOf(group) });
    first = at + 1;
  }
  return runs;
}

export function pickTiered(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: TieredSettings,
): CompactionPlan | undefined {
  const runs = runsOf(keyspace);
  const busy = runs.findIndex(({ files }) => files.some((file) => running.holds(file.number)));
  const free = busy < 0 ? runs.length : busy;
  if (free < 2) return undefined;
  const choice =
    (free === runs.length ? ofSpace(runs, settings) : undefined) ??
    (runs.length >= settings.runs ? (ofSize(runs, free) ?? ofCount(runs, free, settings)) : undefined);
  if (choice === undefined) return undefined;
  const { first, count, reason } = choice;
  const outputLevel = outputLevelOf(keyspace, runs[first + count]);
  const score = reason === 'space' ? choice.score : runs.length / settings.runs;
  const plan = planOf(keyspace, settings, {
    inputs: byLevel(runs.slice(first, first + count)),
    outputLevel,
    depth: outputLevel,
    reason,
    score,
    ...(outputLevel === 0 && { tableBytesMax: LEVEL0_TABLE_BYTES }),
  });
  return isBlocked(plan, running) ? undefined : plan;
}

interface Choice {
  readonly first: number;
  readonly count: number;
  readonly reason: CompactionReason;
  readonly score: number;
}

function ofSpace(runs: readonly Run[], { spaceAmplificationMax }: TieredSettings): Choice | undefined {
  const oldest = runs.at(-1)!.bytes;
  const above = runs.reduce((sum, run) => sum + run.bytes, -oldest);
  const score = above / (Math.max(oldest, SPACE_BYTES_MIN) * (spaceAmplificationMax - 1));
  return score < 1 ? undefined : { first: 0, count: runs.length, reason: 'space', score };
}

/** The row of runs of like size with the newest first run; of the `free` newest ones. */
export function ofSize(runs: readonly Run[], free: number): Choice | undefined {
  for (let first = 0; first < free - 1; first++) {
    let bytes = runs[first]!.bytes;
    let count = 1;
    while (first + count < free && runs[first + count]!.bytes <= bytes * SIZE_SLACK) {
      bytes += runs[first + count]!.bytes;
      count++;
    }
    if (count > 1) return { first, count, reason: 'run-size', score: 1 };
  }
  return undefined;
}

function ofCount(runs: readonly Run[], free: number, settings: TieredSettings): Choice | undefined {
  const count = Math.min(free, runs.length - settings.runs + 2);
  return count < 2 ? undefined : { first: 0, count, reason: 'run-count', score: 1 };
}

/** As deep as the next older run allows. */
function outputLevelOf({ levels }: KeyspaceVersion, nextOlder: Run | undefined): number {
  return nextOlder === undefined ? levels.length - 1 : Math.max(0, nextOlder.level - 1);
}

/** The files of neighbouring runs as inputs of a plan. */
export function byLevel(runs: readonly Run[]): LevelFiles[] {
  const inputs: { level: number; files: FileMeta[] }[] = [];
  for (const { level, files } of runs) {
    const last = inputs.at(-1);
    if (last?.level === level) last.files.push(...files);
    else inputs.push({ level, files: [...files] });
  }
  return inputs;
}
