/** Gets random keys: as many as will be timed first without the clock, which fills the cache and compiles the code. */
import { driveUntimed } from '../../drive.ts';
import { lookUp } from '../../steps.ts';
import type { Bench, Step } from '../../store.ts';
import { VarveStore } from '../../varve-store.ts';
import { type Open, openDatabase, sourceOf } from './database.ts';
import type { Read, Sizes } from './results.ts';

/** Operations between two turns of the event loop. */
const CHUNK = 1_000;

export async function read(path: string, sizes: Sizes): Promise<Read> {
  const open = await openDatabase(path, sizes);
  const step = randomGets(open, sizes);
  await driveUntimed(step, sizes.reads, CHUNK);
  const before = step.found ?? 0;
  const start = performance.now();
  await driveUntimed(step, sizes.reads, CHUNK);
  const seconds = (performance.now() - start) / 1000;
  const cacheUsedBytes = open.db.stats().memoryBytes.cache;
  await open.db.close();
  return { opsPerSecond: sizes.reads / seconds, found: (step.found ?? 0) - before, cacheUsedBytes };
}

export function randomGets({ db, keyspace }: Open, sizes: Sizes): Step {
  const store = new VarveStore(db, keyspace);
  const bench: Bench = { ...sourceOf(sizes), store, seekNexts: 0, writing: 'single' };
  return lookUp(bench, {});
}
