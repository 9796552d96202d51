/**
 * The last decisions about compactions with their reasons, newest first, for whoever looks at the tree (db.levels()).
 */
import { type CompactionPlan, filesOf } from '../../compaction/plan.ts';
import type { PlanMeasure } from '../../compaction/measure.ts';
import { bytesOf } from '../../manifest/version.ts';
import type { DecisionReport } from '../compaction-types.ts';

/** How many are remembered. */
const REMEMBERED = 50;

export interface Decision {
  readonly keyspace: string;
  readonly plan: CompactionPlan;
  readonly measure?: PlanMeasure | undefined;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export class Decisions {
  readonly #list: Decision[] = [];

  add(decision: Decision): void {
    this.#list.unshift(decision);
    if (this.#list.length > REMEMBERED) this.#list.pop();
  }

  /** The decision for a plan; undefined when it is too long ago. */
  of(plan: CompactionPlan): Decision | undefined {
    return this.#list.find((decision) => decision.plan === plan);
  }

  reports(): DecisionReport[] {
    return this.#list.map(reportOf);
  }
}

export function reportOf({ keyspace, plan, measure, time }: Decision): DecisionReport {
  const files = filesOf(plan);
  return {
    time,
    keyspace,
    kind: plan.kind,
    reason: plan.reason,
    score: plan.score,
    ...(measure !== undefined && { measure }),
    fromLevel: plan.inputs[0]!.level,
    toLevel: plan.outputLevel,
    files: files.length,
    bytes: bytesOf(files),
  };
}
