/** Memory for each million entries beside the cache, the memtables and what the runtime itself takes. */
import { formatBytes } from '../../format.ts';
import { atMost, type Figure, megabytes } from '../figures.ts';
import type { Session } from '../session.ts';
import type { Remembered, Sizes } from '../tasks/results.ts';

const MB_MAX = 20;
const MILLION = 1e6;

export async function measureMemory(session: Session): Promise<Figure[]> {
  await session.filled();
  session.say('filling the cache');
  return memoryFigures(await session.run('memory', session.varvePath), session.sizes);
}

export function memoryFigures(measured: Remembered, { num }: Sizes): Figure[] {
  const { rssBytes, bareBytes, openedBytes, engine, cacheBytesMax } = measured;
  const millions = num / MILLION;
  const beside = rssBytes - bareBytes - engine.cache - engine.memtables;
  const perMillion = (bytes: number): number => bytes / MILLION / millions;
  return [
    atMost('memory per 1 M keys', MB_MAX, perMillion(beside), megabytes, [
      `resident ${formatBytes(rssBytes)}, less cache ${formatBytes(engine.cache)} of ${formatBytes(cacheBytesMax)}, ` +
        `memtables ${formatBytes(engine.memtables)}, bare runtime ${formatBytes(bareBytes)}: ${formatBytes(beside)}`,
      `before the first read ${formatBytes(openedBytes)} resident; includes threads and garbage, which do not grow with the keys`,
    ]),
    atMost(
      "by the engine's accounting",
      undefined,
      perMillion(engine.indexes + Math.max(0, engine.pool - engine.memtables)),
      megabytes,
      [
        `indexes and filters ${formatBytes(engine.indexes)}, memtable pool ${formatBytes(engine.pool)} of which memtables ${formatBytes(engine.memtables)}`,
      ],
    ),
  ];
}
