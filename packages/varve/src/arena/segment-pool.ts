/**
 * The fixed pool of shared memory that memtables live in: one SharedArrayBuffer made at open, handed out in runs of chunks.
 *
 * Never grown (views of it in other threads would silently go stale) and never replaced by a fresh buffer per memtable (a
 * loop of those outruns the garbage collector by gigabytes). Pages that were never touched cost nothing, and runs are taken
 * from the lowest address on, so what is resident is what was needed at the peak.
 *
 * Which chunks are taken is known to the owner's thread alone, the only one that allocates and frees. A worker attaches to
 * the buffer and reads what it is told to.
 */
import { assert } from '../base/assert.ts';
import { sharedMemory } from '../base/shared-memory.ts';

/** What the memtable of a keyspace with a few small entries takes: there may be ten thousand of them. */
const CHUNK_BYTES = 2 * 1024;
/** Offsets are u32, and 2^32 itself must not be one. */
const POOL_BYTES_MAX = 4 * 1024 * 1024 * 1024 - 64 * 1024;

/** The pool as another thread gets it. */
export interface SegmentPoolHandle {
  readonly buffer: SharedArrayBuffer;
}

export class SegmentPool {
  readonly buffer: SharedArrayBuffer;
  /** The whole pool as bytes, and as words of 4. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly chunkBytes: number;
  /** Of the first chunk of each run that is taken its length in chunks, 0 of all others; empty in an attached pool. */
  readonly #runs: Int32Array;
  /** No chunk below this one is free. */
  #lowest = 0;
  #bytesUsed = 0;

  /**
   * @param bytes size, rounded up to whole chunks; at most 4 GiB - 64 KiB
   * @throws busy `OUT_OF_MEMORY` when the system does not give that much address space
   */
  constructor(bytes: number, chunkBytes: number = CHUNK_BYTES, attached?: SharedArrayBuffer) {
    assert(chunkBytes % 8 === 0 && chunkBytes > 0, 'a chunk is a multiple of 8 bytes');
    const chunks = Math.ceil(bytes / chunkBytes);
    assert(chunks > 0 && chunks * chunkBytes <= POOL_BYTES_MAX, 'the pool has 1 chunk to 4 GiB - 64 KiB');
    this.buffer = attached ?? sharedMemory(chunks * chunkBytes);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Int32Array(this.buffer);
    this.chunkBytes = chunkBytes;
    this.#runs = new Int32Array(attached === undefined ? chunks : 0);
  }

  /** The same memory in another thread: to read, it has nothing to allocate. */
  static attach(handle: SegmentPoolHandle): SegmentPool {
    const { buffer } = handle;
    return new SegmentPool(buffer.byteLength, buffer.byteLength, buffer);
  }

  /** Bytes in runs that are taken. */
  get bytesUsed(): number {
    return this.#bytesUsed;
  }

  /** Byte length of the run that holds `bytes`. */
  runBytes(bytes: number): number {
    return Math.ceil(bytes / this.chunkBytes) * this.chunkBytes;
  }

  /** Byte offset of a run of contiguous chunks for `bytes`, the lowest that is free; -1 when there is none. */
  allocate(bytes: number): number {
    const wanted = Math.ceil(bytes / this.chunkBytes);
    assert(wanted > 0, 'a run has at least one chunk');
    const runs = this.#runs;
    let length = 0;
    let seenFree = false;
    for (let chunk = this.#lowest; chunk < runs.length; ) {
      const taken = runs[chunk]!;
      if (taken !== 0) {
        length = 0;
        chunk += taken;
        continue;
      }
      if (!seenFree) this.#lowest = chunk;
      seenFree = true;
      chunk++;
      if (++length < wanted) continue;
      const first = chunk - wanted;
      runs[first] = wanted;
      if (first === this.#lowest) this.#lowest = chunk;
      this.#bytesUsed += wanted * this.chunkBytes;
      return first * this.chunkBytes;
    }
    return -1;
  }

  /** Gives back the run at `offset`, of the same `bytes` as were asked for. */
  free(offset: number, bytes: number): void {
    const first = offset / this.chunkBytes;
    const chunks = Math.ceil(bytes / this.chunkBytes);
    assert(this.#runs[first] === chunks, 'only a taken run can be freed, as a whole');
    this.#runs[first] = 0;
    this.#lowest = Math.min(this.#lowest, first);
    this.#bytesUsed -= chunks * this.chunkBytes;
  }

  handle(): SegmentPoolHandle {
    return { buffer: this.buffer };
  }
}
