/** What the parts of `longrun` share in their child process: opening, filling, deleting, waiting. */
import { setImmediate as turn } from 'node:timers/promises';
import {
  type Bytes,
  type Database,
  type DatabaseOptions,
  type Keyspace,
  type KeyspaceSettings,
  open,
  VarveError,
} from 'varve';
import { CHUNK, ChunkFiller, type KeyOrder } from '../chunk.ts';
import { KeyBuffer } from '../keys.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';
import { AWAITED, type Sizes, strategies, type Strategy } from './sizes.ts';

export interface Stage {
  readonly db: Database;
  readonly keyspace: Keyspace<Bytes, Bytes>;
}

/** What a database of these sizes may use: memtables, cache, and half the cache for indexes and filters. */
export function budgetBytes({ memtableBytes, cacheBytes }: Sizes): number {
  return 2 * memtableBytes + 1.5 * cacheBytes;
}

/** Memtables and cache as the sizes say, which then stay so; `rest` overrides. */
export async function openStage(
  path: string,
  sizes: Sizes,
  rest: DatabaseOptions = {},
  settings: KeyspaceSettings = {},
): Promise<Stage> {
  const { memtableBytes, cacheBytes } = sizes;
  const db = await open(path, {
    memtableBytesMax: 2 * memtableBytes,
    cacheBytesMax: cacheBytes,
    memoryBytesMax: budgetBytes(sizes),
    ...rest,
  });
  return { db, keyspace: db.keyspace('bench', { memtableBytes, ...settings }) };
}

/** Single puts, a turn of the event loop every thousand. */
export async function putAll(
  keyspace: Keyspace<Bytes, Bytes>,
  { keySize, valueSize, seed }: Sizes,
  entries: number,
  order: KeyOrder,
): Promise<void> {
  const values = new ValuePool(valueSize, new Random(seed));
  const filler = new ChunkFiller({ entries, keySize, random: new Random(seed + 1), values }, order);
  for (let from = 0; from < entries; from += CHUNK) {
    const chunk = filler.fill(from, Math.min(from + CHUNK, entries));
    for (let i = 0; i < chunk.count; i++) {
      const key = chunk.keys[i]!;
      const value = chunk.values[i]!;
      const refused = attempt(() => keyspace.put(key, value));
      if (refused) await keyspace.put(key, value, AWAITED);
    }
    await turn();
  }
}

/** A plain write; true when the database is busy: an awaited write waits until it is not. */
function attempt(write: () => void): boolean {
  try {
    write();
    return false;
  } catch (error) {
    if (error instanceof VarveError && error.kind === 'busy') return true;
    throw error;
  }
}

/** Deletes the keys of all numbers in [from, to) that `chosen` takes. */
export async function deleteAll(
  keyspace: Keyspace<Bytes, Bytes>,
  { keySize }: Sizes,
  from: number,
  to: number,
  chosen: (key: number) => boolean = () => true,
): Promise<void> {
  const key = new KeyBuffer(keySize);
  for (let i = from; i < to; i++) {
    if (chosen(i)) {
      key.set(i);
      const refused = attempt(() => keyspace.delete(key.bytes));
      if (refused) await keyspace.delete(key.bytes, AWAITED);
    }
    if (i % CHUNK === 0) await turn();
  }
}

/** What the event 'compaction' tells, as far as it is used here. */
export interface Compacted {
  readonly fromLevel: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ms: number;
}

export function onCompaction(db: Database, listener: (compacted: Compacted) => void): void {
  db.events.addEventListener('compaction', (event) => listener((event as CustomEvent<Compacted>).detail));
}

/** Bytes of all tables. */
export function tableBytes(db: Database): number {
  return Object.values(db.stats().keyspaces).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The strategies that this release has. */
export function strategiesOf(db: Database): readonly Strategy[] {
  return strategies.filter((strategy) => offers(db, `has-${strategy}`, { compaction: { strategy } }));
}

/** Can a keyspace be set so? One that a later release brings is refused by name. */
export function offers(db: Database, name: string, settings: KeyspaceSettings): boolean {
  try {
    db.keyspace(name, settings);
    return true;
  } catch (error) {
    if (error instanceof VarveError && error.kind === 'invalid') return false;
    throw error;
  }
}
