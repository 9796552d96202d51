/** Random gets, Varve and db_bench in turn, each round in fresh processes and in the other order. */
import { median } from '../../compare/results.ts';
import { formatBinaryBytes, formatCount } from '../../format.ts';
import { atLeastRival, type Figure } from '../figures.ts';
import type { Session } from '../session.ts';

const RATIO = 1;

export async function measureRead(session: Session): Promise<Figure[]> {
  await session.filled();
  const { sizes, options } = session;
  const own: number[] = [];
  const rival: number[] = [];
  const readRocks = async (): Promise<void> => {
    const rate = await session.rocks.read(session.rocksPath, sizes, session.signal);
    if (rate !== undefined) rival.push(rate);
  };
  for (let round = 0; round < options.rounds; round++) {
    session.say(`reading, round ${round + 1}`);
    if (round % 2 === 1) await readRocks();
    const { opsPerSecond, found } = await session.run('read', session.varvePath);
    if (found !== sizes.reads)
      throw new Error(`${sizes.reads - found} of ${sizes.reads} keys were not found`);
    own.push(opsPerSecond);
    if (round % 2 === 0) await readRocks();
  }
  return [
    atLeastRival(
      `readrandom, cache ${formatBinaryBytes(sizes.cacheBytes)}`,
      RATIO,
      middle(own),
      rival.length === 0 ? undefined : middle(rival),
      (rate) => `${formatCount(rate)}/s`,
      [`each round ${formatCount(sizes.reads)} gets after as many without the clock; ${spread(own, rival)}`],
    ),
  ];
}

const middle = (values: readonly number[]): number => median(values.toSorted((a, b) => a - b));

function spread(own: readonly number[], rival: readonly number[]): string {
  const list = (rates: readonly number[]): string => rates.map(formatCount).join(' ');
  return `rounds: ${list(own)}${rival.length === 0 ? '' : `; db_bench: ${list(rival)}`}`;
}
