/** Varve as it is compared: defaults, but for the sizes that are the same for everybody. */
import { attach, open as openDatabase } from 'varve';
import { formatBinaryBytes } from '../../format.ts';
import type { Store } from '../../store.ts';
import { VarveStore } from '../../varve-store.ts';
import type { StoreSettings } from './settings.ts';

export async function open(settings: StoreSettings): Promise<Store> {
  const { path, cacheBytes, memtableBytes, handOver, shared } = settings;
  if (shared !== undefined) {
    const db = await attach(shared);
    return new VarveStore(db, db.keyspace('bench'), handOver);
  }
  const db = await openDatabase(path, {
    memtableBytesMax: 2 * memtableBytes,
    memoryBytesMax: 2 * memtableBytes + cacheBytes,
  });
  const keyspace = db.keyspace('bench', { memtableBytes });
  return new VarveStore(db, keyspace, handOver, [
    `defaults: filters of 10 bits a key, blocks of 4 KiB, no compression; memtables ${formatBinaryBytes(memtableBytes)}, two at most; ` +
      `${formatBinaryBytes(cacheBytes)} for block cache and indexes; the log is synced in the background every 1,000 writes or 200 ms`,
    'single puts are plain puts in a loop that turns every 1,000, closed by sync("os"); one hand-over per put: syncNow("os") after each',
    'objects: for (const [key, value] of range()); cursor: range().cursor()',
  ]);
}
