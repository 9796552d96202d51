/**
 * What a process weighs that has opened the database and read random keys until the cache took no more. No garbage
 * collection is forced; results of the reads that wait for one are in the figure.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { driveUntimed } from '../../drive.ts';
import { openDatabase } from './database.ts';
import { randomGets } from './read.ts';
import type { Remembered, Sizes } from './results.ts';

const CHUNK = 1_000;
const ROUND = 50_000;
/** A cache that grows by less than this share in a round is full. */
const GROWTH_MIN = 0.001;

export async function memory(path: string, sizes: Sizes): Promise<Remembered> {
  const bareBytes = process.memoryUsage.rss();
  const open = await openDatabase(path, sizes);
  const openedBytes = process.memoryUsage.rss();
  const step = randomGets(open, sizes);
  let used = 0;
  for (;;) {
    await driveUntimed(step, ROUND, CHUNK);
    const { cache } = open.db.stats().memoryBytes;
    if (cache - used <= sizes.cacheBytes * GROWTH_MIN) break;
    used = cache;
  }
  await turn();
  const rssBytes = process.memoryUsage.rss();
  const engine = open.db.stats().memoryBytes;
  await open.db.close();
  return { rssBytes, bareBytes, openedBytes, engine, cacheBytesMax: sizes.cacheBytes };
}
