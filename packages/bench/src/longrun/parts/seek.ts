/**
 * A seek over keys that were just deleted one by one, as the reader of a queue does it: from the start of the deleted
 * range, past all its tombstones, to the first key that is left. And one straight to that key, which has them before it.
 */
import { atMost, type Figure, microseconds, times } from '../../large/figures.ts';
import { KeyBuffer } from '../../keys.ts';
import { median } from '../../threads/ratio.ts';
import type { Sizes } from '../sizes.ts';
import { deleteAll, openStage, putAll, type Stage } from '../stage.ts';

const AFTER_DELETES_MAX = 10;
const AFTER_COMPACTION_MAX = 2;
const SEEKS = 200;
/** A seek that takes long is not repeated for longer than this. */
const BUDGET_MS = 5_000;

export async function measureSeek(path: string, sizes: Sizes): Promise<Figure[]> {
  const { deletes } = sizes;
  const stage = await openStage(path, sizes);
  await putAll(stage.keyspace, sizes, 2 * deletes, 'scattered');
  await stage.db.compact();
  const normal = seekMicroseconds(stage, sizes, 0);
  await deleteAll(stage.keyspace, sizes, 0, deletes);
  const through = seekMicroseconds(stage, sizes, 0);
  const behind = seekMicroseconds(stage, sizes, deletes);
  await stage.db.compact();
  const compacted = seekMicroseconds(stage, sizes, 0);
  const compactedBehind = seekMicroseconds(stage, sizes, deletes);
  await stage.db.close();
  const figure = (name: string, max: number, { median, first }: Seeks): Figure =>
    atMost(name, max, median / normal.median, times, [
      `${microseconds(median)}, normally ${microseconds(normal.median)}; the first ${microseconds(first)}, normally ${microseconds(normal.first)}`,
    ]);
  return [
    figure(`seek through ${deletes} deletes`, AFTER_DELETES_MAX, through),
    figure(`seek to the key behind them`, AFTER_DELETES_MAX, behind),
    figure('seek through where they were, compacted', AFTER_COMPACTION_MAX, compacted),
    figure('seek to the key behind, compacted', AFTER_COMPACTION_MAX, compactedBehind),
  ];
}

interface Seeks {
  readonly median: number;
  /** It walks over what is there, where the others know already that nothing is. */
  readonly first: number;
}

/** Microseconds for opening a cursor, seeking the key and reading what is found. */
function seekMicroseconds({ keyspace }: Stage, { keySize }: Sizes, from: number): Seeks {
  const key = new KeyBuffer(keySize);
  key.set(from);
  const times: number[] = [];
  const start = performance.now();
  for (let i = 0; i < SEEKS && (times.length < 3 || performance.now() - start < BUDGET_MS); i++) {
    const before = performance.now();
    const cursor = keyspace.range().cursor();
    if (!cursor.seek(key.bytes) || cursor.value.length === 0) throw new Error('the seek found nothing');
    cursor.close();
    times.push((performance.now() - before) * 1e3);
  }
  return { median: median(times), first: times[0]! };
}
