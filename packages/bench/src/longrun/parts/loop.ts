/**
 * How long the event loop is held up while awaited writes come as fast as they can, with flushes and compactions beside:
 * as many as there are under way at a time, and then a turn of the loop, as requests come in. Those awaited at `disk` come
 * through the loop by themselves. A loop of awaits at `os` with nothing in between never gives the loop a turn, as promises
 * do; it is shown beside, without a limit.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Durability } from 'varve';
import { whileWatched } from '../../async/loop-delay.ts';
import { formatRate } from '../../format.ts';
import { KeyBuffer } from '../../keys.ts';
import { atMost, type Figure, milliseconds } from '../../large/figures.ts';
import { Random } from '../../random.ts';
import { ValuePool } from '../../values.ts';
import type { Sizes } from '../sizes.ts';
import { openStage, type Stage } from '../stage.ts';

const P99_MS_MAX = 10;
const AT_ONCE = 64;
const WARM_UP = 50_000;

interface Way {
  readonly name: string;
  readonly durability: Durability;
  readonly turns: boolean;
  /** Of all entries. */
  readonly share: number;
  readonly limit: number | undefined;
}

const ways: readonly Way[] = [
  { name: 'os', durability: 'os', turns: true, share: 1, limit: P99_MS_MAX },
  { name: 'disk', durability: 'disk', turns: false, share: 0.1, limit: P99_MS_MAX },
  { name: 'os, never a turn', durability: 'os', turns: false, share: 0.1, limit: undefined },
];

export async function measureLoop(path: string, sizes: Sizes): Promise<Figure[]> {
  const stage = await openStage(path, sizes);
  const figures: Figure[] = [];
  for (const way of ways) {
    const count = Math.ceil(way.share * sizes.keys);
    await write(stage, sizes, Math.min(count, WARM_UP), way);
    const delay = await whileWatched(() => write(stage, sizes, count, way));
    figures.push(
      atMost(`event loop under awaited writes (${way.name}), p99`, way.limit, delay.p99Ms, milliseconds, [
        `${AT_ONCE} at a time, ${formatRate(count / (delay.ms / 1e3))}; p50 ${milliseconds(delay.p50Ms)}, longest ${milliseconds(delay.maxMs)}; ` +
          `by processor time p99 ${milliseconds(delay.cpuP99Ms)}, longest ${milliseconds(delay.cpuMaxMs)}`,
      ]),
    );
  }
  await stage.db.close();
  return figures;
}

/** Random keys, so that flushes and compactions run beside. */
async function write({ keyspace }: Stage, sizes: Sizes, count: number, way: Way): Promise<void> {
  const random = new Random(sizes.seed);
  const values = new ValuePool(sizes.valueSize, random);
  const wait = { durability: way.durability };
  let left = count;
  const put = async (key: KeyBuffer): Promise<void> => {
    left--;
    key.set(random.below(sizes.keys));
    await keyspace.put(key.bytes, values.next(), wait);
  };
  const lanes = Array.from({ length: AT_ONCE }, () => new KeyBuffer(sizes.keySize));
  while (left > 0 && way.turns) {
    await Promise.all(lanes.map(put));
    await turn();
  }
  await Promise.all(
    lanes.map(async (key) => {
      while (left > 0) await put(key);
    }),
  );
}
