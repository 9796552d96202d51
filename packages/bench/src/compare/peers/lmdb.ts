/**
 * lmdb: LMDB through lmdb-js. Single puts are collected by lmdb-js and committed by its own thread; a batch is a
 * synchronous transaction. `get` copies (getBinary); `getBorrowed` does not (getBinaryFast).
 */
import { open as openEnvironment, type RangeIterable, type RootDatabase } from 'lmdb';
import { counted, type Scan, type Store } from '../../store.ts';
import type { StoreSettings } from './settings.ts';

type Db = RootDatabase<Uint8Array, Uint8Array>;
type Entries = RangeIterable<{ key: Uint8Array; value: Uint8Array }>;

// The package does not know that it is asynchronous: opening is one synchronous call.
export function open({ path, synced }: StoreSettings): Promise<Store> {
  const db: Db = openEnvironment<Uint8Array, Uint8Array>({
    path,
    encoding: 'binary',
    keyEncoding: 'binary',
    ...(synced ? { overlappingSync: false } : { noSync: true }),
  });
  const store: Store = {
    settings: [
      'defaults, binary keys and values; no block cache of its own (the system caches the mapped file), no filters, no compression, no log; noSync; in fillsync overlappingSync: false instead, so that a put resolves when it is on the disk',
      'single: 1,000 put() under way at once; batch: putSync() in transactionSync(); YCSB: putSync(); get: getBinary(), no-copy: getBinaryFast(); getMany: a loop of gets; compaction: none (a B-tree)',
    ],
    put: (key, value) => {
      db.putSync(key, value);
    },
    async putEach({ keys, values, count }) {
      let last: Promise<boolean> | undefined;
      for (let i = 0; i < count; i++) last = db.put(keys[i]!, values[i]!);
      await last;
    },
    putBatch: ({ keys, values, count }) => {
      db.transactionSync(() => {
        for (let i = 0; i < count; i++) db.putSync(keys[i]!, values[i]!);
      });
    },
    // Resolves after the sync, since syncs do not overlap with later commits.
    async putSynced(key, value) {
      await db.put(key, value);
    },
    async deleteEach({ keys, count }) {
      let last: Promise<boolean> | undefined;
      for (let i = 0; i < count; i++) last = db.remove(keys[i]!);
      await last;
    },
    deleteBatch: ({ keys, count }) => {
      db.transactionSync(() => {
        for (let i = 0; i < count; i++) db.removeSync(keys[i]!);
      });
    },
    get: (key) => db.getBinary(key),
    getBorrowed: (key) => db.getBinaryFast(key),
    getMany(keys) {
      let found = 0;
      for (const key of keys) if (db.getBinary(key) !== undefined) found++;
      return found;
    },
    scan: (reverse) => new RangeScan(db.getRange({ reverse })),
    seekScan(key, count) {
      let read = 0;
      let bytes = 0;
      for (const entry of db.getRange({ start: key, limit: count })) {
        bytes += entry.key.length + entry.value.length;
        read++;
      }
      return counted(read, bytes);
    },
    sync: () => {},
    flush: () => {},
    compact: () => {},
    close: () => db.close(),
  };
  return Promise.resolve(store);
}

class RangeScan implements Scan {
  readonly #iterator: Iterator<{ key: Uint8Array; value: Uint8Array }>;

  constructor(entries: Entries) {
    this.#iterator = entries[Symbol.iterator]();
  }

  next(count: number): number {
    let read = 0;
    let bytes = 0;
    while (read < count) {
      const step = this.#iterator.next();
      if (step.done === true) break;
      bytes += step.value.key.length + step.value.value.length;
      read++;
    }
    return counted(read, bytes);
  }

  close(): void {
    this.#iterator.return?.();
  }
}
