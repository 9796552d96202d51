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

const SLAB_BYTES = 8192;
/** Up to here the runtime itself keeps an array inside its heap object, which is as fast and pins nothing. */
const HEAP_BYTES = 64;
const POOLED_MAX = 1024;

let slab = new ArrayBuffer(SLAB_BYTES);
let bytes = new Uint8Array(slab);
let used = SLAB_BYTES;

/** A copy of [start, end) that is the caller's own. */
export function resultCopy(from: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length <= HEAP_BYTES || length > POOLED_MAX) return cloneRange(from, start, end);
  if (used + length > SLAB_BYTES) {
    // Not zeroed, as Node's own pool: zeroing costs more than filling.
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES).buffer;
    markAsUntransferable(slab);
    bytes = new Uint8Array(slab);
    used = 0;
  }
  bytes.set(from.subarray(start, end), used);
  const result = new Uint8Array(slab, used, length);
  used += (length + 7) & ~7;
  return result;
}
