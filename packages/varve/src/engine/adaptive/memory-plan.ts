/**
 * How the memory budget is divided between memtables, caches and the indexes of open tables, and when a step of it moves.
 * Pure: observations and the current split in, the next split and its reason out. memory-tuner.ts observes and applies.
 *
 * The idea is that of Luo and Carey, "Breaking Down Memory Walls: Adaptive Memory Management in LSM-based Storage Systems"
 * (VLDB 2020): give memory to where one more byte of it saves most I/O, by what was measured and not by a model of the
 * workload. Both savings are a wasted amount divided by the size that could have avoided it:
 *
 *   memtables  with flushes twice as large, half as many compactions of level 0 read and write the level below again. So a
 *              byte more saves 2 x (bytes of the level below that have to be rewritten) / (bytes of the memtables). That is
 *              bytes written times what the last compactions rewrote for a byte: they are too rare to be counted as such.
 *   cache      of the blocks that left, as many as nine tenths of the cache are remembered (s3-fifo.ts). Those that were
 *              read again meanwhile a larger cache would have kept: a byte more saves (bytes that came back) / (0.9 x cache).
 *   indexes    have what they need; room that they do not need is what is given away first.
 *
 * Invariants: (1) the shares stay within their limits and together within the budget. (2) At most one step moves at a time.
 * (3) What moves pays within a minute, and the receiver gains half as much again as the giver loses: no move is taken back
 * because of what it changed itself.
 */
import type { MemoryLimits } from '../../options/memory-limits.ts';

/** Bytes of each share; together the whole budget. Rows of hot keys count as cache. */
export interface MemorySplit {
  readonly memtables: number;
  readonly cache: number;
  readonly indexes: number;
}

/** What was seen, the amounts decaying by half every `HALF_LIFE_MS`. */
export interface Observed {
  /** Bytes of the level below that have to be rewritten for what was written to memtables. */
  readonly rewrittenBytes: number;
  /** Bytes of blocks that were read again soon after they had left the cache. */
  readonly returnedBytes: number;
  /** Writes that were delayed or stopped because memtables were full, since the last look. */
  readonly waits: number;
  /** What the open tables hold now, outside of the cache. */
  readonly indexBytes: number;
}

/**
 * `indexes`: open tables hold more than their share, which is served before all else. `reads`: blocks come back to the
 * cache. `rewrites`: level 0 is merged into the level below in small portions. `waits`: writes wait for flushes, and
 * memtables had given memory away.
 */
export type MoveReason = 'indexes' | 'reads' | 'rewrites' | 'waits';

export interface MemoryMove {
  readonly split: MemorySplit;
  readonly reason: MoveReason;
  /** Bytes of I/O that a byte more would have saved of late. */
  readonly gains: { readonly memtables: number; readonly cache: number };
}

export const HALF_LIFE_MS = 8_000;
/** Moving a byte costs reading it again at most; saving an eighth of it in each of the last half-lives pays in a minute. */
const WORTH = 1 / 8;
const CLEARLY_MORE = 1.5;
const STEPS = 16;
/** Of the cache, what its memory of blocks that left spans. */
const REMEMBERED = 0.9;
/** Least room for indexes, and in what portions it is counted. */
const INDEX_STEPS = 32;
/** So much room beyond what they take is not spare. */
const INDEX_SLACK = 9 / 8;

/** The split that open begins with. */
export function initialSplit(budget: number, memtables: number, cache: number): MemorySplit {
  return { memtables, cache, indexes: budget - memtables - cache };
}

/** The next move; undefined when everything is best as it is. `initial` is what open began with. */
export function planMemory(
  split: MemorySplit,
  seen: Observed,
  limits: MemoryLimits,
  initial: MemorySplit,
): MemoryMove | undefined {
  const budget = split.memtables + split.cache + split.indexes;
  const gains = {
    memtables: split.memtables > 0 ? (2 * seen.rewrittenBytes) / split.memtables : 0,
    cache: split.cache > 0 ? seen.returnedBytes / (REMEMBERED * split.cache) : 0,
  };
  const move = (next: MemorySplit | undefined, reason: MoveReason): MemoryMove | undefined =>
    next === undefined ? undefined : { split: next, reason, gains };
  const indexes = indexShare(seen.indexBytes, budget);
  if (seen.indexBytes > split.indexes) {
    const grown = growIndexes(split, indexes, limits, gains);
    if (grown !== undefined) return move(grown, 'indexes');
  }
  const step = Math.floor(budget / STEPS);
  const spare = Math.max(0, split.indexes - indexes);
  if (gains.cache >= WORTH && gains.cache >= gains.memtables) {
    const takes = gains.cache >= gains.memtables * CLEARLY_MORE && gains.cache - gains.memtables >= WORTH;
    return move(give(split, 'cache', 'memtables', step, spare, takes, limits), 'reads');
  }
  if (gains.memtables >= WORTH) {
    const takes = gains.memtables >= gains.cache * CLEARLY_MORE && gains.memtables - gains.cache >= WORTH;
    return move(give(split, 'memtables', 'cache', step, spare, takes, limits), 'rewrites');
  }
  if (seen.waits > 0 && split.memtables < initial.memtables) {
    const wanted = Math.min(step, initial.memtables - split.memtables);
    return move(give(split, 'memtables', 'cache', wanted, spare, true, limits), 'waits');
  }
  return undefined;
}

/** What indexes of so many bytes should have, in whole portions. */
function indexShare(bytes: number, budget: number): number {
  const portion = Math.max(1, Math.floor(budget / INDEX_STEPS));
  return Math.max(1, Math.ceil((bytes * INDEX_SLACK) / portion)) * portion;
}

/** `step` more for one of the two: what indexes can spare or, where `takes` says so, what the other has above its least. */
function give(
  split: MemorySplit,
  to: 'memtables' | 'cache',
  from: 'memtables' | 'cache',
  step: number,
  spare: number,
  takes: boolean,
  limits: MemoryLimits,
): MemorySplit | undefined {
  const wanted = Math.min(step, limits[to].max - split[to]);
  if (wanted <= 0) return undefined;
  const fromIndexes = Math.min(wanted, spare);
  if (fromIndexes > 0) {
    return { ...split, [to]: split[to] + fromIndexes, indexes: split.indexes - fromIndexes };
  }
  const taken = takes ? Math.min(wanted, split[from] - limits[from].min) : 0;
  return taken <= 0 ? undefined : { ...split, [to]: split[to] + taken, [from]: split[from] - taken };
}

/** Indexes take what they need: first of the share whose last byte saves less. */
function growIndexes(
  split: MemorySplit,
  wanted: number,
  limits: MemoryLimits,
  gains: { memtables: number; cache: number },
): MemorySplit | undefined {
  const next = { ...split };
  const order =
    gains.cache > gains.memtables ? (['memtables', 'cache'] as const) : (['cache', 'memtables'] as const);
  for (const from of order) {
    const taken = Math.max(0, Math.min(wanted - next.indexes, next[from] - limits[from].min));
    next[from] -= taken;
    next.indexes += taken;
  }
  return next.indexes === split.indexes ? undefined : next;
}
