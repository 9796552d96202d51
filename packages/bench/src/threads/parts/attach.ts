/** How long `attach` takes in a worker thread that runs and has the package loaded, by the number of the database's tables. */
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { open } from 'varve';
import { CHUNK, ChunkFiller } from '../../chunk.ts';
import { atMost, type Figure, milliseconds } from '../../large/figures.ts';
import { Random } from '../../random.ts';
import { ValuePool } from '../../values.ts';
import { median, spread } from '../ratio.ts';
import type { Sizes } from '../sizes.ts';

const MAX_MS = 60;
/** The least that a table may have: a database of a thousand tables is made soon. */
const TABLE_BYTES = 4096;
const ROUNDS_MAX = 1_000;

export async function measureAttach(path: string, sizes: Sizes): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const tables of sizes.tables) {
    const times = await timesWith(tables, join(path, String(tables)), sizes);
    figures.push(
      atMost(`attach with ${times.tables} tables`, MAX_MS, median(times.attachMs), milliseconds, [
        `${spread(times.attachMs, milliseconds)} in ${times.attachMs.length} calls; the first ${milliseconds(times.attachMs[0]!)}; ` +
          `with a keyspace and a first get ${milliseconds(median(times.readyMs))}`,
      ]),
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
  const filler = new ChunkFiller({ entries: ROUNDS_MAX * CHUNK, keySize, random, values }, 'sequential');
  const tablesOf = (): number => readdirSync(path).filter((name) => name.endsWith('.sst')).length;
  for (let round = 0; round < ROUNDS_MAX && tablesOf() < tables; round++) {
    const perTable = Math.floor(TABLE_BYTES / (keySize + valueSize));
    const from = round * CHUNK;
    const missing = (tables - tablesOf()) * perTable;
    const { keys, values: slots, count } = filler.fill(from, from + Math.min(CHUNK, missing));
    for (let i = 0; i < count; i++) keyspace.put(keys[i]!, slots[i]!);
    await turn();
    await db.flush();
  }
  await db.compact();
  const entry = new URL(`attach.worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(entry, { workerData: attachments });
  await once(worker, 'message');
  worker.postMessage(db.share());
  const [times] = (await once(worker, 'message')) as [AttachTimes];
  await once(worker, 'exit');
  const found = tablesOf();
  await db.close();
  return { ...times, tables: found };
}
