/**
 * Copies that reads hand out. Small ones are cut from slabs, as Node cuts small Buffers from its pool: an array buffer for
 * each costs a call of the allocator and a finalizer, together more than the search that found the entry.
 *
 * Invariants: (1) a result shares its `buffer` with other results, never its bytes, (2) a slab cannot be transferred to
 * another thread, which would empty the other results, (3) a result that is kept keeps its slab: that is why slabs
 * are small and why larger results have memory of their own.
 */
import { markAsUntransferable } from 'node:worker_threads';
import { cloneRange } from '../../base/bytes.ts';

/** Up to here the runtime itself keeps an array inside its heap object, which is as fast and pins nothing. */
const HEAP_BYTES = 64;
const SMALL_MAX = 256;
const SMALL_SLAB_BYTES = 8192;
const POOLED_MAX = 4096;
const LARGE_SLAB_BYTES = 32_768;

class Slab {
  readonly #length: number;
  #buffer = new ArrayBuffer(0);
  #bytes = new Uint8Array(this.#buffer);
  #used: number;

  constructor(length: number) {
    this.#length = length;
    this.#used = length;
  }

  copy(from: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start;
    if (this.#used + length > this.#length) this.#renew();
    const at = this.#used;
    this.#bytes.set(from.subarray(start, end), at);
    this.#used = at + ((length + 7) & ~7);
    return new Uint8Array(this.#buffer, at, length);
  }

  #renew(): void {
    // Not zeroed, as Node's own pool: zeroing costs more than filling.
    this.#buffer = Buffer.allocUnsafeSlow(this.#length).buffer;
    markAsUntransferable(this.#buffer);
    this.#bytes = new Uint8Array(this.#buffer);
    this.#used = 0;
  }
}

const small = new Slab(SMALL_SLAB_BYTES);
const large = new Slab(LARGE_SLAB_BYTES);

/** A copy of [start, end) that is the caller's own. */
export function resultCopy(from: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length <= HEAP_BYTES || length > POOLED_MAX) return cloneRange(from, start, end);
  return length <= SMALL_MAX ? small.copy(from, start, end) : large.copy(from, start, end);
}
