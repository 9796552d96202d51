/**
 * Loads and stores of shared words that must happen in the order of the program, where `Atomics.load` and `Atomics.store` (calls,
 * six nanoseconds and more) would cost too much: on x86 plain ones will do, the processor keeps loads in order, and stores,
 * and lets no store pass an earlier load. Used by searches that run beside a writer (memtable/search.ts) and around every
 * operation on a shared database (engine/sharing). What must not pass a *later load* needs `Atomics.store`.
 */
import process from 'node:process';

const KEEPS_ORDER = process.arch === 'x64' || process.arch === 'ia32';

/** A word, loaded before what the program loads later. */
export function loadInOrder(words: Int32Array, at: number): number {
  return KEEPS_ORDER ? words[at]! : Atomics.load(words, at);
}

/** Stores a word after all that the program has loaded and stored before. */
export function storeInOrder(words: Int32Array, at: number, value: number): void {
  if (KEEPS_ORDER) words[at] = value;
  else Atomics.store(words, at, value);
}
