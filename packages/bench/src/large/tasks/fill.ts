/**
 * Fills a database with single puts, each key once and far from the one before, and times every one of them: the clock is
 * read once a put, between two of them, which costs a few hundredths of a put. Keys and values are made before, a
 * thousand at a time; between two thousands the event loop turns, which is in the rate and in no put.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { CHUNK, ChunkFiller } from '../../chunk.ts';
import { Histogram } from '../../histogram.ts';
import { openDatabase, sourceOf } from './database.ts';
import { comeToRest } from './rest.ts';
import type { Filled, Sizes } from './results.ts';

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
