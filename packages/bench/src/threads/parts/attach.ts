/**
 * How long it takes in a worker thread that runs, and has the package loaded, until it has attached a database and read one key:
 * `attach` alone leaves the manifest to the first operation. By the number of the database's tables.
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Database, open } from 'varve';
import { CHUNK, ChunkFiller } from '../../chunk.ts';
import { formatCount } from '../../format.ts';
import { atMost, type Figure, milliseconds } from '../../large/figures.ts';
import { Random } from '../../random.ts';
import { ValuePool } from '../../values.ts';
import { median, spread } from '../ratio.ts';
import type { Sizes } from '../sizes.ts';

const MAX_MS = 60;
/** The least that a table may have: a database of a thousand tables is made soon. */
const TABLE_BYTES = 4096;
const CHUNKS_MAX = 10_000;

export async function measureAttach(path: string, sizes: Sizes): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const tables of sizes.tables) {
    const times = await timesWith(tables, join(path, String(tables)), sizes);
    figures.push(
      atMost(
        `attach and one get, ${formatCount(tables)} tables or more`,
        MAX_MS,
        median(times.readyMs),
        milliseconds,
        [
          `${spread(times.readyMs, milliseconds)} in ${times.readyMs.length} calls, the first ${milliseconds(times.readyMs[0]!)}; ${times.tables} tables`,
          `attach alone ${milliseconds(median(times.attachMs))}, ${spread(times.attachMs, milliseconds)}`,
        ],
      ),
    );
  }
  return figures;
}

export interface AttachTimes {
  readonly attachMs: readonly number[];
  readonly readyMs: readonly number[];
}

async function timesWith(
  tables: number,
  path: string,
  { attachments, keySize, valueSize, seed }: Sizes,
): Promise<AttachTimes & { tables: number }> {
  mkdirSync(path);
  const db = await open(path);
  const keyspace = db.keyspace('bench', { tableBytes: TABLE_BYTES });
  const random = new Random(seed);
  const values = new ValuePool(valueSize, random);
  const filler = new ChunkFiller({ entries: CHUNKS_MAX * CHUNK, keySize, random, values }, 'sequential');
  const perTable = Math.ceil(TABLE_BYTES / (keySize + valueSize));
  for (let from = 0, found = 0; found < tables; found = tablesOf(db)) {
    const to = from + (tables - found) * perTable;
    for (; from < to; from += CHUNK) {
      const { keys, values: slots, count } = filler.fill(from, Math.min(to, from + CHUNK));
      for (let i = 0; i < count; i++) keyspace.put(keys[i]!, slots[i]!);
      await turn();
    }
    await db.flush();
    await db.compact();
  }
  const entry = new URL(`attach.worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(entry, { workerData: attachments });
  await once(worker, 'message');
  worker.postMessage(db.share());
  const [times] = (await once(worker, 'message')) as [AttachTimes];
  // Its end may have come together with the message: nobody would hear of it any more.
  await worker.terminate();
  const found = tablesOf(db);
  await db.close();
  return { ...times, tables: found };
}

function tablesOf(db: Database): number {
  return db.stats().keyspaces['bench']!.levels.reduce((sum, { files }) => sum + files, 0);
}
