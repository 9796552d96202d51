/**
 * The plans of one keyspace that are running: their files, levels and key ranges. Pickers ask it, so that several
 * compactions run at once without meeting. A plan counts from the moment it is picked until its edit is installed or given
 * up. Owner's thread.
 *
 * Two plans may overlap in keys when they share no level: a plan only moves data between its first and its output level, so
 * one that works above another never changes what that one sees. A plan into level 5 and one out of level 6 can run
 * together, one into level 5 and one out of level 5 only on disjoint keys. Of level 0 they may share keys when one of them
 * stays there with newer files: what it writes is still above what the other takes away.
 */
import { assert } from '../base/assert.ts';
import { type KeySpan, spansOverlap } from '../manifest/file-meta.ts';
import { isBlocked, type Occupied, type RunningPlans } from './plan.ts';

export class RunningSet implements RunningPlans {
  readonly #plans: Set<Occupied> = new Set();
  readonly #files: Set<number> = new Set();

  get size(): number {
    return this.#plans.size;
  }

  add(plan: Occupied): void {
    assert(!isBlocked(plan, this), 'a compaction starts that collides with a running one');
    this.#plans.add(plan);
    for (const { files } of plan.inputs) for (const file of files) this.#files.add(file.number);
  }

  /** Takes out the same object that was added. */
  remove(plan: Occupied): void {
    assert(this.#plans.delete(plan), 'a compaction ends that was not running');
    for (const { files } of plan.inputs) for (const file of files) this.#files.delete(file.number);
  }

  /** Does this plan (the same object) run? */
  has(plan: Occupied): boolean {
    return this.#plans.has(plan);
  }

  holds(file: number): boolean {
    return this.#files.has(file);
  }

  collides(plan: Occupied): boolean {
    for (const other of this.#plans) {
      if (spansOverlap(other.span, plan.span) && sharesLevel(other, plan) && !areStacked(other, plan))
        return true;
    }
    return false;
  }

  beginsAbove(level: number, span: KeySpan): boolean {
    for (const plan of this.#plans) {
      if (plan.kind !== 'drop' && plan.inputs[0]!.level <= level && spansOverlap(plan.span, span))
        return true;
    }
    return false;
  }
}

function sharesLevel(a: Occupied, b: Occupied): boolean {
  // A drop only takes away: it is in the way of nobody who does not have its files.
  if (a.kind === 'drop' || b.kind === 'drop') return false;
  return a.inputs[0]!.level <= b.outputLevel && b.inputs[0]!.level <= a.outputLevel;
}

/** Does one of them stay in level 0, with nothing but newer files than those that the other takes from there? */
function areStacked(a: Occupied, b: Occupied): boolean {
  return staysAbove(a, b) || staysAbove(b, a);
}

function staysAbove(upper: Occupied, lower: Occupied): boolean {
  if (upper.outputLevel > 0) return false;
  const oldest = Math.min(...upper.inputs[0]!.files.map((file) => file.smallestSequence));
  const { level, files } = lower.inputs[0]!;
  return level === 0 && files.every((file) => file.largestSequence < oldest);
}
