/**
 * Medians over the rounds, the figure of an engine for a workload, and ratios between two of them. Pure: the same
 * measurements give the same table.
 */
import type { Engine, Job, Measurement, Mode, State } from './job.ts';

/** A measurement with where it comes from. */
export interface Sample extends Measurement {
  readonly engine: Engine;
  readonly mode: Mode;
  readonly round: number;
  /** Steps a second of the calibration loop, the slower of before and after the job. */
  readonly machineSpeed: number;
}

/** The median of the rounds, and their least and greatest. All in operations a second. */
export interface Figure {
  readonly engine: Engine;
  readonly mode: Mode;
  readonly workload: string;
  readonly state: State;
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function samplesOf(job: Job, measurements: readonly Measurement[], machineSpeed: number): Sample[] {
  const { engine, mode, round } = job;
  return measurements.map((measurement) => ({ ...measurement, engine, mode, round, machineSpeed }));
}

/** One figure for each (engine, mode, workload, state), in the order in which they first appear. */
export function figuresOf(samples: readonly Sample[]): Figure[] {
  const grouped = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = [sample.engine, sample.mode, sample.workload, sample.state].join(' ');
    const group = grouped.get(key);
    if (group === undefined) grouped.set(key, [sample]);
    else group.push(sample);
  }
  return [...grouped.values()].map((group) => {
    const { engine, mode, workload, state } = group[0]!;
    const rates = group.map((sample) => sample.opsPerSecond).toSorted((a, b) => a - b);
    return { engine, mode, workload, state, median: median(rates), least: rates[0]!, most: rates.at(-1)! };
  });
}

/** The middle one of sorted numbers, or the mean of the two in the middle. */
export function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Wanted {
  readonly engine: Engine;
  readonly workload: string;
  readonly state: State;
  /** Without it the best of the engine's modes. */
  readonly mode?: Mode | undefined;
}

/** The figure that is wanted, the best one where several are. */
export function bestOf(figures: readonly Figure[], wanted: Wanted): Figure | undefined {
  return figures
    .filter(
      ({ engine, workload, state, mode }) =>
        engine === wanted.engine &&
        workload === wanted.workload &&
        state === wanted.state &&
        (wanted.mode === undefined || mode === wanted.mode),
    )
    .toSorted((a, b) => b.median - a.median)[0];
}

/**
 * How quiet the machine was: the slowest and the median job's calibration, each as a share of the fastest. An engine whose
 * jobs ran while others used the machine looks slower than it is.
 */
export function quietness(samples: readonly Sample[]): { slowest: number; median: number } {
  const speeds = samples.map(({ machineSpeed }) => machineSpeed).toSorted((a, b) => a - b);
  const fastest = speeds.at(-1) ?? 1;
  return { slowest: (speeds[0] ?? 1) / fastest, median: speeds.length === 0 ? 1 : median(speeds) / fastest };
}
