/**
 * The arithmetic of the memory settings: how far the shares of memtables and caches may move while the database is open
 * (engine/adaptive moves them), and which combinations can not be had at all.
 *
 * Called by resolve.ts at open. A size that the caller gave is kept as given: both ends of its range are that size.
 * Invariant: the smallest shares together fit the budget, and the largest memtables fit the pool.
 */
import { showBytes } from './setting.ts';

const MIB = 1024 * 1024;
/** Offsets in the pool of memtables are 32-bit. */
export const POOL_BYTES_MAX: number = 4096 * MIB - 64 * 1024;
/** Memtable memory beside the budget and two largest batches: what chunks round up. */
const POOL_SLACK = 16 * MIB;
/** Neither memtables nor caches fall below this part of the budget, or below where they began. */
const LEAST_SHARE = 1 / 8;
/** Nor do memtables rise above this one. */
const MEMTABLE_SHARE_MAX = 1 / 2;
/** What is in memtables is in the log as well: more than half of it would be flushed because of the log's size. */
const LOG_SHARE_MAX = 1 / 2;

export interface ByteRange {
  readonly min: number;
  readonly max: number;
}

/** How far the shares of the budget may move. */
export interface MemoryLimits {
  readonly memtables: ByteRange;
  readonly cache: ByteRange;
}

/** One share as open begins with it. */
export interface Share {
  readonly bytes: number;
  readonly isGiven: boolean;
}

export function memoryLimits(
  budget: number,
  memtables: Share,
  cache: Share,
  {
    batchBytesMax,
    logBytesMax,
    cacheLimit,
  }: { batchBytesMax: number; logBytesMax: number; cacheLimit: number },
): MemoryLimits {
  const least = (share: Share): number =>
    share.isGiven ? share.bytes : Math.min(share.bytes, Math.floor(budget * LEAST_SHARE));
  const memtablesMost = Math.min(
    Math.floor(budget * MEMTABLE_SHARE_MAX),
    Math.floor(logBytesMax * LOG_SHARE_MAX),
    POOL_BYTES_MAX - poolBytes(0, batchBytesMax),
  );
  const memtableRange = {
    min: least(memtables),
    max: memtables.isGiven ? memtables.bytes : Math.max(memtables.bytes, memtablesMost),
  };
  return Object.freeze({
    memtables: Object.freeze(memtableRange),
    cache: Object.freeze({
      min: least(cache),
      max: cache.isGiven
        ? cache.bytes
        : Math.max(cache.bytes, Math.min(cacheLimit, budget - memtableRange.min)),
    }),
  });
}

/** Address space of the pool: the memtables, one largest batch that is applied while another waits, and the slack. */
export function poolBytes(memtables: number, batchBytesMax: number): number {
  return memtables + 2 * batchBytesMax + POOL_SLACK;
}

/** What is wrong with these shares of the budget, with the sum; undefined when they fit. */
export function refuseBudget(budget: number, memtables: number, cache: number): string | undefined {
  if (memtables + cache <= budget) return undefined;
  return (
    `at least memtableBytesMax + cacheBytesMax: ${showBytes(memtables)} + ${showBytes(cache)}` +
    ` = ${showBytes(memtables + cache)}, but the budget is ${showBytes(budget)}`
  );
}

/** The same for the pool of memtables, in which the largest batches need room too. */
export function refusePool(memtables: number, batchBytesMax: number): string | undefined {
  const bytes = poolBytes(memtables, batchBytesMax);
  if (bytes <= POOL_BYTES_MAX) return undefined;
  return (
    `memtableBytesMax + 2 x batchBytesMax + ${showBytes(POOL_SLACK)} to fit the pool of memtables: ` +
    `${showBytes(memtables)} + 2 x ${showBytes(batchBytesMax)} + ${showBytes(POOL_SLACK)} = ${showBytes(bytes)}, ` +
    `but the pool is at most ${showBytes(POOL_BYTES_MAX)}`
  );
}
