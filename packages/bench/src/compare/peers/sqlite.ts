/**
 * node:sqlite: one table without row ids, which is SQLite's ordered key-value store, with the log (WAL) on. Every call is
 * synchronous; statements are prepared once.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { formatBinaryBytes } from '../../format.ts';
import { counted, type Scan, type Store, type Writes } from '../../store.ts';
import type { StoreSettings } from './settings.ts';

export function open({ path, cacheBytes, synced }: StoreSettings): Promise<Store> {
  const db = new DatabaseSync(join(path, 'bench.sqlite'));
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synced ? 'FULL' : 'OFF'};
    PRAGMA cache_size = -${Math.floor(cacheBytes / 1024)}; PRAGMA temp_store = MEMORY;
    CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID`);
  const prepare = (sql: string): ReturnType<DatabaseSync['prepare']> => {
    const statement = db.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  const put = prepare('INSERT INTO entries VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value');
  const remove = prepare('DELETE FROM entries WHERE key = ?');
  const get = prepare('SELECT value FROM entries WHERE key = ?');
  const from = prepare('SELECT key, value FROM entries WHERE key >= ? ORDER BY key LIMIT ?');
  const begin = db.prepare('BEGIN');
  const commit = db.prepare('COMMIT');

  const putAll = ({ keys, values, count }: Writes): void => {
    for (let i = 0; i < count; i++) put.run(keys[i]!, values[i]!);
  };
  const deleteAll = ({ keys, count }: Writes): void => {
    for (let i = 0; i < count; i++) remove.run(keys[i]!);
  };
  const inTransaction = (write: (writes: Writes) => void, writes: Writes): void => {
    begin.run();
    write(writes);
    commit.run();
  };
  const lookUp = (key: Uint8Array): Uint8Array | undefined => rowOf(get.get(key))?.[0];
  const store: Store = {
    settings: [
      `a table WITHOUT ROWID, journal_mode WAL, synchronous OFF (FULL in fillsync), page cache ${formatBinaryBytes(cacheBytes)}, pages of 4 KiB, no filters, no compression`,
      'single: a statement that commits itself; batch: 1,000 in a transaction; getMany: a loop of gets; scans: iterate(), and all() after a seek, rows as arrays; compaction: checkpoint and VACUUM',
    ],
    put: (key, value) => {
      put.run(key, value);
    },
    putEach: putAll,
    putBatch: (writes) => inTransaction(putAll, writes),
    putSynced(key, value) {
      put.run(key, value);
      return Promise.resolve();
    },
    deleteEach: deleteAll,
    deleteBatch: (writes) => inTransaction(deleteAll, writes),
    get: lookUp,
    getBorrowed: undefined,
    getMany(keys) {
      let found = 0;
      for (const key of keys) if (lookUp(key) !== undefined) found++;
      return found;
    },
    scan: (reverse) =>
      new RowScan(
        prepare(`SELECT key, value FROM entries ORDER BY key ${reverse ? 'DESC' : 'ASC'}`).iterate(),
      ),
    seekScan: (key, count) => from.all(key, count).length,
    sync: () => {},
    flush: () => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'),
    compact: () => db.exec('PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)'),
    close() {
      db.close();
      return Promise.resolve();
    },
  };
  return Promise.resolve(store);
}

/** `setReturnArrays` makes a row an array, which the types of Node do not know. */
function rowOf(row: unknown): Uint8Array[] | undefined {
  return row as Uint8Array[] | undefined;
}

class RowScan implements Scan {
  readonly #rows: Iterator<unknown>;

  constructor(rows: Iterator<unknown>) {
    this.#rows = rows;
  }

  next(count: number): number {
    let read = 0;
    let bytes = 0;
    while (read < count) {
      const step = this.#rows.next();
      if (step.done === true) break;
      const [key, value] = rowOf(step.value)!;
      bytes += key!.length + value!.length;
      read++;
    }
    return counted(read, bytes);
  }

  close(): void {
    this.#rows.return?.();
  }
}
