/**
 * Which jobs run, in which order: a pure function from the options. Every round runs every (engine, mode, group) once;
 * group by group, so that what is compared runs close together; every other round in the opposite order, so that an
 * engine does not always run on a machine that the one before has warmed or worn.
 */
import { type Group, groups } from './groups.ts';
import { type Engine, type Job, modes, type Sizes } from './job.ts';

export interface Selection {
  readonly rounds: number;
  readonly engines: readonly Engine[];
  readonly workloads: readonly string[];
  readonly sizes: Sizes;
}

export function planJobs(selection: Selection): Job[] {
  return Array.from({ length: selection.rounds }, (_, round) => jobsOfRound(selection, round)).flat();
}

function jobsOfRound({ engines, workloads, sizes }: Selection, round: number): Job[] {
  return groups.flatMap((group) => {
    const wanted = group.workloads.filter((name) => workloads.includes(name));
    if (wanted.length === 0) return [];
    const jobs = engines
      .filter((engine) => canRun(engine, group))
      .flatMap((engine) =>
        (group.everyMode ? modes[engine] : modes[engine].slice(0, 1)).map((mode) => ({
          engine,
          mode,
          group: group.name,
          round,
          workloads: wanted,
          sizes,
        })),
      );
    return round % 2 === 0 ? jobs : jobs.toReversed();
  });
}

/** db_bench has no YCSB. */
function canRun(engine: Engine, group: Group): boolean {
  return engine !== 'db_bench' || group.kind !== 'ycsb';
}
