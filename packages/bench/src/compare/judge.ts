/** Holds the targets against the figures: which ratio each asks for, which there is, over whom. */
import type { State } from './job.ts';
import { bestOf, type Figure } from './results.ts';
import { type Target, targets } from './targets.ts';

export interface Verdict {
  readonly target: Target;
  readonly ratio: number;
  /** The fastest of those the target names. */
  readonly rival: Figure;
  readonly met: boolean;
}

/** A verdict for each target that both sides have a figure for. */
export function judge(figures: readonly Figure[], asked: readonly Target[] = targets): Verdict[] {
  return asked.flatMap((target) => {
    const state = stateOf(figures, target.workload);
    const own = bestOf(figures, { engine: 'varve', workload: target.workload, state, mode: 'tick' });
    const rival = target.over
      .map((engine) =>
        bestOf(figures, { engine, workload: target.against ?? target.workload, state, mode: target.mode }),
      )
      .filter((figure) => figure !== undefined)
      .toSorted((a, b) => b.median - a.median)[0];
    if (own === undefined || rival === undefined) return [];
    const ratio = own.median / rival.median;
    return [{ target, ratio, rival, met: ratio >= target.ratio }];
  });
}

/** Writes have one state; of reads the compacted one counts. */
export function stateOf(figures: readonly Figure[], workload: string): State {
  return figures.some((figure) => figure.workload === workload && figure.state === 'written')
    ? 'written'
    : 'compacted';
}
