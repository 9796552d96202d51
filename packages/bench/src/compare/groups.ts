/**
 * Groups of workloads that share one database, and so one child process. A group runs its workloads in order; those that
 * a selection leaves out run only where a later one needs what they write.
 */
import { lookUp } from '../steps.ts';
import { type Workload, workloadNamed } from '../workloads.ts';
import { type MixName, mixes } from './ycsb/requests.ts';

export interface Group {
  readonly name: string;
  /** `fills` start from nothing; `reads` from a load of every key once, in two states; `ycsb` from its own load. */
  readonly kind: 'fills' | 'reads' | 'ycsb';
  readonly workloads: readonly string[];
  /** Runs in every mode of an engine, since single puts differ; the others run in the first mode. */
  readonly everyMode: boolean;
}

/** The workload that is the load of YCSB itself. */
export const YCSB_LOAD = 'ycsb-load';
const YCSB_PREFIX = 'ycsb-';
/** YCSB's own order: what inserts comes last. */
const ycsbOrder: readonly MixName[] = ['a', 'b', 'c', 'f', 'd', 'e'];

/** Gets whose result is lent: for stores that have such a call. */
const borrowed: readonly Workload[] = [
  {
    ...workloadNamed('readrandom'),
    name: 'readrandom-nocopy',
    start: (bench) => lookUp(bench, { borrowed: true }),
  },
  {
    ...workloadNamed('readmissing'),
    name: 'readmissing-nocopy',
    start: (bench) => lookUp(bench, { borrowed: true, missing: true }),
  },
];

export const groups: readonly Group[] = [
  { name: 'fillseq', kind: 'fills', workloads: ['fillseq'], everyMode: true },
  {
    name: 'fillrandom',
    kind: 'fills',
    workloads: ['fillrandom', 'overwrite', 'deleterandom'],
    everyMode: true,
  },
  { name: 'fillbatch', kind: 'fills', workloads: ['fillbatch'], everyMode: false },
  { name: 'fillsync', kind: 'fills', workloads: ['fillsync'], everyMode: false },
  {
    name: 'reads',
    kind: 'reads',
    workloads: [
      'readrandom',
      'readrandom-nocopy',
      'readmissing',
      'readmissing-nocopy',
      'readhot',
      'multireadrandom',
      'readseq',
      'readseq-objects',
      'readreverse',
      'readreverse-objects',
      'seekrandom',
      'seekrandom-objects',
      'readwhilewriting',
    ],
    everyMode: false,
  },
  {
    name: 'ycsb',
    kind: 'ycsb',
    workloads: [YCSB_LOAD, ...ycsbOrder.map((name) => `${YCSB_PREFIX}${name}`)],
    everyMode: false,
  },
];

/** Every name that --workloads takes, in the order of the table. */
export const workloadNames: readonly string[] = groups.flatMap(({ workloads }) => workloads);

/** The workload that a group's name stands for; not for those of YCSB. */
export function comparedWorkload(name: string): Workload {
  return borrowed.find((workload) => workload.name === name) ?? workloadNamed(name);
}

/** The request mix of a YCSB workload; undefined for its load. */
export function mixOf(name: string): MixName | undefined {
  const letter = name.slice(YCSB_PREFIX.length);
  return letter in mixes ? (letter as MixName) : undefined;
}

/** The name of the same scan by cursor. */
export function cursorForm(name: string): string {
  return name.replace(/-objects$/, '');
}

/** The name of the same lookup with a result that the caller may keep. */
export function copyingForm(name: string): string {
  return name.replace(/-nocopy$/, '');
}
