/**
 * Runs one group of workloads on one store, in this process, and measures each: one clock around the whole workload with
 * its turns of the event loop and its closing sync, none around single operations.
 */
import { CHUNK } from '../chunk.ts';
import { driveUntimed } from '../drive.ts';
import { Random } from '../random.ts';
import { fill } from '../steps.ts';
import type { Bench, Step, Store } from '../store.ts';
import { ValuePool } from '../values.ts';
import type { Workload } from '../workloads.ts';
import { comparedWorkload, type Group, mixOf, YCSB_LOAD } from './groups.ts';
import type { Job, Measurement, State } from './job.ts';
import { drawRequests } from './ycsb/requests.ts';
import { answer, loadRecords, RECORD_BYTES } from './ycsb/steps.ts';

const WARM_OPERATIONS_MIN = 2_000;

/** Runs the group on an empty store. The same seed, round and workload give every engine the same keys. */
export async function measureGroup(group: Group, job: Job, store: Store): Promise<Measurement[]> {
  if (group.kind === 'ycsb') return await measureYcsb(group, job, store);
  return group.kind === 'reads'
    ? await measureReads(group, job, store)
    : await measureFills(group, job, store);
}

async function measureFills(group: Group, job: Job, store: Store): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  for (const name of group.workloads.slice(0, lastWanted(group, job) + 1)) {
    const workload = comparedWorkload(name);
    measured.push(await measureWorkload(workload, 'written', job, store));
  }
  return measured.filter(({ workload }) => job.workloads.includes(workload));
}

async function measureReads(group: Group, job: Job, store: Store): Promise<Measurement[]> {
  const bench = benchFor(job, store, 'load', 'batch');
  await driveUntimed(fill(bench, 'scattered'), bench.entries, CHUNK);
  await store.sync();
  const wanted = group.workloads.filter((name) => job.workloads.includes(name) && canRun(name, job, store));
  const measured: Measurement[] = [];
  for (const state of ['loaded', 'compacted'] as const) {
    if (state === 'compacted') await store.compact();
    for (const name of wanted) {
      // It writes, so it would spoil the state for the others: only once, at the end.
      if (name === 'readwhilewriting' && state === 'loaded') continue;
      measured.push(await measureWorkload(comparedWorkload(name), state, job, store));
    }
  }
  return measured;
}

/** Peers give objects always, so their plain scans stand for both forms; a lending get not everyone has. */
function canRun(name: string, { engine }: Job, store: Store): boolean {
  if (name.endsWith('-objects')) return engine === 'varve';
  return !name.endsWith('-nocopy') || store.getBorrowed !== undefined;
}

async function measureWorkload(
  workload: Workload,
  state: State,
  job: Job,
  store: Store,
): Promise<Measurement> {
  const { num, seekNexts, readSecondsMin } = job.sizes;
  const bench = benchFor(job, store, workload.name, job.mode === 'batch' ? 'batch' : 'single');
  const operations = workload.operations(num, seekNexts);
  if (workload.kind === 'write') {
    return await clock(workload.name, state, workload.start(bench), operations, workload.chunk, store);
  }
  // What is compiled while it runs should not be in the figure: a tenth first, without the clock.
  const warm = Math.min(operations, Math.max(WARM_OPERATIONS_MIN, Math.ceil(operations / 10)));
  await clock(workload.name, state, workload.start(bench), warm, workload.chunk, undefined);
  let done = 0;
  let seconds = 0;
  do {
    const pass = await clock(
      workload.name,
      state,
      workload.start(bench),
      operations,
      workload.chunk,
      undefined,
    );
    done += pass.operations;
    seconds += pass.seconds;
  } while (seconds < readSecondsMin && done > 0);
  return { workload: workload.name, state, operations: done, seconds, opsPerSecond: done / seconds };
}

async function measureYcsb(group: Group, job: Job, store: Store): Promise<Measurement[]> {
  const values = new ValuePool(RECORD_BYTES, new Random(job.sizes.seed));
  const count = job.sizes.ycsbNum;
  const measured = [await clock(YCSB_LOAD, 'written', loadRecords(store, values), count, CHUNK, store)];
  await store.compact();
  let records = count;
  for (const name of group.workloads.slice(0, lastWanted(group, job) + 1)) {
    const mix = mixOf(name);
    if (mix === undefined) continue;
    const requests = drawRequests(mix, records, count, new Random(seedOf(job, name)));
    records = requests.recordsAfter;
    measured.push(await clock(name, 'compacted', answer(store, requests, values), count, CHUNK, store));
  }
  return measured.filter(({ workload }) => job.workloads.includes(workload));
}

/** `written`: the store whose writes are handed to the system before the clock stops. */
async function clock(
  workload: string,
  state: State,
  step: Step,
  operations: number,
  chunk: number,
  written: Store | undefined,
): Promise<Measurement> {
  const start = performance.now();
  const done = await driveUntimed(step, operations, chunk);
  await written?.sync();
  const seconds = (performance.now() - start) / 1000;
  await step.close?.();
  return { workload, state, operations: done, seconds, opsPerSecond: done / seconds };
}

function benchFor(job: Job, store: Store, workload: string, writing: Bench['writing']): Bench {
  const { num, keySize, valueSize, seekNexts, seed } = job.sizes;
  const random = new Random(seedOf(job, workload));
  const values = new ValuePool(valueSize, new Random(seed));
  return { store, entries: num, keySize, random, values, seekNexts, writing };
}

function seedOf({ sizes, round }: Job, workload: string): number {
  let seed = sizes.seed * 1000 + round;
  for (let i = 0; i < workload.length; i++) seed = (Math.imul(seed, 31) + workload.charCodeAt(i)) | 0;
  return seed;
}

function lastWanted(group: Group, job: Job): number {
  return group.workloads.findLastIndex((name) => job.workloads.includes(name));
}
