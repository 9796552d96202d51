/** A database in memory that closes with its test, and a keyspace of texts. */
import { type Database, type DatabaseOptions, type Keyspace, open, utf8 } from 'varve';
import { onTestFinished } from 'vitest';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export async function inMemory(options: DatabaseOptions = {}): Promise<Database> {
  const db = await open(':memory:', options);
  onTestFinished(() => db.close());
  return db;
}

export type Texts = Keyspace<string, string>;
export const texts = (db: Database, name = 'texts'): Texts => db.keyspace(name, { key: utf8, value: utf8 });
