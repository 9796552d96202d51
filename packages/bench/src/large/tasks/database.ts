/**
 * The database of `large` in a child process: its settings, which are those that db_bench gets too, and its keys.
 * The engine is imported when a database is opened, so that a process can be weighed before.
 */
import type { Bytes, Database, DatabaseOptions, Keyspace } from 'varve';
import type { ChunkSource } from '../../chunk.ts';
import { Random } from '../../random.ts';
import { ValuePool } from '../../values.ts';
import type { Sizes } from './results.ts';

export interface Open {
  readonly db: Database;
  readonly keyspace: Keyspace<Bytes, Bytes>;
}

/** Two memtables, the cache, and as much as the cache once more, so that indexes and filters press on nothing. */
export async function openDatabase(path: string, sizes: Sizes): Promise<Open> {
  const { memtableBytes, cacheBytes, readMode } = sizes;
  const memtableBytesMax = 2 * memtableBytes;
  const memoryBytesMax = memtableBytesMax + 2 * cacheBytes;
  const options = { memtableBytesMax, memoryBytesMax, cacheBytesMax: cacheBytes, reads: readMode };
  return await openWith(path, options, memtableBytes);
}

export async function openWith(path: string, options: DatabaseOptions, memtableBytes: number): Promise<Open> {
  const { open } = await import('varve');
  const db = await open(path, options);
  return { db, keyspace: db.keyspace('bench', { memtableBytes }) };
}

/** Keys and values of `entries` entries. */
export function sourceOf(sizes: Sizes, entries: number = sizes.num): ChunkSource {
  const { keySize, valueSize, seed } = sizes;
  const values = new ValuePool(valueSize, new Random(seed));
  return { entries, keySize, random: new Random(seed + 1), values };
}
