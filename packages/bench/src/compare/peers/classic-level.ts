/**
 * classic-level: LevelDB 1.20 behind Node-API. It always has a Bloom filter of 10 bits a key. Gets are synchronous
 * (getSync); everything else goes through the thread pool.
 */
import { ClassicLevel } from 'classic-level';
import { formatBinaryBytes } from '../../format.ts';
import { counted, type Scan, type Store, type Writes } from '../../store.ts';
import type { StoreSettings } from './settings.ts';

type Db = ClassicLevel<Uint8Array, Uint8Array>;
type LevelEntry = readonly [Uint8Array, Uint8Array];

/** Entries per call of nextv. */
const STRIDE = 1_000;
const LAST_KEY = new Uint8Array(64).fill(255);

export async function open(settings: StoreSettings): Promise<Store> {
  const { path, cacheBytes, memtableBytes } = settings;
  const db: Db = new ClassicLevel<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: cacheBytes,
    writeBufferSize: memtableBytes,
    compression: false,
  });
  await db.open();
  return {
    settings: [
      `filter of 10 bits a key (built in), blocks of 4 KiB, no compression; write buffer ${formatBinaryBytes(memtableBytes)}, block cache ${formatBinaryBytes(cacheBytes)}; sync off`,
      'single: 1,000 put() under way at once; batch: batch() of 1,000; get: getSync(); scans: nextv(1000)',
    ],
    put: (key, value) => db.put(key, value),
    putEach: ({ keys, values, count }) => all(count, (i) => db.put(keys[i]!, values[i]!)),
    putBatch: (writes) => {
      const batch = db.batch();
      for (let i = 0; i < writes.count; i++) batch.put(writes.keys[i]!, writes.values[i]!);
      return batch.write();
    },
    putSynced: (key, value) => db.put(key, value, { sync: true }),
    deleteEach: ({ keys, count }) => all(count, (i) => db.del(keys[i]!)),
    deleteBatch: (writes: Writes) => {
      const batch = db.batch();
      for (let i = 0; i < writes.count; i++) batch.del(writes.keys[i]!);
      return batch.write();
    },
    get: (key) => db.getSync(key),
    getBorrowed: undefined,
    async getMany(keys) {
      let found = 0;
      for (const value of await db.getMany(keys)) if (value !== undefined) found++;
      return found;
    },
    scan: (reverse) => new LevelScan(db, reverse),
    async seekScan(key, count) {
      const iterator = db.iterator({ gte: key, limit: count });
      const entries = await iterator.nextv(count);
      await iterator.close();
      return entries.length;
    },
    sync: () => {},
    flush: () => db.compactRange(LAST_KEY, LAST_KEY),
    compact: () => db.compactRange(new Uint8Array(1), LAST_KEY),
    close: () => db.close(),
  };
}

/** Starts `count` calls at once. */
async function all(count: number, call: (index: number) => Promise<void>): Promise<void> {
  const pending: Promise<void>[] = new Array(count);
  for (let i = 0; i < count; i++) pending[i] = call(i);
  await Promise.all(pending);
}

class LevelScan implements Scan {
  readonly #iterator: { nextv(size: number): Promise<LevelEntry[]>; close(): Promise<void> };

  constructor(db: Db, reverse: boolean) {
    this.#iterator = db.iterator({ reverse });
  }

  async next(count: number): Promise<number> {
    let read = 0;
    let bytes = 0;
    while (read < count) {
      const entries: readonly LevelEntry[] = await this.#iterator.nextv(Math.min(STRIDE, count - read));
      if (entries.length === 0) break;
      for (const [key, value] of entries) bytes += key.length + value.length;
      read += entries.length;
    }
    return counted(read, bytes);
  }

  async close(): Promise<void> {
    await this.#iterator.close();
  }
}
