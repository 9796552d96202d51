/** Space that comes back by itself after nine of ten keys were deleted, each by its own delete. */
import { setTimeout as sleep } from 'node:timers/promises';
import { atLeast, type Figure } from '../../large/figures.ts';
import { comeToRest } from '../../large/tasks/rest.ts';
import type { Sizes } from '../sizes.ts';
import { deleteAll, openStage, putAll, tableBytes } from '../stage.ts';

const RETURNED_MIN = 85;
const LOOK_MS = 50;

export async function measureDeletes(path: string, sizes: Sizes): Promise<Figure[]> {
  const { db, keyspace } = await openStage(path, sizes);
  await putAll(keyspace, sizes, sizes.keys, 'scattered');
  await comeToRest(db, sizes.restMs);
  const before = tableBytes(db);
  await deleteAll(keyspace, sizes, 0, sizes.keys, (key) => key % 10 !== 0);
  const start = performance.now();
  const returned = (): number => (100 * (before - tableBytes(db))) / before;
  let reachedMs: number | undefined;
  while (performance.now() - start < sizes.returnMs) {
    await sleep(LOOK_MS);
    if (reachedMs !== undefined || returned() < RETURNED_MIN) continue;
    reachedMs = performance.now() - start;
  }
  const inTime = returned();
  const reached = reachedMs === undefined ? 'not reached' : `reached after ${(reachedMs / 1e3).toFixed(1)} s`;
  const levels = db.stats().keyspaces['bench']!.levels.map(({ files }) => files);
  await db.compact();
  const possible = returned();
  await db.close();
  return [
    atLeast(
      `space returned ${sizes.returnMs / 1e3} s after deleting 90 % of the keys`,
      RETURNED_MIN,
      inTime,
      percent,
      [
        `of the bytes of the tables before; ${reached}; a manual compaction brings it to ${percent(possible)}`,
        `nothing was called in between, not even a flush; files by level: ${levels.join(' ')}`,
      ],
    ),
  ];
}

const percent = (value: number): string => `${value.toFixed(1)} %`;
