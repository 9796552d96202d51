/**
 * A compaction plan: which files become which level, as data. Pickers make plans, the engine runs them (a move is only an
 * edit, a merge is a compaction job) and installs the edit that `editOf` gives.
 *
 * The rule that every plan keeps: of two versions of a key the newer is in a newer place (level 0 newest first, then level
 * by level). With "at a key" counting range tombstones by their bounds as well, a plan is safe because
 *  (1) the inputs of level 0 are closed: every level 0 file that overlaps an input is an input, so nothing older stays above;
 *  (2) between the level of the upper inputs and the output level there are no other files of the range;
 *  (3) every file of the output level that overlaps the upper inputs is an input, so outputs overlap nothing there;
 *  (4) plans that run at the same time share no file, and no key at a level that both read or write (running-set.ts).
 * By (4) no file comes into the range of a plan at or below its output level while it runs: `below` stays true.
 */
import { type FileMeta, hullOf, type KeySpan } from '../manifest/file-meta.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import { bytesOf, filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';

/** Files of one level, in the order of that level. */
export interface LevelFiles {
  readonly level: number;
  readonly files: readonly FileMeta[];
}

export type CompactionReason = 'level0-files' | 'level-size' | 'manual';

export interface CompactionPlan {
  /** `move`: the files go to the output level as they are. `merge`: they are rewritten. */
  readonly kind: 'merge' | 'move';
  readonly reason: CompactionReason;
  /** How urgent: 1 is due. 0 for manual compactions. */
  readonly score: number;
  /** The upper level first; no list is empty. */
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
  /** Files of all levels after the output level that overlap the range: they may hold older versions. */
  readonly below: readonly FileMeta[];
}

/** What a running plan keeps others away from. */
export type Occupied = Pick<CompactionPlan, 'inputs' | 'outputLevel' | 'span'>;

/** What pickers ask about the plans that are running. */
export interface RunningPlans {
  /** Is the file an input of a running plan? */
  holds(file: number): boolean;
  /** Does a running plan share a level in [first, last] and a key with `span`? */
  conflicts(first: number, last: number, span: KeySpan): boolean;
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

/**
 * The plan that takes `upper` from `level`, with the files of the output level that they overlap. The caller vouches for
 * (1) and (2) above.
 */
export function planOf(
  keyspace: KeyspaceVersion,
  sizes: TableSizes,
  choice: {
    readonly level: number;
    readonly upper: readonly FileMeta[];
    readonly outputLevel: number;
    readonly depth: number;
    readonly reason: CompactionReason;
    readonly score: number;
  },
): CompactionPlan {
  const { level, upper, outputLevel, depth, reason, score } = choice;
  const lower = outputLevel === level ? [] : filesOverlapping(keyspace, outputLevel, hullOf(upper));
  const span = hullOf([...upper, ...lower]);
  const deeper = keyspace.levels.map((_, each) =>
    each > outputLevel ? filesOverlapping(keyspace, each, span) : [],
  );
  const grandparents = deeper[outputLevel + 1] ?? [];
  const below = deeper.flat();
  const tableBytesMax = sizes.tableBytes(depth);
  const fits = bytesOf(grandparents) <= GRANDPARENT_TABLES_MAX * tableBytesMax * upper.length;
  // Tombstones that nothing older is below of are dropped by a rewrite; a move would keep them for good.
  const isSpent = below.length === 0 && upper.some(hasManyTombstones);
  const isDisjoint = level > 0 || upper.length === 1;
  const isMove = outputLevel !== level && lower.length === 0 && isDisjoint && fits && !isSpent;
  const inputs = [{ level, files: upper }];
  if (lower.length > 0) inputs.push({ level: outputLevel, files: lower });
  const kind = isMove ? 'move' : 'merge';
  return { kind, reason, score, inputs, outputLevel, depth, tableBytesMax, span, grandparents, below };
}

function hasManyTombstones({ entries, tombstones, rangeTombstones }: FileMeta): boolean {
  return rangeTombstones > 0 || (tombstones > 0 && tombstones >= SPENT_SHARE * entries);
}

/** Would the plan collide with one that runs? */
export function isBlocked(plan: Occupied, running: RunningPlans): boolean {
  if (running.conflicts(plan.inputs[0]!.level, plan.outputLevel, plan.span)) return true;
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
  const added = plan.kind === 'move' ? plan.inputs.flatMap(({ files }) => files) : outputs;
  return {
    removedFiles: plan.inputs.flatMap(({ level, files }) =>
      files.map((file) => ({ keyspace, level, number: file.number })),
    ),
    addedFiles: added.map((file) => ({ keyspace, level: plan.outputLevel, file })),
  };
}
