/**
 * A bump allocator over runs of a SegmentPool: what one memtable lives in. Everything is given back at once, by `release`.
 *
 * Allocations are cut from the current run. When one does not fit, a spare run takes over: a small one makes the spare the
 * current run, a large one (over LARGE_BYTES) is cut from the spare while the current run stays, so that a big value does
 * not waste the rest of a run. `reserve` makes sure that current run or spare alone can take all that was announced:
 * either way of the above keeps that true until the announced bytes are used up.
 *
 * Invariants: (1) offsets are multiples of 8, never 0 (which names nothing), and what lies between two runs is never handed out. (2) `bytes` is exactly
 * what the pool counts as used by this arena. Owner's thread only.
 */
import { assert } from '../base/assert.ts';
import { Copier } from '../base/copier.ts';
import { busy } from '../base/errors.ts';
import type { Run, SegmentPool } from './segment-pool.ts';

/** Largest run that is taken ahead of need. Runs grow with the arena, so that a small one stays small. */
const RUN_BYTES_MAX = 1024 * 1024;
/** Up to runs of this length an arena doubles; later it grows by a quarter. */
const DOUBLING_BYTES_MAX = 32 * 1024;
/** Above this an allocation does not end the current run. */
export const LARGE_BYTES: number = 32 * 1024;

/** Left out at the start of the pool, so that no allocation has offset 0. */
const UNUSED_BYTES = 8;

/** What puts bytes into memory of an arena needs of it: arena/arena.ts or arena/shared-arena.ts. */
export interface ArenaMemory {
  readonly pool: SegmentPool;
  readonly copier: Copier;
  allocate(bytes: number): number;
}

export class Arena {
  readonly pool: SegmentPool;
  /** For what is put here: it comes from the same few buffers all the time. */
  readonly copier: Copier = new Copier();
  #runs: Run[] = [];
  #bytes = 0;
  #at = 0;
  #end = 0;
  #spareAt = 0;
  #spareEnd = 0;

  constructor(pool: SegmentPool) {
    this.pool = pool;
  }

  /** Bytes of the pool that this arena holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Byte offset of `bytes` fresh bytes (their content is left over from earlier use), a multiple of 8.
   *
   * @throws busy `MEMTABLE_MEMORY` when the pool is exhausted; never within what `reserve` granted
   */
  allocate(bytes: number): number {
    const size = roundUp(bytes);
    const at = this.#at;
    if (size <= this.#end - at) {
      this.#at = at + size;
      return at;
    }
    return this.#allocateFromSpare(size);
  }

  /**
   * Makes sure that the next allocations up to `bytes` in all succeed, each counted rounded up to 8; false, and nothing
   * changed, when the pool has no such run.
   */
  reserve(bytes: number): boolean {
    if (bytes <= this.#end - this.#at || bytes <= this.#spareEnd - this.#spareAt) return true;
    let size = this.pool.runBytes(Math.max(bytes, runBytesAhead(this.#bytes)) + UNUSED_BYTES);
    let start = this.pool.allocate(size);
    if (start < 0) {
      size = this.pool.runBytes(bytes + UNUSED_BYTES);
      start = this.pool.allocate(size);
      if (start < 0) return false;
    }
    this.#runs.push({ start, bytes: size });
    this.#bytes += size;
    // The fuller of the two runs so far is done with.
    if (this.#spareEnd - this.#spareAt > this.#end - this.#at) this.#useSpare();
    this.#spareAt = start === 0 ? UNUSED_BYTES : start;
    this.#spareEnd = start + size;
    return true;
  }

  runs(): readonly Run[] {
    return this.#runs;
  }

  /** Gives all runs back to the pool. The arena is empty then and can be used anew. */
  release(): void {
    for (const run of this.#runs) this.pool.free(run.start, run.bytes);
    this.#runs = [];
    this.#bytes = 0;
    this.#at = 0;
    this.#end = 0;
    this.#spareAt = 0;
    this.#spareEnd = 0;
  }

  #allocateFromSpare(size: number): number {
    if (!this.reserve(size)) {
      throw busy('MEMTABLE_MEMORY', `no ${size} bytes of memtable memory are left`, {
        wanted: size,
        used: this.pool.bytesUsed,
      });
    }
    assert(size <= this.#spareEnd - this.#spareAt, 'a reserved run holds the allocation');
    if (size <= LARGE_BYTES) {
      this.#useSpare();
      const at = this.#at;
      this.#at = at + size;
      return at;
    }
    const at = this.#spareAt;
    this.#spareAt = at + size;
    return at;
  }

  /** The spare becomes the current run; the rest of the current one is left unused. */
  #useSpare(): void {
    this.#at = this.#spareAt;
    this.#end = this.#spareEnd;
    this.#spareAt = 0;
    this.#spareEnd = 0;
  }
}

/** What an arena of `bytes` takes from the pool at least when it needs more. */
export function runBytesAhead(bytes: number): number {
  return Math.min(RUN_BYTES_MAX, Math.max(bytes / 4, Math.min(bytes, DOUBLING_BYTES_MAX)));
}

function roundUp(bytes: number): number {
  return (bytes + 7) & ~7;
}
