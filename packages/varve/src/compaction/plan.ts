/**
 * A compaction plan: which files become which level, as data. Pickers make plans, the engine runs them (a move and a drop are
 * only edits, a merge is a compaction job) and installs the edit that `editOf` gives.
 *
 * The rule that every plan keeps: of two versions of a key the newer is in a newer place (level 0 newest first, then level
 * by level). With "at a key" counting range tombstones by their bounds as well, a plan is safe because
 *  (1) what stays in level 0 and overlaps an input of level 0 is newer than it: nothing older stays above what sinks. When the
 *      outputs stay in level 0, what overlaps their hull there has only higher sequences than all inputs, or only lower ones:
 *      level 0 is ordered by sequences;
 *  (2) every file between the first input level and the output level that overlaps the hull of the inputs above it is an
 *      input, and so is every file of the output level that overlaps the hull of all: the inputs sink past nothing, and the
 *      outputs overlap nothing where they arrive;
 *  (3) no input is below the output level;
 *  (4) plans that run at the same time share no file, and no key at a level that both read or write (running-set.ts).
 * By (4) no file comes into the range of a plan at or below its output level while it runs, only newer ones into level 0:
 * `below` stays true. `brokenRule` (plan-rules.ts) checks (1) to (3) where a plan is not made by a picker of ours.
 */
import { compareBytes } from '../base/bytes.ts';
import { endsBefore, type FileMeta, hullOf, type KeySpan, spansOverlap } from '../manifest/file-meta.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import { bytesOf, filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';

/** Files of one level, in the order of that level. */
export interface LevelFiles {
  readonly level: number;
  readonly files: readonly FileMeta[];
}

export type CompactionReason =
  | 'level0-files'
  | 'level-size'
  | 'run-count'
  | 'run-size'
  | 'space'
  | 'blob-space'
  | 'tombstones'
  | 'expired'
  | 'live-ratio'
  | 'covered'
  | 'bytes'
  | 'age'
  | 'window'
  | 'custom'
  | 'manual';

export interface CompactionPlan {
  /** `move`: the files go to the output level as they are. `merge`: they are rewritten. `drop`: they go for good. */
  readonly kind: 'merge' | 'move' | 'drop';
  readonly reason: CompactionReason;
  /** How urgent: 1 is due. 0 for manual compactions. */
  readonly score: number;
  /** Ascending by level; no list is empty. */
  readonly inputs: readonly LevelFiles[];
  readonly outputLevel: number;
  /** Which entry of by-level settings (filter, compression) the outputs take: 1 for the level below level 0, and so on. */
  readonly depth: number;
  /** Outputs are cut at this size. */
  readonly tableBytesMax: number;
  /** The smallest range that holds all inputs. */
  readonly span: KeySpan;
  /** Files of the level after the output level that overlap the range. */
  readonly grandparents: readonly FileMeta[];
  /** Files in older places than the outputs that overlap the range: they may hold older versions. */
  readonly below: readonly FileMeta[];
}

/** What a running plan keeps others away from. */
export type Occupied = Pick<CompactionPlan, 'kind' | 'inputs' | 'outputLevel' | 'span'>;

/** What pickers ask about the plans that are running. */
export interface RunningPlans {
  /** Is the file an input of a running plan? */
  holds(file: number): boolean;
  /** Does a running plan share a level and a key with this one, other than one stacked above the other in level 0? */
  collides(plan: Occupied): boolean;
  /** Does a plan that moves data begin at `level` or above it, and share a key with `span`? */
  beginsAbove(level: number, span: KeySpan): boolean;
}

/** Sizes that a plan depends on. */
export interface TableSizes {
  /** Size of tables at a depth below level 0, counted from 1. */
  tableBytes(depth: number): number;
}

/** A move is refused when the files would overlap more than this many tables' worth of the level after. */
const GRANDPARENT_TABLES_MAX = 10;
/** A file with this share of tombstones, or with any range tombstone, is worth rewriting where they can go. */
const SPENT_SHARE = 0.1;

/** What a picker chooses; the rest of a plan follows from it. */
export interface PlanChoice {
  /** Ascending by level, no list empty. Those of the output level that the others overlap are added. */
  readonly inputs: readonly LevelFiles[];
  readonly outputLevel: number;
  readonly depth: number;
  readonly reason: CompactionReason;
  readonly score: number;
  /** Outputs are cut at this size; left out: the size of tables at `depth`. */
  readonly tableBytesMax?: number;
}

/** The plan of a choice, for which the caller vouches that it keeps the rules above up to the level before the output level. */
export function planOf(keyspace: KeyspaceVersion, sizes: TableSizes, choice: PlanChoice): CompactionPlan {
  const { outputLevel, depth, reason, score } = choice;
  const chosen = choice.inputs.flatMap(({ files }) => files);
  const first = choice.inputs[0]!;
  const last = choice.inputs.at(-1)!;
  const upper = last.level === outputLevel && last !== first ? choice.inputs.slice(0, -1) : choice.inputs;
  const reachesDown = first.level < outputLevel;
  const lower = reachesDown ? filesOverlapping(keyspace, outputLevel, hullOf(chosen)) : [];
  const inputs = reachesDown
    ? [...upper, ...(lower.length > 0 ? [{ level: outputLevel, files: lower }] : [])]
    : choice.inputs;
  const span = hullOf([...chosen, ...lower]);
  const deeper = keyspace.levels.map((_, each) =>
    each > outputLevel ? filesOverlapping(keyspace, each, span) : [],
  );
  const older = outputLevel === 0 ? olderFiles(keyspace, first.files, span) : [];
  const grandparents = outputLevel === 0 ? [] : (deeper[outputLevel + 1] ?? []);
  const below = [...older, ...deeper.flat()];
  const tableBytesMax = choice.tableBytesMax ?? sizes.tableBytes(depth);
  const fits = bytesOf(grandparents) <= GRANDPARENT_TABLES_MAX * tableBytesMax * chosen.length;
  // Tombstones that nothing older is below of are dropped by a rewrite; a move would keep them for good.
  const isSpent = below.length === 0 && chosen.some(hasManyTombstones);
  const isMove = reachesDown && lower.length === 0 && !isSpent && fits && areDisjoint(chosen);
  const kind = isMove ? 'move' : 'merge';
  return { kind, reason, score, inputs, outputLevel, depth, tableBytesMax, span, grandparents, below };
}

/** The plan by which files go without being read: all that is in them may be dropped (drop.ts). */
export function dropPlan(inputs: readonly LevelFiles[], reason: CompactionReason): CompactionPlan {
  const { level } = inputs.at(-1)!;
  const span = hullOf(inputs.flatMap(({ files }) => files));
  const nothing = { grandparents: [], below: [], tableBytesMax: 0, depth: 1 };
  return { kind: 'drop', reason, score: 1, inputs, outputLevel: level, span, ...nothing };
}

/** Files of level 0 that are older than `inputs`, which are the newest of a row of files there, and overlap the span. */
function olderFiles(
  keyspace: KeyspaceVersion,
  inputs: readonly FileMeta[],
  span: KeySpan,
): readonly FileMeta[] {
  const oldest = Math.max(...inputs.map((file) => keyspace.levels[0]!.indexOf(file)));
  return keyspace.levels[0]!.slice(oldest + 1).filter((file) => spansOverlap(file, span));
}

/** Do no two of the files share a key? */
function areDisjoint(files: readonly FileMeta[]): boolean {
  const sorted = files.toSorted((a, b) => compareBytes(a.smallestKey, b.smallestKey));
  return sorted.every((file, i) => i === 0 || endsBefore(sorted[i - 1]!, file.smallestKey));
}

function hasManyTombstones({ entries, tombstones, rangeTombstones }: FileMeta): boolean {
  return rangeTombstones > 0 || (tombstones > 0 && tombstones >= SPENT_SHARE * entries);
}

/** All inputs of a plan. */
export function filesOf({ inputs }: Pick<CompactionPlan, 'inputs'>): readonly FileMeta[] {
  return inputs.flatMap(({ files }) => files);
}

/** Would the plan collide with one that runs? */
export function isBlocked(plan: Occupied, running: RunningPlans): boolean {
  if (running.collides(plan)) return true;
  return plan.inputs.some(({ files }) => files.some((file) => running.holds(file.number)));
}

/**
 * What finishing the plan does to the version.
 *
 * @param outputs the new tables of a merge; left out for a move
 */
export function editOf(
  keyspace: number,
  plan: CompactionPlan,
  outputs: readonly FileMeta[] = [],
): Required<Pick<VersionEdit, 'removedFiles' | 'addedFiles'>> {
  const added = plan.kind === 'move' ? filesOf(plan) : outputs;
  return {
    removedFiles: plan.inputs.flatMap(({ level, files }) =>
      files.map((file) => ({ keyspace, level, number: file.number })),
    ),
    addedFiles: added.map((file) => ({ keyspace, level: plan.outputLevel, file })),
  };
}
