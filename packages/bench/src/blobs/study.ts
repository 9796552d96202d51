/**
 * What `blobs` measures of one size of values: fill and overwrites in random order until compaction is at rest, then random gets, a
 * walk over everything and one over the keys. Written bytes are those of flushes and compactions, not of the log, which are
 * the same in both modes. Run in a child process of its own (child.ts).
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { type Database, open } from 'varve';
import { KeyBuffer, scatterStep } from '../keys.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';

const KEY_SIZE = 16;
const SEED = 301;
const CHUNK_BYTES = 256 * 1024;
const MIB = 2 ** 20;
/** Compaction is at rest when it has written nothing for so long. */
const REST_MS = 1_500;
const GETS = 20_000;

export const modes = ['tables', 'blobs'] as const;
export type Mode = (typeof modes)[number];

export interface Job {
  readonly mode: Mode;
  readonly path: string;
  readonly valueSize: number;
  readonly liveBytes: number;
  readonly overwrites: number;
  readonly memtables: number;
}

export interface Result {
  readonly writeAmplification: number;
  readonly putsPerSecond: number;
  readonly spaceAmplification: number;
  readonly getUs: number;
  readonly scanUs: number;
  readonly keysUs: number;
}

export async function measure(job: Job): Promise<Result> {
  const { mode, path, valueSize, liveBytes, overwrites, memtables } = job;
  const db = await open(path, {
    sync: 'manual',
    // Puts wait as long as compaction needs them to: that is what is measured.
    syncWaitMsMax: 60_000,
    memtableBytesMax: Math.max(4 * MIB, liveBytes / 8),
    cacheBytesMax: Math.max(4 * MIB, liveBytes / 4),
  });
  try {
    const data = db.keyspace('bench', {
      memtableBytes: Math.floor(liveBytes / memtables),
      tableBytes: Math.floor(liveBytes / memtables / 2),
      compaction: {
        strategy: 'leveled',
        level0Files: 4,
        level1Bytes: Math.floor((liveBytes * 2) / memtables),
      },
      ...(mode === 'blobs' && { blobValueBytes: Math.max(64, valueSize) }),
    });
    const entries = Math.floor(liveBytes / valueSize);
    const random = new Random(SEED);
    const values = new ValuePool(valueSize, random);
    const key = new KeyBuffer(KEY_SIZE);
    const step = scatterStep(entries);
    const puts = entries * (1 + overwrites);
    const chunk = Math.max(1, Math.floor(CHUNK_BYTES / valueSize));
    const started = performance.now();
    for (let i = 0, at = 0; i < puts; i++) {
      if (i < entries) {
        key.set(at);
        at = (at + step) % entries;
      } else key.set(random.below(entries));
      data.put(key.bytes, values.next());
      if (i % chunk === 0) await turn();
    }
    await db.flush();
    const busyMs = (await settled(db)) - started;
    const { user, flush, compaction } = db.stats().written;
    const takenBytes = bytesOf(path);
    const timed = (operations: number, run: () => void): number => {
      const begun = performance.now();
      run();
      return ((performance.now() - begun) * 1000) / operations;
    };
    const getUs = timed(GETS, () => {
      for (let i = 0; i < GETS; i++) {
        key.set(random.below(entries));
        if (data.get(key.bytes)?.length !== valueSize) throw new Error('a value that was put is not there');
      }
    });
    const scanUs = timed(entries, () => {
      let count = 0;
      for (const [, value] of data.range()) count += value.length === valueSize ? 1 : 0;
      if (count !== entries) throw new Error(`a walk found ${count} of ${entries} values`);
    });
    const keysUs = timed(entries, () => void data.count());
    return {
      writeAmplification: (flush + compaction) / user,
      putsPerSecond: (puts * 1000) / busyMs,
      spaceAmplification: takenBytes / (entries * (KEY_SIZE + valueSize)),
      getUs,
      scanUs,
      keysUs,
    };
  } finally {
    await db.close();
  }
}

/** Bytes of tables and blob files. */
function bytesOf(path: string): number {
  return readdirSync(path)
    .filter((name) => /\.(sst|blob)$/.test(name))
    .reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

/** Resolves when compaction is at rest, with the time at which it last wrote. */
async function settled(db: Database): Promise<number> {
  let last = performance.now();
  let before = db.stats().written.compaction;
  while (performance.now() - last < REST_MS) {
    await delay(50);
    const now = db.stats().written.compaction;
    if (now !== before) last = performance.now();
    before = now;
  }
  return last;
}
