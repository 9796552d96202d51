/**
 * The memory measurement: how much a process needs that has put N entries into a fresh database.
 *
 * Keys are distinct and come far apart from one to the next, which is the hardest order for an ordered structure.
 * The figure is the resident set of the whole process as the system counts it, after a final `sync()`; no garbage
 * collection is forced, nothing is subtracted.
 */
import type { DatabaseStats } from 'varve';
import { setImmediate as turn } from 'node:timers/promises';
import { KeyBuffer, scatterStep } from './keys.ts';
import type { BenchOptions } from './options.ts';
import { directoryBytes } from './own-directory.ts';
import { Random } from './random.ts';
import type { Runner } from './runner.ts';
import { ValuePool } from './values.ts';

const CHUNK = 1_000;

/** All in bytes, but for counts and seconds. */
export interface MemoryResult {
  name: 'memory';
  entries: number;
  seconds: number;
  rssBytes: number;
  /** The most the process ever had; includes what was given back. */
  rssPeakBytes: number;
  rssBeforeBytes: number;
  heapBytes: number;
  engine: DatabaseStats['memoryBytes'];
  diskBytes: number;
}

export async function measureMemory(
  runner: Runner,
  options: BenchOptions,
  onProgress: (done: number) => void,
): Promise<MemoryResult> {
  const { num: entries, keySize, valueSize, seed, db: path } = options;
  const { db, keyspace } = await runner.openDatabase(true);
  const values = new ValuePool(valueSize, new Random(seed));
  const key = new KeyBuffer(keySize);
  const step = scatterStep(entries);
  const rssBeforeBytes = process.memoryUsage.rss();
  const start = performance.now();
  let index = 0;
  for (let from = 0; from < entries; from += CHUNK) {
    const to = Math.min(from + CHUNK, entries);
    for (let i = from; i < to; i++) {
      key.set(index);
      keyspace.put(key.bytes, values.next());
      index = (index + step) % entries;
    }
    onProgress(to);
    await turn();
  }
  await db.sync();
  return {
    name: 'memory',
    entries,
    seconds: (performance.now() - start) / 1000,
    rssBytes: process.memoryUsage.rss(),
    rssPeakBytes: process.resourceUsage().maxRSS * 1024,
    rssBeforeBytes,
    heapBytes: process.memoryUsage().heapUsed,
    engine: db.stats().memoryBytes,
    diskBytes: directoryBytes(path),
  };
}
