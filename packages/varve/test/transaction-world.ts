/** A database in memory with a few texts, for tests of transactions. */
import type { Database } from 'varve';
import { inMemory, type Texts, texts } from './in-memory.ts';

export async function transactionWorld(): Promise<{ db: Database; data: Texts }> {
  const db = await inMemory();
  const data = texts(db);
  for (const key of ['a', 'b', 'c', 'd']) data.put(key, `old ${key}`);
  return { db, data };
}
