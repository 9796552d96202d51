/**
 * Loads of shared words that must happen in the order of the program, in loops where `Atomics.load` (a call, seven
 * nanoseconds) would cost more than all the rest: on x86 a plain load will do, the processor keeps loads in order. Used by
 * searches that run beside a writer (memtable/search.ts).
 */
import process from 'node:process';

const KEEPS_LOADS_IN_ORDER = process.arch === 'x64' || process.arch === 'ia32';

/** A word, loaded before what the program loads later. */
export function loadInOrder(words: Int32Array, at: number): number {
  return KEEPS_LOADS_IN_ORDER ? words[at]! : Atomics.load(words, at);
}
