/**
 * The stages that a profile is summed up by: which file of the engine does what. The first pattern that fits a function's
 * file counts; functions of the runtime and of the bench have their own.
 */
import type { Profiler } from 'node:inspector/promises';

const stages: readonly (readonly [stage: string, file: RegExp])[] = [
  ['checksum', /\/(base\/crc32c|sstable\/checksum)|wasm/],
  ['copies', /\/base\/(copier|bytes)/],
  ['hash of the key', /\/base\/hash/],
  ['memtable', /\/(memtable|arena)\/|\/base\/offset-value/],
  ['log record', /\/(wal|record)\/|\/base\/varint/],
  ['filter', /\/sstable\/filter/],
  [
    'finding file and block',
    /\/(base\/key-fragments|engine\/level-fences|sstable\/(table-index|flat-index|table-cache))/,
  ],
  [
    'block cache',
    /\/(cache\/(block-cache|s3-fifo|slot-lists)|sstable\/(block-loader|own-memory|read-ahead|stored-block))/,
  ],
  ['row cache', /\/cache\/row-cache/],
  ['block', /\/(sstable\/block|base\/entry-run)/],
  ['iterators', /\/(iterator|sstable\/table-iterator)/],
  ['result', /\/engine\/codecs\//],
  [
    'commit, pressure, sync policy',
    /\/engine\/(commit-pipeline|pressure|durability|background|assemble|time-marks)|\/workers\//,
  ],
  ['get, cursor, keyspace', /\/varve\/(dist|src)\//],
  ['the bench itself', /\/bench\/(dist|src)\//],
];
const GARBAGE = 'garbage collection';
const RUNTIME = 'system calls, runtime';

/** The stage of a function, by the file that it is in. */
export function stageOf(functionName: string, url: string): string {
  if (functionName === '(garbage collector)') return GARBAGE;
  return stages.find(([, file]) => file.test(url))?.[0] ?? RUNTIME;
}

/** The share of each stage in the time that the thread was not idle, largest first. */
export function sharesOf(profile: Profiler.Profile): [stage: string, share: number][] {
  const stageOfNode = new Map<number, string | undefined>();
  for (const { id, callFrame } of profile.nodes) {
    const { functionName, url } = callFrame;
    stageOfNode.set(id, functionName === '(idle)' ? undefined : stageOf(functionName, url));
  }
  const times = new Map<string, number>();
  let sum = 0;
  profile.samples?.forEach((id, index) => {
    const stage = stageOfNode.get(id);
    const time = profile.timeDeltas?.[index] ?? 0;
    if (stage === undefined) return;
    times.set(stage, (times.get(stage) ?? 0) + time);
    sum += time;
  });
  return [...times].map(([stage, time]): [string, number] => [stage, time / sum]).sort((a, b) => b[1] - a[1]);
}
