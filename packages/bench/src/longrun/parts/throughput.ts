/**
 * What one thread merges: a level of all keys and a new version of each of them in level 0, which one job of
 * `db.compact()` merges. Bytes of tables that go in, over the time from its start to its installation.
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
    const merges = await mergesOf(`${path}/${codec}`, sizes, codec);
    const rates = merges.map(({ bytesIn, ms }) => bytesIn / 1e3 / ms);
    const entryBytes = sizes.keySize + sizes.valueSize;
    const data = merges.map(({ ms }) => (2 * sizes.keys * entryBytes) / 1e3 / ms);
    figures.push(
      atLeast(`compaction, one thread, ${codec}`, MBPS_MIN[codec], median(rates), mbps, [
        `${spread(rates, mbps)} in ${rates.length} merges of ${Math.round(merges[0]!.bytesIn / 1e6)} MB; ` +
          `${mbps(median(data))} of keys and values before compression`,
      ]),
    );
  }
  return figures;
}

async function mergesOf(path: string, sizes: Sizes, codec: Codec): Promise<Compacted[]> {
  const compaction = { strategy: 'leveled', level0Files: NEVER } as const;
  const { db, keyspace } = await openStage(path, sizes, { workers: 1 }, { compression: codec, compaction });
  await putAll(keyspace, sizes, sizes.keys, 'scattered');
  await db.flush();
  await db.compact();
  const merges: Compacted[] = [];
  onCompaction(db, (merge) => {
    if (merge.fromLevel === 0) merges.push(merge);
  });
  for (let round = 0; round < sizes.rounds; round++) {
    await putAll(keyspace, sizes, sizes.keys, 'scattered');
    await db.flush();
    await db.compact();
  }
  await db.close();
  if (merges.length < sizes.rounds) throw new Error(`${merges.length} merges of level 0 were measured`);
  return merges;
}

const mbps = (value: number): string => `${value.toFixed(0)} MB/s`;
