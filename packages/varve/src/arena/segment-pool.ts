/**
 * The fixed pool of shared memory that memtables live in: one SharedArrayBuffer made at open, handed out in runs of chunks.
 *
 * Never grown (views of it in other threads would silently go stale) and never replaced by a fresh buffer per memtable (a
 * loop of those outruns the garbage collector by gigabytes). Pages that were never touched cost nothing, and runs are taken
 * from the lowest address on, so what is resident is what was needed at the peak.
 *
 * Which chunks are taken is in shared memory too, so that an attached pool allocates and frees like the one that made it:
 *
 *   word    field of the table       who allocates or frees holds the write lock (one thread has no need of one)
 *   0       LOWEST      no chunk below this one is free
 *   1       USED        chunks in runs that are taken
 *   2 + c   of the first chunk of each run that is taken its length in chunks, 0 of all others
 *
 * Invariant: after every single store the table is whole. A thread that dies in between leaves a run that nobody knows and a
 * USED that is too high: `sweep` puts both right.
 */
import { assert } from '../base/assert.ts';
import { sharedMemory } from '../base/shared-memory.ts';

/** What the memtable of a keyspace with a few small entries takes: there may be ten thousand of them. */
const CHUNK_BYTES = 2 * 1024;
/** Offsets are u32, and 2^32 itself must not be one. */
const POOL_BYTES_MAX = 4 * 1024 * 1024 * 1024 - 64 * 1024;

const LOWEST = 0;
const USED = 1;
const RUNS = 2;

/** The pool as another thread gets it. */
export interface SegmentPoolHandle {
  readonly buffer: SharedArrayBuffer;
  readonly table: SharedArrayBuffer;
  readonly chunkBytes: number;
}

/** A piece of the pool that is taken, in bytes. */
export interface Run {
  readonly start: number;
  readonly bytes: number;
}

export class SegmentPool {
  readonly buffer: SharedArrayBuffer;
  /** The whole pool as bytes, as words of 4, and as numbers of 8. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly chunkBytes: number;
  readonly #table: Int32Array;

  /**
   * @param bytes size, rounded up to whole chunks; at most 4 GiB - 64 KiB
   * @throws busy `OUT_OF_MEMORY` when the system does not give that much address space
   */
  constructor(bytes: number, chunkBytes: number = CHUNK_BYTES, attached?: SegmentPoolHandle) {
    assert(chunkBytes % 8 === 0 && chunkBytes > 0, 'a chunk is a multiple of 8 bytes');
    const chunks = Math.ceil(bytes / chunkBytes);
    assert(chunks > 0 && chunks * chunkBytes <= POOL_BYTES_MAX, 'the pool has 1 chunk to 4 GiB - 64 KiB');
    this.buffer = attached?.buffer ?? sharedMemory(chunks * chunkBytes);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Int32Array(this.buffer);
    this.numbers = new Float64Array(this.buffer);
    this.chunkBytes = chunkBytes;
    this.#table = new Int32Array(attached?.table ?? sharedMemory(4 * (RUNS + chunks)));
  }

  /** The same memory, and the same table of what is taken, in another thread. */
  static attach(handle: SegmentPoolHandle): SegmentPool {
    return new SegmentPool(handle.buffer.byteLength, handle.chunkBytes, handle);
  }

  /** Bytes in runs that are taken. */
  get bytesUsed(): number {
    return this.#table[USED]! * this.chunkBytes;
  }

  /** Byte length of the run that holds `bytes`. */
  runBytes(bytes: number): number {
    return Math.ceil(bytes / this.chunkBytes) * this.chunkBytes;
  }

  /** Byte offset of a run of contiguous chunks for `bytes`, the lowest that is free; -1 when there is none. */
  allocate(bytes: number): number {
    const wanted = Math.ceil(bytes / this.chunkBytes);
    assert(wanted > 0, 'a run has at least one chunk');
    const table = this.#table;
    const end = table.length;
    let length = 0;
    let seenFree = false;
    for (let at = RUNS + table[LOWEST]!; at < end; ) {
      const taken = table[at]!;
      if (taken !== 0) {
        length = 0;
        at += taken;
        continue;
      }
      if (!seenFree) table[LOWEST] = at - RUNS;
      seenFree = true;
      at++;
      if (++length < wanted) continue;
      const first = at - RUNS - wanted;
      table[USED]! += wanted;
      table[RUNS + first] = wanted;
      if (first === table[LOWEST]) table[LOWEST] = at - RUNS;
      return first * this.chunkBytes;
    }
    return -1;
  }

  /** Gives back the run at `offset`, of the same `bytes` as were asked for. */
  free(offset: number, bytes: number): void {
    const table = this.#table;
    const first = offset / this.chunkBytes;
    const chunks = Math.ceil(bytes / this.chunkBytes);
    assert(table[RUNS + first] === chunks, 'only a taken run can be freed, as a whole');
    if (first < table[LOWEST]!) table[LOWEST] = first;
    table[RUNS + first] = 0;
    table[USED]! -= chunks;
  }

  /** Frees every run that is not in `kept`: after a thread died that may have held some that nothing names. */
  sweep(kept: Iterable<Run>): void {
    const starts = new Set<number>();
    for (const { start, bytes } of kept) {
      const chunks = this.#table[RUNS + start / this.chunkBytes];
      assert(chunks === Math.ceil(bytes / this.chunkBytes), 'a run that is kept is taken, as a whole');
      starts.add(start);
    }
    const table = this.#table;
    table[LOWEST] = 0;
    let used = 0;
    for (let at = RUNS; at < table.length; ) {
      const chunks = table[at]!;
      if (chunks === 0) {
        at++;
        continue;
      }
      if (starts.has((at - RUNS) * this.chunkBytes)) used += chunks;
      else table[at] = 0;
      at += chunks;
    }
    table[USED] = used;
  }

  handle(): SegmentPoolHandle {
    return {
      buffer: this.buffer,
      table: this.#table.buffer as SharedArrayBuffer,
      chunkBytes: this.chunkBytes,
    };
  }
}
