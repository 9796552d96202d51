/**
 * RocksDB's own C++ db_bench as an engine of the comparison, when it is on the PATH; the project does not depend on it.
 *
 * What cannot be mixed in one process of it (--batch_size, --num, --reads hold for all its benchmarks) runs in further
 * processes on the same database. Such a process begins with an empty block cache, so it runs its benchmark twice and the
 * second counts. Keys of readmissing are one byte longer than those that are there, as db_bench has it.
 */
import { READS_PER_WRITE } from '../steps.ts';
import { workloadNamed } from '../workloads.ts';
import { parseLines, warnings } from './db-bench-output.ts';
import { isMissing, MISSING, PROGRAM, runDbBenchProcess, sharedFlags } from './db-bench-process.ts';
import type { Job, Measurement, Outcome, Sizes, State } from './job.ts';

const LANES = 64;

/** One process of db_bench: its benchmarks in order, more flags, and what its results are called. */
interface Run {
  readonly benchmarks: readonly string[];
  readonly flags?: readonly string[];
  /** The name of a result in our table; undefined: not reported. */
  readonly name: (benchmark: string) => string | undefined;
  readonly state: State;
  readonly existing?: boolean;
}

/** Runs a job; never rejects. `path` is an empty directory. */
export async function runDbBench(job: Job, path: string, signal?: AbortSignal): Promise<Outcome> {
  const measurements: Measurement[] = [];
  const said = new Set<string>();
  try {
    for (const run of runsOf(job)) {
      const flags = [
        ...baseFlags(job, path),
        ...(run.flags ?? []),
        ...rateLimit(run, job.sizes, measurements),
      ];
      if (run.existing === true) flags.push('--use_existing_db=true');
      const output = await runDbBenchProcess([`--benchmarks=${run.benchmarks.join(',')}`, ...flags], signal);
      for (const warning of warnings(output)) said.add(warning);
      keepLast(measurements, run, output);
    }
  } catch (error) {
    if (isMissing(error)) return { kind: 'unavailable', reason: MISSING };
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
  const wanted = measurements.filter(({ workload }) => job.workloads.includes(workload));
  return { kind: 'done', settings: [settingsOf(job), ...said], measurements: wanted };
}

/** Results of a run; of a benchmark that ran twice the second. */
function keepLast(measurements: Measurement[], run: Run, output: string): void {
  for (const { benchmark, operations, seconds, opsPerSecond } of parseLines(output)) {
    const workload = run.name(benchmark);
    if (workload === undefined) continue;
    const earlier = measurements.findIndex((one) => one.workload === workload && one.state === run.state);
    if (earlier >= 0) measurements.splice(earlier, 1);
    measurements.push({ workload, state: run.state, operations, seconds, opsPerSecond });
  }
}

/** The processes that make up a job, in order. */
export function runsOf({ group, workloads, sizes }: Job): Run[] {
  if (group === 'fillbatch') return [fills(['fillrandom'], 'fillbatch', ['--batch_size=1000'])];
  if (group === 'fillsync') {
    const puts = workloadNamed('fillsync').operations(sizes.num, 0);
    const flags = ['--sync=true', `--threads=${LANES}`, `--writes=${Math.ceil(puts / LANES)}`];
    return [fills(['fillrandom'], 'fillsync', flags)];
  }
  if (group === 'fillseq') return [fills(['fillseq'])];
  if (group === 'fillrandom') {
    const order = ['fillrandom', 'overwrite', 'deleterandom'];
    return [fills(order.slice(0, order.findLastIndex((name) => workloads.includes(name)) + 1))];
  }
  return group === 'reads'
    ? [...reads(workloads, sizes, 'loaded'), ...reads(workloads, sizes, 'compacted')]
    : [];
}

function fills(benchmarks: string[], as?: string, flags: string[] = []): Run {
  return { benchmarks, flags, name: (benchmark) => as ?? benchmark, state: 'written' };
}

function reads(workloads: readonly string[], sizes: Sizes, state: 'loaded' | 'compacted'): Run[] {
  const wanted = (name: string): boolean => workloads.includes(name);
  const own = ['readrandom', 'readmissing', 'readseq', 'readreverse'];
  // The rate of the writer follows from readrandom.
  const plain = own.filter((name) => wanted(name) || (name === 'readrandom' && wanted('readwhilewriting')));
  const before = state === 'loaded' ? ['filluniquerandom'] : ['compact', 'waitforcompaction'];
  const again = (benchmark: string, as: string, flags: string[]): Run[] =>
    wanted(as) ? [{ benchmarks: [benchmark, benchmark], flags, name: () => as, state, existing: true }] : [];
  return [
    {
      benchmarks: [...before, ...plain],
      name: (benchmark) => (own.includes(benchmark) ? benchmark : undefined),
      state,
      existing: state === 'compacted',
    },
    ...again('seekrandom', 'seekrandom', [
      `--seek_nexts=${sizes.seekNexts}`,
      `--reads=${workloadNamed('seekrandom').operations(sizes.num, sizes.seekNexts)}`,
    ]),
    ...again('readrandom', 'readhot', [`--num=${Math.ceil(sizes.num / 100)}`, `--reads=${sizes.num}`]),
    ...again('multireadrandom', 'multireadrandom', ['--batch_size=100', '--multiread_batched=true']),
    ...(state === 'compacted' && wanted('readwhilewriting')
      ? [
          {
            benchmarks: ['readrandom', 'readwhilewriting'],
            name: (benchmark: string) => (benchmark === 'readwhilewriting' ? benchmark : undefined),
            state,
            existing: true,
          },
        ]
      : []),
  ];
}

/** The writer beside the reader makes a put for every ten gets of readrandom, as the Node engines do. */
function rateLimit(run: Run, sizes: Sizes, measured: readonly Measurement[]): string[] {
  if (!run.benchmarks.includes('readwhilewriting')) return [];
  const reads = measured.find(({ workload, state }) => workload === 'readrandom' && state === 'compacted');
  if (reads === undefined) return [];
  const bytes = (reads.opsPerSecond / READS_PER_WRITE) * (sizes.keySize + sizes.valueSize);
  return [`--benchmark_write_rate_limit=${Math.round(bytes)}`];
}

function commonFlags({ sizes, mode }: Job): string[] {
  return [...sharedFlags(sizes), ...(mode === 'manual_wal_flush' ? ['--manual_wal_flush=true'] : [])];
}

function baseFlags(job: Job, path: string): string[] {
  return [...commonFlags(job), `--db=${path}`, `--seed=${job.sizes.seed + job.round}`];
}

function settingsOf(job: Job): string {
  return `${PROGRAM} ${commonFlags({ ...job, mode: 'plain' }).join(' ')}`;
}
