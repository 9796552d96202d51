/**
 * What the rest of the engine sees of the care for space (care.ts): the plans that it would make, what is known of live data,
 * and what was given back.
 */
import type { LiveEstimate } from '../../compaction/live-sample-job.ts';
import type { JobOutput } from '../../compaction/job.ts';
import type { CareFacts } from '../../compaction/picker-care.ts';
import type { CompactionPlan } from '../../compaction/plan.ts';
import type { RunningSet } from '../../compaction/running-set.ts';
import type { FileMeta } from '../../manifest/file-meta.ts';
import type { ReclaimedStats } from '../compaction-types.ts';
import type { Tree } from '../tree.ts';

/** A table that may have less live data than is wanted. */
export interface Suspect {
  readonly tree: Tree;
  readonly file: FileMeta;
  readonly newer: readonly FileMeta[];
  readonly newerEntries: number;
}

export interface LiveKnowledge {
  /** The last estimate; undefined when nobody has looked since the open. */
  of(file: FileMeta): LiveEstimate | undefined;
  /** Tables whose live share may be below `liveRatio` and was not looked at since, the most suspicious first. */
  suspects(tree: Tree, liveRatio: number, isSettled: (file: FileMeta) => boolean): Suspect[];
  /** Looks at a table in a worker thread; resolves when it is known, or could not be. */
  sample(suspect: Suspect): Promise<void>;
}

/** What a look for tables to rewrite goes by. */
export type CareWish = Pick<CareFacts, 'liveRatio' | 'filesMax' | 'isSettled'>;

export interface SpaceCare {
  readonly live: LiveKnowledge;
  readonly reclaimed: ReclaimedStats;
  /** What care would do for a keyspace by the settings of the database. */
  pick(tree: Tree, running: RunningSet): CompactionPlan | undefined;
  /** The same by other wishes. */
  pickBy(tree: Tree, running: RunningSet, wish: CareWish): CompactionPlan | undefined;
  /** Tables of which enough has expired to be worth it. */
  pickExpired(tree: Tree, running: RunningSet): CompactionPlan | undefined;
  /** Tables that a range tombstone covers wholly. */
  pickCovered(tree: Tree, running: RunningSet): CompactionPlan | undefined;
  /** A compaction was installed; `output` of a merge. */
  installed(tree: Tree, plan: CompactionPlan, output: JobOutput | undefined): void;
}
