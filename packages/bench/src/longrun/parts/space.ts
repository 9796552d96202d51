/**
 * Bytes of tables after every key was overwritten again and again, over those of the same data freshly compacted: what
 * background compaction leaves behind by itself, for each strategy that keeps all data.
 */
import { atLeast, atMost, type Figure, times } from '../../large/figures.ts';
import { comeToRest } from '../../large/tasks/rest.ts';
import type { Sizes, Strategy } from '../sizes.ts';
import { openStage, putAll, strategiesOf, tableBytes } from '../stage.ts';

const SPACE_MAX: Readonly<Partial<Record<Strategy, number>>> = { leveled: 1.3, tiered: 2 };
const LIVE_MIN = 70;

export async function measureSpace(path: string, sizes: Sizes): Promise<Figure[]> {
  const probe = await openStage(`${path}/probe`, sizes);
  const there = strategiesOf(probe.db).filter((strategy) => strategy !== 'fifo');
  await probe.db.close();
  const figures: Figure[] = [];
  for (const strategy of there) figures.push(...(await measureOne(`${path}/${strategy}`, sizes, strategy)));
  return figures;
}

async function measureOne(path: string, sizes: Sizes, strategy: Strategy): Promise<Figure[]> {
  const { db, keyspace } = await openStage(path, sizes, {}, { compaction: { strategy } });
  let most = 0;
  const look = (): void => {
    most = Math.max(most, tableBytes(db));
  };
  db.events.addEventListener('flush', look);
  db.events.addEventListener('compaction', look);
  for (let round = 0; round <= sizes.overwrites; round++) {
    await putAll(
      keyspace,
      { ...sizes, seed: sizes.seed + round },
      sizes.keys,
      round === 0 ? 'scattered' : 'random',
    );
  }
  const restSeconds = await comeToRest(db, sizes.restMs);
  const left = tableBytes(db);
  const { written } = db.stats();
  await db.compact();
  const fresh = tableBytes(db);
  await db.close();
  const name = `after ${sizes.overwrites} rounds of overwriting, ${strategy}`;
  const data = (1 + sizes.overwrites) * sizes.keys * (sizes.keySize + sizes.valueSize);
  return [
    atMost(`space amplification ${name}`, SPACE_MAX[strategy], left / fresh, times, [
      `at rest ${restSeconds.toFixed(1)} s after the last put; at the most ${times(most / fresh)} meanwhile; ` +
        `written ${times((written.flush + written.compaction) / data)}`,
    ]),
    atLeast(`live data ${name}`, LIVE_MIN, (100 * fresh) / left, percent),
  ];
}

const percent = (value: number): string => `${value.toFixed(1)} %`;
