/**
 * The keys of one getMany, side by side in memory of their own: bytes, ends, and the hash halves that filters and the row cache
 * ask for. Filled by the engine key by key; whoever reads them takes (bytes, start, end) as for a single key.
 *
 * Reused from call to call; what very long keys have needed is given back by `clear`. One thread.
 */
import { copyRange } from '../base/bytes.ts';
import { hashHigh, hashKey } from '../base/hash.ts';

const USUAL_BYTES = 16 * 1024;
const KEEP_BYTES_MAX = 1024 * 1024;

export class KeyBatch {
  /** Most keys of a batch: what they touch on their way, about ten lines each, fits the processor's second cache. */
  static readonly KEYS_MAX = 128;
  count = 0;
  bytes: Uint8Array = new Uint8Array(USUAL_BYTES);
  /** Key i is [ends[i], ends[i + 1]) of `bytes`. */
  readonly ends: Int32Array = new Int32Array(KeyBatch.KEYS_MAX + 1);
  readonly lows: Uint32Array = new Uint32Array(KeyBatch.KEYS_MAX);
  readonly highs: Uint32Array = new Uint32Array(KeyBatch.KEYS_MAX);

  clear(): void {
    this.count = 0;
    if (this.bytes.length > KEEP_BYTES_MAX) this.bytes = new Uint8Array(USUAL_BYTES);
  }

  /** Takes in a copy of the key. */
  add(key: Uint8Array): void {
    const start = this.ends[this.count]!;
    const end = start + key.length;
    if (end > this.bytes.length) this.#grow(start, end);
    copyRange(key, 0, key.length, this.bytes, start);
    this.ends[++this.count] = end;
  }

  /** Computes the hashes of all keys. */
  hash(): void {
    const { bytes, ends, lows, highs, count } = this;
    for (let i = 0; i < count; i++) {
      lows[i] = hashKey(bytes, ends[i]!, ends[i + 1]!);
      highs[i] = hashHigh[0]!;
    }
  }

  #grow(used: number, wanted: number): void {
    const larger = new Uint8Array(Math.max(wanted, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, used));
    this.bytes = larger;
  }
}
