/** What compactions of level 0 have cost: the rate at which writes can go on follows from it (adaptive/). */
import type { CompactionPlan } from '../../compaction/plan.ts';
import { bytesOf } from '../../manifest/version.ts';
import type { Counters } from '../core.ts';

/** What a compaction of level 0 takes down, and what of the levels below it writes again because it lies where that does. */
export function countMerged(counters: Counters, plan: CompactionPlan): void {
  if (plan.reason !== 'level0-files') return;
  for (const { level, files } of plan.inputs) {
    if (level === 0) counters.merged += bytesOf(files);
    else counters.rewritten += bytesOf(files);
  }
}
