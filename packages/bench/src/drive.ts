/**
 * Drives a workload: chunks of operations with a turn of the event loop between them, and the clock around those
 * operations that are timed. The elapsed time includes everything: the chunks, the turns, the closing sync.
 *
 * How many operations are timed is decided chunk by chunk from the speed of the one before (see sampling.ts); a timed
 * operation is counted for all it stands for, so the percentiles hold over the whole run. The reading of the clock that
 * falls between start and end is subtracted.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Bytes, Keyspace, WriteWait } from 'varve';
import { CHUNK, ChunkFiller, type KeyOrder } from './chunk.ts';
import type { Histogram } from './histogram.ts';
import { samplingInterval } from './sampling.ts';
import type { Bench, Step } from './store.ts';

export interface Timing {
  /** Operations done. */
  operations: number;
  /** Operations timed one by one; the others ran between them. */
  timed: number;
}

/** The same without a clock around single operations; returns how many were done. */
export async function driveUntimed(step: Step, operations: number, chunk: number): Promise<number> {
  for (let from = 0; from < operations; from += chunk) {
    const to = Math.min(from + chunk, operations);
    let done = step.run(from, to);
    if (typeof done !== 'number') done = await done;
    if (done < to - from) return from + done;
    await turn();
  }
  return operations;
}

/** Runs `operations` operations of a step, `chunk` at a time. Stops early when the step has nothing left to do. */
export async function drive(
  step: Step,
  operations: number,
  chunk: number,
  latencies: Histogram,
  clockNs: number,
): Promise<Timing> {
  const timing: Timing = { operations: 0, timed: 0 };
  let interval = 1;
  for (let from = 0; from < operations; from += chunk) {
    const to = Math.min(from + chunk, operations);
    const start = performance.now();
    const done = await runChunk(step, from, to, interval, latencies, clockNs);
    const groups = Math.ceil(done / interval);
    timing.operations += done;
    timing.timed += groups;
    if (done < to - from) break;
    const chunkNs = (performance.now() - start) * 1e6;
    interval = samplingInterval((chunkNs - groups * 2 * clockNs) / done, clockNs);
    await turn();
  }
  return timing;
}

/** The operations [from, to), the last of each `interval` timed. Returns how many could be done. */
async function runChunk(
  step: Step,
  from: number,
  to: number,
  interval: number,
  latencies: Histogram,
  clockNs: number,
): Promise<number> {
  for (let at = from; at < to; at += interval) {
    const last = Math.min(at + interval, to) - 1;
    if (last > at) {
      let done = step.run(at, last);
      if (typeof done !== 'number') done = await done;
      if (done < last - at) return at - from + done;
    }
    const start = performance.now();
    let done = step.run(last, last + 1);
    if (typeof done !== 'number') done = await done;
    const end = performance.now();
    if (done === 0) return last - from;
    latencies.record((end - start) * 1e6 - clockNs, last + 1 - at);
  }
  return to - from;
}

/** Puts that are awaited one by one at a durability, each timed. Signals and deadlines are not used. */
export async function driveAwaitedPuts(
  keyspace: Keyspace<Bytes, Bytes>,
  bench: Bench,
  order: KeyOrder,
  durability: WriteWait['durability'],
  latencies: Histogram,
): Promise<Timing> {
  const filler = new ChunkFiller(bench, order);
  const wait = { durability };
  for (let from = 0; from < bench.entries; from += CHUNK) {
    const { keys, values, count } = filler.fill(from, Math.min(from + CHUNK, bench.entries));
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      await keyspace.put(keys[i]!, values[i]!, wait);
      latencies.record((performance.now() - start) * 1e6);
    }
    // A promise that resolves in a microtask never lets the event loop turn.
    await turn();
  }
  return { operations: bench.entries, timed: bench.entries };
}
