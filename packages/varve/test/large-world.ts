/** Databases whose batches are small, so that transactions of a few hundred keys are larger than one. */
import { type Database, type DatabaseOptions, type Keyspace, type Transaction, utf8 } from 'varve';
import { inMemory } from './in-memory.ts';
import { key } from './small-tables.ts';

export type Entry = [string, string];
export type Data = Keyspace<string, string>;

export const smallBatches = { batchBytesMax: 4096 } as const;

export const codecs = { key: utf8, value: utf8 } as const;

export const entries = (from: number, to: number, value: string): Entry[] =>
  Array.from({ length: to - from }, (_, i) => [key(from + i), `${value} ${from + i} ${'x'.repeat(20)}`]);

export interface LargeWorld {
  readonly db: Database;
  readonly a: Data;
  readonly b: Data;
}

export async function largeWorld(options: DatabaseOptions = {}): Promise<LargeWorld> {
  const db = await inMemory({ ...smallBatches, ...options });
  return { db, a: db.keyspace('a', codecs), b: db.keyspace('b', codecs) };
}

/** More than a batch takes. */
export function putAll(tx: Transaction, data: Data, all: readonly Entry[]): void {
  for (const [name, value] of all) tx.put(data, name, value);
}
