/**
 * What the block cache needs where several threads of a process use it at once, and how its memory gets to them.
 *
 * All tables of the cache are SharedArrayBuffers, so any thread can look up in place. Lookups take no lock: each thread
 * says elsewhere that an operation runs (it pins an epoch), and no slot is used again before everybody who may read it has
 * ended the operation of that time. Changes happen under one lock. Both are implemented by whoever shares a database;
 * each thread has its own object.
 */
import { sharedMemory } from '../base/shared-memory.ts';

/** Absent: one thread has the cache to itself. */
export interface CacheSharing {
  /**
   * 'taken'; 'busy': somebody else has it; 'inherited': taken from a holder that died in the middle, so what it guards may
   * be half changed.
   */
  tryLock(): 'taken' | 'busy' | 'inherited';
  unlock(): void;
  /** Stamp for what was just made unreachable (an Int32 that wraps; compared only through `isPast`). */
  retire(): number;
  /** No thread can still be reading what was retired at `stamp`. */
  isPast(stamp: number): boolean;
}

/** A cache as another thread gets it, by structured clone. */
export interface CacheHandle {
  readonly bytes: number;
  /** In the order in which the constructor asks for them. */
  readonly parts: readonly SharedArrayBuffer[];
}

/** Gives the constructors of the cache's tables their memory: fresh, zeroed memory, or what another thread has. */
export type TakeMemory = (bytes: number) => SharedArrayBuffer;

/** Makes fresh memory and remembers it in `parts`. */
export function makeParts(parts: SharedArrayBuffer[]): TakeMemory {
  return (bytes) => {
    const part = sharedMemory(bytes);
    parts.push(part);
    return part;
  };
}

/** Hands out `parts` again, in the same order. */
export function reuseParts(parts: readonly SharedArrayBuffer[]): TakeMemory {
  let next = 0;
  return () => parts[next++]!;
}
