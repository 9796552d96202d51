/** Databases whose long values lie in blob files, in memory and with the time in the hands of the test. */
import type { Cursor, Database, DatabaseOptions, Keyspace } from 'varve';
import { MemoryFs } from 'varve/testing';
import { onTestFinished } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { key, small } from './small-tables.ts';

export type Texts = Keyspace<string, string>;
export const settings = { ...small, blobValueBytes: 64 } as const;

/** Short and long ones in turns. */
export const valueOf = (number: number, round = 0): string =>
  `${round}/${number}`.padEnd(number % 3 === 0 ? 10 : 150, '-');

export interface World {
  readonly db: Database;
  readonly fs: MemoryFs;
  readonly time: ManualScheduler;
  readonly data: Texts;
}

export async function world(options: DatabaseOptions = {}, fs = new MemoryFs()): Promise<World> {
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual', ...options });
  onTestFinished(() => time.run(db.close()).catch(() => undefined));
  return { db, fs, time, data: db.keyspace('data', settings) };
}

/** `count` keys in tables. */
export async function filled(count: number, options: DatabaseOptions = {}): Promise<World> {
  const made = await world(options);
  for (let i = 0; i < count; i++) made.data.put(key(i), valueOf(i));
  await made.time.run(made.db.flush());
  return made;
}

export const blobsOf = (db: Database) => db.stats().keyspaces['data']!.blobs;
export const blobNames = (fs: MemoryFs): string[] => fs.list('/db').filter((name) => name.endsWith('.blob'));

export function removeBlobs(fs: MemoryFs): void {
  for (const name of blobNames(fs)) fs.remove(`/db/${name}`);
}

/** Every step of a cursor as `key=value`. */
export function steps(cursor: Cursor): string[] {
  const found: string[] = [];
  const text = new TextDecoder();
  while (cursor.next()) found.push(`${text.decode(cursor.key)}=${text.decode(cursor.value)}`);
  cursor.close();
  return found;
}
