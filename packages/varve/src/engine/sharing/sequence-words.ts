/**
 * A sequence (safe integer, 53 bits) in two words of shared memory that one thread stores at a time and any thread reads, without
 * a lock and without ever waiting for the writer, which may have died between its two stores.
 *
 *   word   high   the sequence divided by 2^31
 *          low    its low 31 bits; the topmost bit says whether the high word that belongs to them is odd
 *
 * `store` writes high, then low; `load` reads low, then high. So a low word that does not fit the high one is the older of the
 * two, and the high word that belongs to it is the one before: what counts is still the old sequence.
 * A sequence grows by less than 2^31 at a time while it is read.
 */
import { loadInOrder } from '../../runtime/load-in-order.ts';

const LOW = 2147483648;

export function loadSequence(words: Int32Array, at: number): number {
  const low = loadInOrder(words, at + 1);
  const high = loadInOrder(words, at);
  return (high - ((low >>> 31) ^ (high & 1))) * LOW + (low & 0x7fffffff);
}

export function storeSequence(words: Int32Array, at: number, sequence: number): void {
  const high = Math.floor(sequence / LOW);
  if (Atomics.load(words, at) !== high) Atomics.store(words, at, high);
  Atomics.store(words, at + 1, (sequence % LOW) | (high << 31));
}
