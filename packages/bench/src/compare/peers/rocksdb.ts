/**
 * @nxtedition/rocksdb: the RocksDB binding with synchronous calls, which are its fastest and are used throughout.
 * It has no call for a compaction: the database is closed and opened again, which writes the memtable out, and left
 * alone until its own compactions have ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RocksLevel, type RocksIterator } from '@nxtedition/rocksdb';
import { formatBinaryBytes } from '../../format.ts';
import { counted, type Scan, type Store } from '../../store.ts';
import type { StoreSettings } from './settings.ts';

/** Entries per call of nextv. */
const STRIDE = 1_000;
const POLL_MS = 20;
const SYNC = { sync: true };
const NO_SYNC = {};

export async function open({ path, cacheBytes, shared }: StoreSettings): Promise<Store> {
  const start = async (): Promise<RocksLevel> => {
    const opened = new RocksLevel((shared as bigint | undefined) ?? path, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      createIfMissing: true,
      cacheSize: cacheBytes,
      compression: false,
      infoLogLevel: 'error',
    });
    await opened.open();
    return opened;
  };
  let db = await start();

  const write = (fill: (batch: ReturnType<RocksLevel['batch']>) => void, options: object): void => {
    const batch = db.batch();
    fill(batch);
    batch._writeSync(options);
    batch._closeSync();
  };
  const settle = async (): Promise<void> => {
    await db.close();
    db = await start();
    const busy = ['mem-table-flush-pending', 'compaction-pending', 'num-running-compactions'];
    while (busy.some((name) => db.getProperty(`rocksdb.${name}`) !== '0')) await sleep(POLL_MS);
  };
  return {
    settings: [
      `filter of 10 bits a key, blocks of 4 KiB, no compression; memtable 64 MiB (the binding cannot set it without ZSTD), block cache ${formatBinaryBytes(cacheBytes)} (HyperClock); sync off`,
      'single: a batch of one and its synchronous write; batch: 1,000; get: getMany of one key, synchronous; scans: nextv(1000), synchronous; no call for a compaction: closed, opened again, its own compactions waited for',
    ],
    get shared() {
      return db.handle;
    },
    put: (key, value) => write((batch) => batch._put(key, value, NO_SYNC), NO_SYNC),
    putEach({ keys, values, count }) {
      for (let i = 0; i < count; i++) {
        const batch = db.batch();
        batch._put(keys[i]!, values[i]!, NO_SYNC);
        batch._writeSync(NO_SYNC);
        batch._closeSync();
      }
    },
    putBatch: ({ keys, values, count }) =>
      write((batch) => {
        for (let i = 0; i < count; i++) batch._put(keys[i]!, values[i]!, NO_SYNC);
      }, NO_SYNC),
    putSynced(key, value) {
      write((batch) => batch._put(key, value, NO_SYNC), SYNC);
      return Promise.resolve();
    },
    deleteEach({ keys, count }) {
      for (let i = 0; i < count; i++) write((batch) => batch._del(keys[i]!, NO_SYNC), NO_SYNC);
    },
    deleteBatch: ({ keys, count }) =>
      write((batch) => {
        for (let i = 0; i < count; i++) batch._del(keys[i]!, NO_SYNC);
      }, NO_SYNC),
    get: (key) => db._getManySync([key], NO_SYNC)[0],
    getBorrowed: undefined,
    getMany(keys) {
      let found = 0;
      for (const value of db._getManySync(keys, NO_SYNC)) if (value !== undefined) found++;
      return found;
    },
    scan: (reverse) => new RowScan(iterate(db, { reverse })),
    seekScan(key, count) {
      const iterator = iterate(db, {});
      iterator._seekSync(key);
      const { rows } = iterator._nextvSync(count);
      iterator._closeSync();
      return rows.length / 2;
    },
    sync: () => {},
    flush: settle,
    compact: settle,
    close: () => db.close(),
  };
}

function iterate(db: RocksLevel, options: object): RocksIterator {
  return db.iterator({ ...options, keyEncoding: 'buffer', valueEncoding: 'buffer' });
}

class RowScan implements Scan {
  readonly #iterator: RocksIterator;
  #finished = false;

  constructor(iterator: RocksIterator) {
    this.#iterator = iterator;
  }

  next(count: number): number {
    let read = 0;
    let bytes = 0;
    while (read < count && !this.#finished) {
      const { rows, finished } = this.#iterator._nextvSync(Math.min(STRIDE, count - read));
      this.#finished = finished;
      for (let i = 0; i < rows.length; i++) bytes += rows[i]!.length;
      read += rows.length / 2;
    }
    return counted(read, bytes);
  }

  close(): void {
    this.#iterator._closeSync();
  }
}
