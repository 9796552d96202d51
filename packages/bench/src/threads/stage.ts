/** What every part of `threads` begins with: a store that is filled and compacted, and its numbers made comparable. */
import { setImmediate as turn } from 'node:timers/promises';
import { CHUNK, ChunkFiller } from '../chunk.ts';
import { type NodeEngine, openStore } from '../compare/peers/peer.ts';
import type { StoreSettings } from '../compare/peers/settings.ts';
import { Random } from '../random.ts';
import type { Store } from '../store.ts';
import { ValuePool } from '../values.ts';
import type { CrewData } from './crew.ts';
import type { Sizes } from './sizes.ts';
import type { Done } from './tasks.ts';

export interface Stage {
  readonly store: Store;
  /** For threads that open it too; the first use shares it. */
  crew(): CrewData;
}

/** A store at `path`, each key in it once, settled. */
export async function setStage(engine: NodeEngine, path: string, sizes: Sizes): Promise<Stage> {
  const { cacheBytes, memtableBytes, num: entries, keySize, valueSize, seed } = sizes;
  const settings: StoreSettings = { path, cacheBytes, memtableBytes, synced: false, handOver: 'tick' };
  const store = await openStore(engine, settings);
  const random = new Random(seed);
  const filler = new ChunkFiller(
    { entries, keySize, random, values: new ValuePool(valueSize, random) },
    'sequential',
  );
  for (let from = 0; from < entries; from += CHUNK) {
    await store.putBatch(filler.fill(from, Math.min(from + CHUNK, entries)));
    await turn();
  }
  await settle(store);
  return { store, crew: () => ({ engine, settings: { ...settings, shared: store.shared }, sizes }) };
}

/** Compacts the store and reads all of it once: the next run of reads meets what every run meets. */
export async function settle(store: Store): Promise<void> {
  await store.compact();
  const scan = store.scan(false, 'cursor');
  while ((await scan.next(CHUNK)) === CHUNK) await turn();
  await scan.close();
}

/** Operations a second of threads that ran at the same time. */
export function together(done: readonly Done[]): number {
  const start = Math.min(...done.map(({ startMs }) => startMs));
  const end = Math.max(...done.map(({ endMs }) => endMs));
  return (done.reduce((sum, { operations }) => sum + operations, 0) / (end - start)) * 1000;
}

/** Nanoseconds of one operation, by the clock. */
export function nanoseconds({ operations, startMs, endMs }: Done): number {
  return ((endMs - startMs) / operations) * 1e6;
}

/** The same of processor time: what other threads do to the machine is not in it. */
export function processorNanoseconds({ operations, processorMs }: Done): number {
  return (processorMs / operations) * 1e6;
}
