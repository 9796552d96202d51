/** Opens the database once, in a process that does nothing else, and gets one key. */
import { KeyBuffer } from '../../keys.ts';
import { type Open, openDatabase } from './database.ts';
import type { Opened, Sizes } from './results.ts';

export async function open(path: string, sizes: Sizes): Promise<Opened> {
  // Loading the engine's code is no part of opening.
  await import('varve');
  const key = new KeyBuffer(sizes.keySize);
  key.set(sizes.num >> 1);
  return await timeOpening(() => openDatabase(path, sizes), key.bytes);
}

/** Opens, gets `key`, which must be there, and closes. */
export async function timeOpening(opening: () => Promise<Open>, key: Uint8Array): Promise<Opened> {
  const processor = process.cpuUsage();
  const start = performance.now();
  const { db, keyspace } = await opening();
  const opened = performance.now();
  const { user, system } = process.cpuUsage(processor);
  const isThere = keyspace.get(key) !== undefined;
  const got = performance.now();
  const { ms: replayMs, bytes: replayedBytes } = db.recovered;
  await db.close();
  if (!isThere) throw new Error('an entry of the database is missing');
  return {
    openMs: opened - start,
    processorMs: (user + system) / 1e3,
    firstGetMs: got - opened,
    replayMs,
    replayedBytes,
  };
}
