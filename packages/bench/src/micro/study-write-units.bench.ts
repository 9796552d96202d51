/**
 * Tables of 64 MiB written in units of many sizes, synced every 8 MiB as the writer of tables does, or once at the end;
 * and what syncs of a small file beside it, as those of the log, take meanwhile. Behind
 * docs/decisions/0013-one-write-unit.md.
 */
import { once } from 'node:events';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { formatBinaryBytes } from '../format.ts';
import { inRounds, middle, row, type StudyMeans } from './rounds.bench.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const TABLE_BYTES = 64 * MIB;
const SYNC_BYTES = 8 * MIB;
const UNITS = [64 * KIB, 128 * KIB, 256 * KIB, MIB, 8 * MIB] as const;

interface Way {
  readonly unit: number;
  readonly syncBytes: number;
}

interface Measured {
  readonly megabytesPerSecond: number;
  /** Processor time of this thread while it handed the bytes to the system, without the syncs. */
  readonly processorMs: number;
  readonly syncsMs: readonly number[];
}

export async function studyWriteUnits({ rounds, directory, say }: StudyMeans): Promise<void> {
  const worker = new Worker(new URL('small-syncs.bench.ts', import.meta.url), {
    workerData: join(directory, 'small'),
  });
  await once(worker, 'online');
  const ways: Way[] = [SYNC_BYTES, TABLE_BYTES].flatMap((syncBytes) =>
    UNITS.map((unit) => ({ unit, syncBytes })),
  );
  say(`${rounds} rounds, tables of 64 MiB; the small file is synced all the time`);
  say(row('', ['MB/s', 'least', 'most', 'processor ms', 'small p50 ms', 'p99 ms', 'longest ms']));
  try {
    const results = await inRounds(ways, rounds, (way) => measure(way, join(directory, 'table'), worker));
    for (const [index, { unit, syncBytes }] of ways.entries()) {
      const own = results[index]!;
      const rates = own.map(({ megabytesPerSecond }) => megabytesPerSecond);
      const syncs = own.flatMap(({ syncsMs }) => syncsMs).toSorted((a, b) => a - b);
      const at = (share: number): string =>
        (syncs[Math.min(syncs.length - 1, Math.floor(syncs.length * share))] ?? 0).toFixed(1);
      const how =
        syncBytes === TABLE_BYTES ? 'synced at the end' : `synced every ${formatBinaryBytes(syncBytes)}`;
      say(
        row(`units of ${formatBinaryBytes(unit)}, ${how}`, [
          middle(own, ({ megabytesPerSecond }) => megabytesPerSecond).toFixed(0),
          Math.min(...rates).toFixed(0),
          Math.max(...rates).toFixed(0),
          middle(own, ({ processorMs }) => processorMs).toFixed(0),
          at(0.5),
          at(0.99),
          at(1),
        ]),
      );
    }
  } finally {
    worker.postMessage('stop');
    await once(worker, 'exit');
  }
}

async function measure({ unit, syncBytes }: Way, path: string, worker: Worker): Promise<Measured> {
  const bytes = new Uint8Array(unit).fill(97);
  await smallSyncs(worker);
  const descriptor = openSync(path, 'w');
  let processorUs = 0;
  const start = performance.now();
  for (let at = 0; at < TABLE_BYTES; ) {
    const before = process.threadCpuUsage();
    for (const end = at + syncBytes; at < end; at += unit) writeSync(descriptor, bytes, 0, unit, at);
    const { user, system } = process.threadCpuUsage(before);
    processorUs += user + system;
    fdatasyncSync(descriptor);
  }
  const seconds = (performance.now() - start) / 1000;
  closeSync(descriptor);
  const syncsMs = await smallSyncs(worker);
  rmSync(path);
  return { megabytesPerSecond: TABLE_BYTES / 1e6 / seconds, processorMs: processorUs / 1e3, syncsMs };
}

/** Milliseconds of the syncs since the last call. */
async function smallSyncs(worker: Worker): Promise<readonly number[]> {
  worker.postMessage('tell');
  const [syncsMs] = (await once(worker, 'message')) as [number[]];
  return syncsMs;
}
