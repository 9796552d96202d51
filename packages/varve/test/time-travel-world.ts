/** A database with a keyspace that keeps its past, and a clock in the hands of the test. */
import { type Database, type DatabaseOptions, type Keyspace, type RetentionOption, utf8 } from 'varve';
import { inMemory } from './in-memory.ts';
import { HandClock, START } from './ttl-world.ts';

export interface Past {
  readonly db: Database;
  readonly clock: HandClock;
  readonly data: Keyspace<string, string>;
}

/** A database in memory whose keyspace keeps ten seconds, or what is said. */
export async function past(
  retention: RetentionOption = { ms: 10_000 },
  options: DatabaseOptions = {},
): Promise<Past> {
  const clock = new HandClock();
  const db = await inMemory({ clock, ...options });
  const data = db.keyspace('data', { key: utf8, value: utf8, retention });
  return { db, clock, data };
}

export const settle = async (db: Database): Promise<void> => {
  await db.flush();
  await db.compact();
};
export const at = (ms: number): Date => new Date(START + ms);
export const entriesAt = ({ db, data }: Past, target: Date | number): string => {
  using state = db.at(target);
  return [...state.range(data)].map(([key, value]) => `${key}=${value}`).join(' ');
};
