/** Random gets while a compaction runs, over the same gets while nothing does; rounds alternate, medians count. */
import { setImmediate as turn } from 'node:timers/promises';
import { Histogram } from '../../histogram.ts';
import { KeyBuffer } from '../../keys.ts';
import { type Figure, microseconds } from '../../large/figures.ts';
import { Random } from '../../random.ts';
import { median, quotients, ratio } from '../../threads/ratio.ts';
import type { Sizes } from '../sizes.ts';
import { onCompaction, openStage, putAll, type Stage } from '../stage.ts';

const THROUGHPUT_MIN = 0.6;
const TAIL_MAX = 5;
const CHUNK = 100;

interface Reads {
  readonly perSecond: number;
  readonly p99Us: number;
}

export async function measureForeground(path: string, sizes: Sizes): Promise<Figure[]> {
  const stage = await openStage(path, sizes);
  const { db, keyspace } = stage;
  await putAll(keyspace, sizes, sizes.keys, 'scattered');
  await db.compact();
  let mergedBytes = 0;
  onCompaction(db, ({ bytesOut }) => {
    mergedBytes += bytesOut;
  });
  const idle: Reads[] = [];
  const beside: Reads[] = [];
  for (let round = 0; round <= sizes.rounds; round++) {
    const quiet = await read(stage, sizes, round);
    const work = { isWanted: true };
    const compacting = (async () => {
      while (work.isWanted) await db.compact();
    })();
    const busy = await read(stage, sizes, round);
    work.isWanted = false;
    await compacting;
    // The first round compiles the code and fills the cache.
    if (round === 0) continue;
    idle.push(quiet);
    beside.push(busy);
  }
  await db.close();
  if (mergedBytes === 0) throw new Error('nothing was compacted beside the reads');
  const of = (reads: readonly Reads[], pick: (one: Reads) => number): number[] => reads.map(pick);
  const rates = [beside, idle].map((reads) => of(reads, ({ perSecond }) => perSecond));
  const tails = [beside, idle].map((reads) => of(reads, ({ p99Us }) => p99Us));
  return [
    ratio({
      name: 'random gets while compacting over idle',
      min: THROUGHPUT_MIN,
      rounds: quotients(rates[0]!, rates[1]!),
      notes: [
        `${Math.round(median(rates[0]!))}/s and ${Math.round(median(rates[1]!))}/s; ${Math.round(mergedBytes / 1e6)} MB were written by compactions`,
      ],
    }),
    ratio({
      name: 'their p99 over idle',
      max: TAIL_MAX,
      rounds: quotients(tails[0]!, tails[1]!),
      notes: [`${microseconds(median(tails[0]!))} and ${microseconds(median(tails[1]!))}`],
    }),
  ];
}

async function read({ keyspace }: Stage, sizes: Sizes, round: number): Promise<Reads> {
  const random = new Random(sizes.seed + round);
  const key = new KeyBuffer(sizes.keySize);
  const latencies = new Histogram();
  const start = performance.now();
  let before = start;
  while (before - start < sizes.readMs) {
    for (let i = 0; i < CHUNK; i++) {
      key.set(random.below(sizes.keys));
      if (keyspace.get(key.bytes) === undefined) throw new Error('a key is not found');
      const after = performance.now();
      latencies.record((after - before) * 1e6);
      before = after;
    }
    await turn();
    // What other work the event loop does in between is in the rate and in no get.
    before = performance.now();
  }
  const seconds = (performance.now() - start) / 1e3;
  return { perSecond: latencies.count / seconds, p99Us: latencies.percentile(0.99) / 1e3 };
}
