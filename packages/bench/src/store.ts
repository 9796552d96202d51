/**
 * What a workload needs of a database: the one seam between the workloads (workloads.ts) and Varve or a peer of it.
 *
 * A process opens one store only, so every call through this interface has one target and the compiler inlines it.
 * Single gets are synchronous, because every store compared here has a synchronous get; whatever a store does in its own
 * threads gives a promise. Writes come in chunks, so that a store that takes them asynchronously can have many under way.
 */
import type { Random } from './random.ts';

export type Maybe<T> = T | Promise<T>;

/** Writes in their order: the first `count` of `keys` and `values`. Keys are lent until the call is complete. */
export interface Writes {
  readonly keys: readonly Uint8Array[];
  readonly values: Uint8Array[];
  count: number;
}

/** How entries are looked at: in place through a cursor, or as a key and a value object each, which the caller may keep. */
export type ScanForm = 'cursor' | 'objects';

export interface Scan {
  /** Reads up to `count` further entries, key and value; returns how many there were. */
  next(count: number): Maybe<number>;
  close(): Maybe<void>;
}

export interface Store {
  /** How it was opened, and what its calls stand for: one line each, printed with the results. */
  readonly settings: readonly string[];
  /** What another thread of this process opens the same store with; undefined: its path alone. Asked for when it is needed. */
  readonly shared?: unknown;
  /** One put, complete when this returns or resolves. */
  put(key: Uint8Array, value: Uint8Array): Maybe<void>;
  /** Each write for itself, as a loop of puts; complete at the latest when the promise resolves. */
  putEach(writes: Writes): Maybe<void>;
  /** All writes as one atomic batch. */
  putBatch(writes: Writes): Maybe<void>;
  /** One put that is on the disk when the promise resolves. */
  putSynced(key: Uint8Array, value: Uint8Array): Promise<void>;
  deleteEach(writes: Writes): Maybe<void>;
  deleteBatch(writes: Writes): Maybe<void>;
  get(key: Uint8Array): Uint8Array | undefined;
  /** A get whose result holds only until the next call; undefined where there is none. */
  readonly getBorrowed: ((key: Uint8Array) => Uint8Array | undefined) | undefined;
  /** The number of keys that were found. */
  getMany(keys: Uint8Array[]): Maybe<number>;
  scan(reverse: boolean, form: ScanForm): Scan;
  /** Seeks to `key` and reads up to `count` entries from there on; returns how many there were. */
  seekScan(key: Uint8Array, count: number, form: ScanForm): Maybe<number>;
  /** Ends a run of writes: everything is handed to the system (durability `os`). */
  sync(): Maybe<void>;
  flush(): Maybe<void>;
  /** Flushes and brings the files into their best order, as far as the store has a call for it. */
  compact(): Maybe<void>;
  close(): Promise<void>;
}

/** What a workload works on. */
export interface Bench {
  readonly store: Store;
  /** Number of entries; keys are numbers in [0, entries). */
  readonly entries: number;
  readonly keySize: number;
  readonly random: Random;
  readonly values: ValueSource;
  /** Entries read after each seek. */
  readonly seekNexts: number;
  /** Whether fills and deletions are made one by one or in batches of a thousand. */
  readonly writing: 'single' | 'batch';
}

export interface ValueSource {
  /** The next value, lent for as long as the store needs it. */
  next(): Uint8Array;
}

export interface Step {
  /**
   * Performs the operations [from, to); returns their number, less only when there is nothing left to read.
   * A promise only when the store gave one.
   */
  run(from: number, to: number): Maybe<number>;
  /** Reads that found their key; undefined where nothing is looked up. */
  readonly found?: number;
  close?(): Maybe<void>;
}

/** Uses the sum of the bytes read, so that the reads that made it cannot be optimized away; returns `read`. */
export function counted(read: number, bytes: number): number {
  if (!Number.isSafeInteger(bytes)) throw new RangeError('more bytes than a number can count');
  return read;
}
