/**
 * Runs workloads one after the other on one database, as db_bench does: a fill starts from a fresh database, every
 * other workload goes on with what the one before left, in the same open database. Measures each and returns plain data.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Bytes,
  type Database,
  type DatabaseOptions,
  type DatabaseStats,
  type Keyspace,
  open,
} from 'varve';
import { drive, driveAwaitedPuts, type Timing } from './drive.ts';
import { Histogram } from './histogram.ts';
import type { BenchOptions } from './options.ts';
import { claimDirectory, directoryBytes, removeDatabase } from './own-directory.ts';
import { Random } from './random.ts';
import { measureClock } from './sampling.ts';
import type { Bench } from './store.ts';
import { ValuePool } from './values.ts';
import { VarveStore } from './varve-store.ts';
import type { Workload } from './workloads.ts';

/** The monitor measures from one tick of its timer to the next; two ticks must lie before and behind what it measures. */
const DELAY_RESOLUTION_MS = 1;
const DELAY_SETTLE_MS = 5;

/** Bytes of keys and values that were put, and what was written to files for them. */
export interface Written {
  data: number;
  log: number;
  flush: number;
  compaction: number;
}

/** What one workload measured. Times in the unit of the name, sizes in bytes. */
export interface WorkloadResult {
  name: string;
  operations: number;
  seconds: number;
  opsPerSecond: number;
  nsPerOp: number;
  /** `timed` operations were timed one by one. */
  latencyNs: { p50: number; p99: number; p999: number; max: number; timed: number };
  /** Reads that found their key, where keys are looked up. */
  found?: number;
  /** Bytes written while the workload ran; of background work only what had happened when it ended. */
  written?: Written & { amplification: number };
  /** From one tick of a 1 ms timer to the next: 1 when the loop is never held up. */
  eventLoopDelayMs?: { p99: number; max: number };
  diskBytes: number;
  rssBytes: number;
}

/** A read workload on a database without entries. The message says what to do. */
export class NothingToReadError extends Error {
  override readonly name = 'NothingToReadError';
}

export class Runner {
  readonly #options: BenchOptions;
  readonly #clockNs = measureClock();
  #ran = 0;
  #db: Database | undefined;

  constructor(options: BenchOptions) {
    this.#options = options;
    claimDirectory(options.db, 'bench');
  }

  async run(workload: Workload): Promise<WorkloadResult> {
    const { num: entries, keySize, valueSize, seed, seekNexts } = this.#options;
    const { db, keyspace } = await this.openDatabase(workload.fresh);
    if (workload.kind === 'read') refuseEmpty(keyspace, this.#options.db);
    const random = new Random(seed * 1000 + ++this.#ran);
    const values = new ValuePool(valueSize, new Random(seed));
    const store = new VarveStore(db, keyspace);
    const bench: Bench = { store, entries, keySize, random, values, seekNexts, writing: 'single' };
    return await this.#measure(workload, db, keyspace, bench);
  }

  async close(): Promise<void> {
    await this.#db?.close();
    this.#db = undefined;
  }

  /** The open database and the keyspace of the bench; `fresh` deletes what was there. */
  async openDatabase(fresh: boolean): Promise<{ db: Database; keyspace: Keyspace<Bytes, Bytes> }> {
    const { memtableBytes, compression, db: path } = this.#options;
    if (fresh) {
      await this.close();
      await removeDatabase(path, 'bench');
    }
    this.#db ??= await open(path, databaseOptions(memtableBytes));
    const keyspace = this.#db.keyspace('bench', {
      ...(memtableBytes !== undefined && { memtableBytes }),
      ...(compression !== undefined && { compression }),
    });
    return { db: this.#db, keyspace };
  }

  async #measure(
    workload: Workload,
    db: Database,
    keyspace: Keyspace<Bytes, Bytes>,
    bench: Bench,
  ): Promise<WorkloadResult> {
    const latencies = new Histogram();
    const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
    const before = db.stats().written;
    if (workload.kind === 'write') {
      delay.enable();
      await sleep(DELAY_SETTLE_MS);
    }
    const start = performance.now();
    const { timing, found } = await this.#perform(workload, db, keyspace, bench, latencies);
    const seconds = (performance.now() - start) / 1000;
    if (workload.kind === 'write') await sleep(DELAY_SETTLE_MS);
    delay.disable();
    const after = db.stats().written;
    return {
      name: workload.name,
      operations: timing.operations,
      seconds,
      opsPerSecond: timing.operations / seconds,
      nsPerOp: (seconds * 1e9) / timing.operations,
      latencyNs: {
        p50: latencies.percentile(0.5),
        p99: latencies.percentile(0.99),
        p999: latencies.percentile(0.999),
        max: latencies.max,
        timed: timing.timed,
      },
      ...(found !== undefined && { found }),
      ...(workload.kind === 'write' && {
        written: difference(before, after, timing.operations * (bench.keySize + this.#options.valueSize)),
        eventLoopDelayMs: {
          p99: delay.percentile(99) / 1e6,
          max: delay.max / 1e6,
        },
      }),
      diskBytes: directoryBytes(this.#options.db),
      rssBytes: process.memoryUsage.rss(),
    };
  }

  async #perform(
    workload: Workload,
    db: Database,
    keyspace: Keyspace<Bytes, Bytes>,
    bench: Bench,
    latencies: Histogram,
  ): Promise<{ timing: Timing; found?: number | undefined }> {
    const { durability, seekNexts } = this.#options;
    if (workload.order !== undefined && durability !== 'memory') {
      return { timing: await driveAwaitedPuts(keyspace, bench, workload.order, durability, latencies) };
    }
    const step = workload.start(bench);
    try {
      const operations = workload.operations(bench.entries, seekNexts);
      const timing = await drive(step, operations, workload.chunk, latencies, this.#clockNs);
      if (workload.kind === 'write') await db.sync('os');
      return { timing, found: step.found };
    } finally {
      await step.close?.();
    }
  }
}

/** Room for two memtables of the size asked for; the engine's own defaults otherwise. */
function databaseOptions(memtableBytes: number | undefined): DatabaseOptions {
  const defaultMax = 64 * 2 ** 20;
  if (memtableBytes === undefined || memtableBytes * 2 <= defaultMax) return {};
  return { memtableBytesMax: memtableBytes * 2, memoryBytesMax: memtableBytes * 8 };
}

function refuseEmpty(keyspace: Keyspace<Bytes, Bytes>, path: string): void {
  const cursor = keyspace.range().cursor();
  const empty = !cursor.next();
  cursor.close();
  if (empty) {
    throw new NothingToReadError(
      `${path} is empty: put a fill before the reads, as in "fillrandom,readrandom".`,
    );
  }
}

function difference(
  before: DatabaseStats['written'],
  after: DatabaseStats['written'],
  data: number,
): NonNullable<WorkloadResult['written']> {
  const log = after.log - before.log;
  const flush = after.flush - before.flush;
  const compaction = after.compaction - before.compaction;
  return { data, log, flush, compaction, amplification: (log + flush + compaction) / Math.max(data, 1) };
}
