/**
 * Fills a database with single puts, each key once and far from the one before, and times every one of them: the clock is
 * read once a put, between two of them, which costs a few hundredths of a put. Keys and values are made before, a
 * thousand at a time; between two thousands the event loop turns, which is in the rate and in no put.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { Database } from 'varve';
import { CHUNK, ChunkFiller } from '../../chunk.ts';
import { Histogram } from '../../histogram.ts';
import { openDatabase, sourceOf } from './database.ts';
import type { Filled, Sizes } from './results.ts';

const LOOK_MS = 100;
/** Processor time for the time that passes, of a process that only looks whether it is at rest. */
const IDLE_SHARE_MAX = 0.1;

export async function fill(path: string, sizes: Sizes): Promise<Filled> {
  const { db, keyspace } = await openDatabase(path, sizes);
  const filler = new ChunkFiller(sourceOf(sizes), 'scattered');
  const puts = new Histogram();
  const start = performance.now();
  for (let from = 0; from < sizes.num; from += CHUNK) {
    const { keys, values, count } = filler.fill(from, Math.min(from + CHUNK, sizes.num));
    let before = performance.now();
    for (let i = 0; i < count; i++) {
      keyspace.put(keys[i]!, values[i]!);
      const after = performance.now();
      puts.record((after - before) * 1e6);
      before = after;
    }
    await turn();
  }
  await db.sync('os');
  const seconds = (performance.now() - start) / 1000;
  const { pressure } = db.stats();
  const restSeconds = await comeToRest(db, sizes.restMs);
  const { written, keyspaces } = db.stats();
  await db.close();
  return {
    opsPerSecond: sizes.num / seconds,
    seconds,
    putNs: {
      p50: puts.percentile(0.5),
      p99: puts.percentile(0.99),
      p999: puts.percentile(0.999),
      max: puts.max,
    },
    written,
    restSeconds,
    pressure,
    levels: keyspaces['bench']!.levels,
  };
}

/**
 * Flushes, then waits until files have stayed the same for a while in which no thread of this process had work: on a busy
 * machine a compaction may take longer than that, and it is not over because nothing was installed. Returns how long it
 * took until then.
 */
async function comeToRest(db: Database, restMs: number): Promise<number> {
  const start = performance.now();
  await db.flush();
  let changed = performance.now();
  let files = filesOf(db);
  let processor = process.cpuUsage();
  for (;;) {
    await sleep(LOOK_MS);
    const now = filesOf(db);
    const { user, system } = process.cpuUsage(processor);
    if (now !== files || user + system > restMs * 1e3 * IDLE_SHARE_MAX) {
      changed = performance.now();
      files = now;
      processor = process.cpuUsage();
    } else if (performance.now() - changed >= restMs) return (changed - start) / 1000;
  }
}

function filesOf(db: Database): string {
  const { keyspaces, written } = db.stats();
  return JSON.stringify([keyspaces['bench']?.levels, written.compaction]);
}
