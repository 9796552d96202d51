/**
 * A log that is replayed: one process writes it into memtables that are too large to be flushed, hands it over to the
 * system and waits to be killed; the next one opens the database.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { CHUNK, ChunkFiller } from '../../chunk.ts';
import { entriesMax, KeyBuffer } from '../../keys.ts';
import { type Open, openWith, sourceOf } from './database.ts';
import { timeOpening } from './open.ts';
import type { LogFilled, Opened, Sizes } from './results.ts';

/** Memtable memory for a byte of log: entries take less than this many times their record in it. */
const ROOM = 4;

/** The database stays open, and the process alive. */
export async function fillLog(path: string, sizes: Sizes): Promise<LogFilled> {
  const { db } = await openRoomy(path, sizes);
  const keyspace = db.keyspace('bench');
  const filler = new ChunkFiller(sourceOf(sizes, Math.min(entriesMax, keysOf(sizes))), 'scattered');
  let puts = 0;
  while (db.stats().written.log < sizes.logBytes) {
    const { keys, values, count } = filler.fill(puts, puts + CHUNK);
    for (let i = 0; i < count; i++) keyspace.put(keys[i]!, values[i]!);
    puts += count;
    await turn();
  }
  await db.sync('os');
  const { log, flush } = db.stats().written;
  // The channel to the parent keeps the process alive, and the parent kills it.
  return { logBytes: log, puts, flushBytes: flush };
}

/** More keys than there is room for in the log, so that none comes twice. */
function keysOf({ logBytes, keySize, valueSize }: Sizes): number {
  return Math.ceil(logBytes / (keySize + valueSize)) + CHUNK;
}

export async function replay(path: string, sizes: Sizes): Promise<Opened> {
  await import('varve');
  // The scattered order begins with key 0.
  const first = new KeyBuffer(sizes.keySize);
  return await timeOpening(() => openRoomy(path, sizes), first.bytes);
}

async function openRoomy(path: string, { logBytes, cacheBytes }: Sizes): Promise<Open> {
  const memtableBytes = ROOM * logBytes;
  const memtableBytesMax = 2 * memtableBytes;
  const memoryBytesMax = memtableBytesMax + 2 * cacheBytes;
  return await openWith(path, { memtableBytesMax, memoryBytesMax, logBytesMax: 8 * logBytes }, memtableBytes);
}
