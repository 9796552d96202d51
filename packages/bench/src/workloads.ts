/**
 * The workloads, with the names and the meaning of LevelDB's and RocksDB's db_bench: what each does per operation, and
 * whether it starts from a fresh database. What they do stands in steps.ts; the same workloads run on Varve alone
 * (runner.ts) and on Varve and its peers (compare/).
 */
import { CHUNK, type KeyOrder } from './chunk.ts';
import {
  fill,
  fillSynced,
  lookUp,
  lookUpMany,
  lookUpWhileWriting,
  once,
  READS_PER_WRITE,
  readInOrder,
  remove,
  seekRandom,
} from './steps.ts';
import type { Bench, Step } from './store.ts';

export interface Workload {
  readonly name: string;
  readonly summary: string;
  /** `write` and `upkeep` may change files; `read` needs entries. */
  readonly kind: 'write' | 'read' | 'upkeep';
  /** Starts from an empty database. */
  readonly fresh: boolean;
  /** Single puts in this order: only these can be awaited one by one at a durability. */
  readonly order?: KeyOrder;
  /** Operations between two turns of the event loop. */
  readonly chunk: number;
  /** Operations of a run over `entries` entries. */
  operations(entries: number, seekNexts: number): number;
  start(bench: Bench): Step;
}

/** Scans turn the event loop more rarely: their operations are a hundred times shorter. */
const SCAN_CHUNK = 10_000;
/** Writes that wait for the disk: enough of them to be measured, few enough to be waited for. */
const SYNCED_SHARE = 100;
const SYNCED_MIN = 1_000;

const all = (entries: number): number => entries;
const write = (
  name: string,
  summary: string,
  more: Pick<Workload, 'start'> & Partial<Workload>,
): Workload => ({
  name,
  summary,
  kind: 'write',
  fresh: false,
  chunk: CHUNK,
  operations: all,
  ...more,
});
const read = (name: string, summary: string, more: Pick<Workload, 'start'> & Partial<Workload>): Workload =>
  write(name, summary, { kind: 'read', ...more });
const puts = (name: string, summary: string, order: KeyOrder, fresh: boolean): Workload =>
  write(name, summary, { order, fresh, start: (bench) => fill(bench, order) });
const scan = (name: string, summary: string, start: Workload['start']): Workload =>
  read(name, summary, { chunk: SCAN_CHUNK, start });

/** As many seeks as read about all entries once. */
const seeks = (entries: number, nexts: number): number => Math.ceil(entries / Math.max(1, nexts));

export const workloads: readonly Workload[] = [
  puts('fillseq', 'put N entries in key order into a fresh database', 'sequential', true),
  puts(
    'fillrandom',
    'put N entries with random keys into a fresh database (about 63 % of the keys get written)',
    'random',
    true,
  ),
  puts('filluniquerandom', 'put N entries into a fresh database, each key once', 'scattered', true),
  write('fillbatch', 'put N entries with random keys into a fresh database, in batches of 1,000', {
    fresh: true,
    start: (bench) => fill(bench, 'random', true),
  }),
  write('fillsync', 'put N/100 random keys into a fresh database, 64 at a time waiting for the disk', {
    fresh: true,
    chunk: Number.MAX_SAFE_INTEGER,
    operations: (entries) => Math.min(entries, Math.max(SYNCED_MIN, Math.ceil(entries / SYNCED_SHARE))),
    start: fillSynced,
  }),
  puts('overwrite', 'put N entries with random keys into the existing database', 'random', false),
  write('deleterandom', 'delete N random keys', { start: remove }),
  read('readrandom', 'get N random keys', { start: (bench) => lookUp(bench, {}) }),
  read('readmissing', 'get N random keys that are not there', {
    start: (bench) => lookUp(bench, { missing: true }),
  }),
  read('readhot', 'get N random keys out of the first hundredth', {
    start: (bench) => lookUp(bench, { hot: true }),
  }),
  read('multireadrandom', 'get N random keys, 100 per call', { start: lookUpMany }),
  read('readwhilewriting', `get N random keys, with one put after every ${READS_PER_WRITE}`, {
    start: lookUpWhileWriting,
  }),
  scan('readseq', 'read N entries in key order with a cursor', (bench) =>
    readInOrder(bench, false, 'cursor'),
  ),
  scan('readreverse', 'read N entries in reverse order with a cursor', (bench) =>
    readInOrder(bench, true, 'cursor'),
  ),
  read('seekrandom', 'open a cursor, seek to a random key, read on, close it', {
    operations: seeks,
    start: (bench) => seekRandom(bench, 'cursor'),
  }),
  scan('readseq-objects', 'the same with a key and a value object for each entry', (bench) =>
    readInOrder(bench, false, 'objects'),
  ),
  scan('readreverse-objects', 'the same with a key and a value object for each entry', (bench) =>
    readInOrder(bench, true, 'objects'),
  ),
  read('seekrandom-objects', 'the same with a key and a value object for each entry', {
    operations: seeks,
    start: (bench) => seekRandom(bench, 'objects'),
  }),
  write('flush', 'write the memtables out as tables', {
    kind: 'upkeep',
    operations: () => 1,
    start: ({ store }) => once(() => store.flush()),
  }),
  write('compact', 'flush, then merge all tables', {
    kind: 'upkeep',
    operations: () => 1,
    start: ({ store }) => once(() => store.compact()),
  }),
];

/** The workload of that name; the name must be one of them. */
export function workloadNamed(name: string): Workload {
  const workload = workloads.find((known) => known.name === name);
  if (workload === undefined) throw new RangeError(`no workload is named ${name}`);
  return workload;
}
