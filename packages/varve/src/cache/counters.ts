/**
 * What the block cache counts: one object a thread, shared or not, so that counting needs no atomic operation.
 */

/** What the cache counts, each thread for itself; plain numbers for whoever shows them. */
export interface CacheCounters {
  hits: number;
  misses: number;
  evictions: number;
  /** Bytes of slots whose block came back soon after it had left. */
  returnedBytes: number;
}

export function noCounts(): CacheCounters {
  return { hits: 0, misses: 0, evictions: 0, returnedBytes: 0 };
}
