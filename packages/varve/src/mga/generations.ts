/**
 * Which keyspaces of indexes are in use in this process beside those that are stored: half-built ones, and old ones that a walk still
 * reads. All others are left of something that did not come to its end, and are dropped when an index is opened.
 *
 * Invariant: a keyspace's name is never given twice to one open database, so whoever drops by name drops what it means. Owner's
 * thread.
 */
import type { Database } from '../index.ts';
import { ENTRY_CODEC, type IndexRecords, keyspaceName, partsOf } from './index-records.ts';

class Generations {
  /** Of each index, the last one that was given. */
  readonly last = new Map<string, number>();
  /** By name. */
  readonly held = new Set<string>();
  /** Those of before this process were looked for. */
  hasLooked = false;
}

const databases = new WeakMap<Database, Generations>();

function of(db: Database): Generations {
  let generations = databases.get(db);
  if (generations === undefined) databases.set(db, (generations = new Generations()));
  return generations;
}

/** A number that no keyspace of the index has had since the database was opened; its keyspace is held. */
export function nextGeneration(db: Database, index: string): number {
  const { last } = of(db);
  let generation = (last.get(index) ?? 0) + 1;
  for (const keyspace of db.keyspaces()) {
    const parts = partsOf(keyspace);
    if (parts?.index === index && parts.generation >= generation) generation = parts.generation + 1;
  }
  last.set(index, generation);
  holdKeyspace(db, keyspaceName(index, generation));
  return generation;
}

/** It is no leftover, until it is released or dropped. */
export function holdKeyspace(db: Database, keyspace: string): void {
  of(db).held.add(keyspace);
}

export function releaseKeyspace(db: Database, keyspace: string): void {
  of(db).held.delete(keyspace);
}

/** Drops a keyspace that was held; one that can not be dropped is a leftover from then on. */
export async function dropHeld(db: Database, keyspace: string): Promise<void> {
  try {
    await db.dropKeyspace(keyspace);
  } finally {
    releaseKeyspace(db, keyspace);
  }
}

/**
 * Drops what is left of rebuilds, moves and drops: of the index, and the first time of all. What can not be dropped now, because the
 * disk is full or the database read-only, stays.
 */
export async function dropLeftovers(db: Database, records: IndexRecords, index: string): Promise<void> {
  const generations = of(db);
  const all = !generations.hasLooked;
  generations.hasLooked = true;
  const left = db.keyspaces().filter((keyspace) => {
    const parts = partsOf(keyspace);
    if (parts === undefined || (!all && parts.index !== index) || generations.held.has(keyspace))
      return false;
    return records.get(parts.index)?.generation !== parts.generation;
  });
  if (left.length === 0) return;
  const { keyspaces } = db.stats();
  for (const keyspace of left) {
    // Somebody else's may have such a name.
    if (keyspaces[keyspace]?.valueCodec !== ENTRY_CODEC) continue;
    await db.dropKeyspace(keyspace).catch(() => {});
  }
}
