/**
 * A sequence (safe integer, 53 bits) in two words of shared memory, high before low, that one thread stores at a time and any
 * thread reads without a lock.
 *
 * While the high word changes, once in four billion writes, it is -1: a reader that met a new half beside an old one would
 * see a sequence that never was.
 */

const LOW = 4294967296;
const CHANGING = -1;

export function loadSequence(words: Int32Array, at: number): number {
  for (;;) {
    const high = Atomics.load(words, at);
    const low = Atomics.load(words, at + 1);
    if (high !== CHANGING && Atomics.load(words, at) === high) return high * LOW + (low >>> 0);
  }
}

export function storeSequence(words: Int32Array, at: number, sequence: number): void {
  const high = Math.floor(sequence / LOW);
  const low = sequence | 0;
  if (Atomics.load(words, at) === high) {
    Atomics.store(words, at + 1, low);
    return;
  }
  Atomics.store(words, at, CHANGING);
  Atomics.store(words, at + 1, low);
  Atomics.store(words, at, high);
}
