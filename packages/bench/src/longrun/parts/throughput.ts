/**
 * What one thread merges: each round puts a new version of every key, and `db.compact()` takes them down to where the old
 * ones are: out of level 0, by way of the base level. Bytes of tables that go into a round's merges, over the time from the
 * start of each to its installation.
 */
import type { Codec } from 'varve';
import { atLeast, type Figure } from '../../large/figures.ts';
import { median, spread } from '../../threads/ratio.ts';
import type { Sizes } from '../sizes.ts';
import { type Compacted, onCompaction, openStage, putAll } from '../stage.ts';

const MBPS_MIN: Readonly<Record<'none' | 'lz4', number>> = { none: 150, lz4: 100 };
/** So many files in level 0 are never due: only what is asked for is compacted. */
const NEVER = 1000;

export async function measureThroughput(path: string, sizes: Sizes): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const codec of ['none', 'lz4'] as const) {
    const rounds = await roundsOf(`${path}/${codec}`, sizes, codec);
    const rates = rounds.map((merges) => rate(merges));
    const fromLevel0 = rounds.flat().filter(({ fromLevel }) => fromLevel === 0);
    const below = rounds.flat().filter(({ fromLevel }) => fromLevel > 0);
    figures.push(
      atLeast(`compaction, one thread, ${codec}`, MBPS_MIN[codec], median(rates), mbps, [
        `${spread(rates, mbps)} in ${rates.length} rounds of ${Math.round(bytesIn(rounds[0]!) / 1e6)} MB`,
        `out of level 0 ${mbps(rate(fromLevel0))}, below it ${mbps(rate(below))}`,
      ]),
    );
  }
  return figures;
}

async function roundsOf(path: string, sizes: Sizes, codec: Codec): Promise<Compacted[][]> {
  const compaction = { strategy: 'leveled', level0Files: NEVER } as const;
  const { db, keyspace } = await openStage(path, sizes, { workers: 1 }, { compression: codec, compaction });
  await putAll(keyspace, sizes, sizes.keys, 'scattered');
  await db.compact();
  let merges: Compacted[] = [];
  onCompaction(db, (merge) => {
    // What is only moved takes no time.
    if (merge.bytesOut > 0) merges.push(merge);
  });
  const rounds: Compacted[][] = [];
  for (let round = 0; round < sizes.rounds; round++) {
    merges = [];
    await putAll(keyspace, sizes, sizes.keys, 'scattered');
    await db.compact();
    rounds.push(merges);
  }
  await db.close();
  if (!rounds.every((each) => each.some(({ fromLevel }) => fromLevel === 0))) {
    throw new Error('a round has merged nothing out of level 0');
  }
  return rounds;
}

const bytesIn = (merges: readonly Compacted[]): number =>
  merges.reduce((sum, merge) => sum + merge.bytesIn, 0);

/** MB a second. */
const rate = (merges: readonly Compacted[]): number =>
  bytesIn(merges) / 1e3 / merges.reduce((sum, { ms }) => sum + ms, 0);

const mbps = (value: number): string => `${value.toFixed(0)} MB/s`;
