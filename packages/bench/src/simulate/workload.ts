/**
 * Workloads as data: what is written, in phases, and what becomes of it. Sizes are shares of the number of entries that
 * the command line asks for, so that one description serves for a thousand entries and for a billion.
 *
 * A workload of one's own is a JSON file of this shape (`--workload file.json`) or comes from flags.
 */
import { UsageError } from '../options.ts';

/** Which key an operation has: ascending; each once, far from the one before; all alike; few of them most of the time. */
const keyOrders = ['sequential', 'scattered', 'uniform', 'zipfian'] as const;
export type KeyOrder = (typeof keyOrders)[number];

export interface Phase {
  /** Operations over entries: 1 writes as many as there are keys. */
  readonly operations: number;
  readonly keys: KeyOrder;
  /** Share of the operations that delete the key instead; 0 when left out. */
  readonly deletes?: number;
  /** A range is deleted after every so many operations, over entries, and is so wide, over entries. */
  readonly rangeDeletes?: {
    readonly every: number;
    readonly width: number;
    /** `here`: from the key of the operation on. `oldest`: behind the range that was deleted last. */
    readonly where: 'here' | 'oldest';
  };
  /** Seconds without writes afterwards. */
  readonly idleSeconds?: number;
}

export interface Workload {
  readonly name: string;
  readonly summary: string;
  readonly phases: readonly Phase[];
  /** Entries expire when so many operations more were made, over entries; never when left out. */
  readonly ttl?: number;
}

const IDLE_SECONDS = 60;

export const workloads: readonly Workload[] = [
  {
    name: 'fillseq',
    summary: 'every key once, ascending',
    phases: [{ operations: 1, keys: 'sequential' }],
  },
  {
    name: 'fillrandom',
    summary: 'as many puts as keys, any key each time',
    phases: [{ operations: 1, keys: 'uniform' }],
  },
  {
    name: 'overwrite',
    summary: 'every key once, then five times as many puts, all keys alike',
    phases: [
      { operations: 1, keys: 'scattered' },
      { operations: 5, keys: 'uniform' },
    ],
  },
  {
    name: 'overwrite-zipfian',
    summary: 'every key once, then five times as many puts, few keys most of the time',
    phases: [
      { operations: 1, keys: 'scattered' },
      { operations: 5, keys: 'zipfian' },
    ],
  },
  {
    name: 'delete90',
    summary: 'every key once, then 90 % of them deleted, then a minute without writes',
    phases: [
      { operations: 1, keys: 'scattered' },
      { operations: 0.9, keys: 'scattered', deletes: 1, idleSeconds: IDLE_SECONDS },
    ],
  },
  {
    name: 'timeseries',
    summary: 'ascending keys, of which the newest quarter is kept by expiry',
    phases: [{ operations: 1, keys: 'sequential' }],
    ttl: 0.25,
  },
  {
    name: 'rangedelete',
    summary: 'ascending keys, of which about the newest quarter is kept by deleting ranges',
    phases: [
      { operations: 0.25, keys: 'sequential' },
      {
        operations: 0.75,
        keys: 'sequential',
        rangeDeletes: { every: 0.005, width: 0.005, where: 'oldest' },
      },
    ],
  },
  {
    name: 'mixed',
    summary:
      'every key once, then puts, one in five a delete, few keys most of the time, now and then a range',
    phases: [
      { operations: 0.5, keys: 'scattered' },
      {
        operations: 2,
        keys: 'zipfian',
        deletes: 0.2,
        rangeDeletes: { every: 0.01, width: 0.001, where: 'here' },
      },
    ],
  },
];

/** A workload out of JSON; throws `UsageError` that says what is wrong. */
export function parseWorkload(text: string, file: string): Workload {
  const refuse = (what: string): never => {
    throw new UsageError(`${file}: ${what}`);
  };
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    return refuse(`no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const known = given as Partial<Workload>;
  if (
    typeof given !== 'object' ||
    given === null ||
    !Array.isArray(known.phases) ||
    known.phases.length === 0
  )
    return refuse('a workload is { name, summary, phases: [{ operations, keys, deletes?, ... }], ttl? }.');
  const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
  known.phases.forEach((phase, i) => {
    const { operations, keys, deletes = 0, rangeDeletes, idleSeconds = 0 } = phase;
    if (!(operations >= 0))
      refuse(`phase ${i}: operations is ${operations}; give a number, 1 for as many as keys.`);
    if (!keyOrders.includes(keys))
      refuse(`phase ${i}: keys is ${String(keys)}; give one of ${keyOrders.join(', ')}.`);
    if (!isShare(deletes)) refuse(`phase ${i}: deletes is ${deletes}; give a share from 0 to 1.`);
    if (!(idleSeconds >= 0)) refuse(`phase ${i}: idleSeconds is ${idleSeconds}; give seconds.`);
    if (rangeDeletes !== undefined && !(rangeDeletes.every > 0 && isShare(rangeDeletes.width)))
      refuse(`phase ${i}: rangeDeletes has every, above 0, and width, from 0 to 1.`);
    if (rangeDeletes !== undefined && !['here', 'oldest'].includes(rangeDeletes.where))
      refuse(`phase ${i}: rangeDeletes.where is ${String(rangeDeletes.where)}; give here or oldest.`);
  });
  if (known.ttl !== undefined && !(known.ttl > 0)) refuse(`ttl is ${known.ttl}; give a number above 0.`);
  return { ...known, name: known.name ?? file, summary: known.summary ?? '', phases: known.phases };
}
