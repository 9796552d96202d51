/**
 * The open tables of one thread, and the open blob files, by file number: opened at the first use, closed again under a limit.
 *
 * Over the limit the least recently used tables go, by second chance: a use sets a flag in the reader and moves nothing,
 * so a hit costs one map lookup. A table that goes is parked, not closed: a walk that still runs over it opens the file
 * again by itself. `evict` is for tables whose file is about to be removed. One thread.
 */
import { assert } from '../base/assert.ts';
import { EMPTY } from '../base/bytes.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { TableCounters } from './block-loader.ts';
import { COLD, type ColdAttempt, ColdReads, type Piece, TABLE_TAIL } from './cold-reads.ts';
import { FilterMemory } from './filter-memory.ts';
import { type BlobFacts, BlobReader } from './blob-reader.ts';
import { TableReader } from './reader.ts';

/** What the manifest knows about a table (a FileMeta fits). */
export interface TableReference {
  readonly number: number;
  readonly bytes?: number;
  readonly uniqueId?: Uint8Array;
  readonly sequenceOverride?: number;
}

export interface TableCacheOptions {
  readonly fs: FileSystem;
  /** Path of a table by its number. */
  readonly pathOf: (number: number) => string;
  /** Path of a blob file by its number; left out where values are not asked for. */
  readonly blobPathOf?: (number: number) => string;
  /** Most tables that are open at a time, at least 1; asked at each open. */
  readonly openFilesMax: number | (() => number);
  readonly cache?: BlockCache | undefined;
  /** Room for filters that are held whole; without limit when it is not given. */
  readonly filterBytesMax?: number;
  /** False: another thread decides what leaves the block cache. */
  readonly ownsCache?: boolean;
}

export class TableCache {
  readonly counters: TableCounters = new TableCounters();
  /** Reads that would be made from files are made by other threads while there is an attempt. */
  readonly cold: ColdReads = new ColdReads();
  readonly #options: TableCacheOptions;
  readonly #filterMemory: FilterMemory;
  /** In the order of opening or of the last second chance. */
  readonly #readers = new Map<number, TableReader>();
  readonly #blobs = new Map<number, BlobReader>();

  /** Most tables that are open at a time: other threads may take part of what a process has. */
  openFilesMax: () => number;

  constructor(options: TableCacheOptions) {
    const { openFilesMax } = options;
    this.#options = options;
    this.openFilesMax = typeof openFilesMax === 'number' ? () => openFilesMax : openFilesMax;
    this.#filterMemory = new FilterMemory(options.filterBytesMax);
  }

  /** The open table. @throws VarveError as TableReader.open does. */
  get(table: TableReference): TableReader {
    const reader = this.#readers.get(table.number);
    if (reader === undefined) return this.#open(table);
    reader.used = true;
    return reader;
  }

  /** The open blob file; opening it reads nothing. */
  blob(facts: BlobFacts): BlobReader {
    const known = this.#blobs.get(facts.number);
    if (known !== undefined) {
      known.used = true;
      return known;
    }
    const { fs, cache, blobPathOf } = this.#options;
    assert(blobPathOf !== undefined, 'values are read where nobody said how to find them');
    this.#makeRoom();
    const path = blobPathOf(facts.number);
    const reader = new BlobReader({ fs, path, facts, cache, counters: this.counters, cold: this.cold });
    this.#blobs.set(facts.number, reader);
    return reader;
  }

  #open(table: TableReference): TableReader {
    const { fs, cache, pathOf } = this.#options;
    const tail = this.#tailOf(table, this.cold.attempt);
    this.#makeRoom();
    const reader = this.#reading(tail, () =>
      TableReader.open({
        fs,
        path: pathOf(table.number),
        fileNumber: table.number,
        cache,
        uniqueId: table.uniqueId,
        bytes: table.bytes,
        sequenceOverride: table.sequenceOverride,
        counters: this.counters,
        filterMemory: this.#filterMemory,
        cold: this.cold,
        tail: tail?.isFailed === true ? undefined : tail,
      }),
    );
    this.#readers.set(table.number, reader);
    return reader;
  }

  /** What another thread has read of it; COLD when there is an attempt without it. */
  #tailOf(table: TableReference, attempt: ColdAttempt | undefined): Piece | undefined {
    if (attempt === undefined) return undefined;
    const tail = attempt.find(table.number, TABLE_TAIL);
    if (tail !== undefined) return tail;
    const path = this.#options.pathOf(table.number);
    const wanted = {
      file: table.number,
      path,
      uniqueId: EMPTY,
      offset: TABLE_TAIL,
      length: 0,
      type: TABLE_TAIL,
    };
    attempt.want(wanted);
    throw COLD;
  }

  /** Opens on this thread what no other could read. */
  #reading(tail: Piece | undefined, open: () => TableReader): TableReader {
    const { cold } = this;
    const { attempt } = cold;
    if (tail?.isFailed === true) cold.attempt = undefined;
    try {
      return open();
    } finally {
      cold.attempt = attempt;
    }
  }

  /** Another file is about to be opened. Of tables and blob files those go of which more are open. */
  #makeRoom(): void {
    const openFilesMax = this.openFilesMax();
    while (this.size > 0 && this.size >= openFilesMax) {
      if (this.#blobs.size > this.#readers.size) parkOne(this.#blobs);
      else parkOne(this.#readers);
    }
  }

  /** Closes a table or blob file whose file goes away and drops its blocks from the cache. No-op when it is not open. */
  evict(number: number): void {
    this.#readers.get(number)?.close();
    this.#readers.delete(number);
    this.#blobs.get(number)?.close();
    this.#blobs.delete(number);
    if (this.#options.ownsCache !== false) this.#options.cache?.drop(number);
  }

  /** The same for all but those with these numbers. */
  closeAllBut(numbers: ReadonlySet<number>): void {
    for (const number of [...this.#readers.keys(), ...this.#blobs.keys()])
      if (!numbers.has(number)) this.evict(number);
  }

  /** Closes all. */
  close(): void {
    for (const reader of [...this.#readers.values(), ...this.#blobs.values()]) reader.close();
    this.#readers.clear();
    this.#blobs.clear();
  }

  /** Open tables and blob files. */
  get size(): number {
    return this.#readers.size + this.#blobs.size;
  }

  /** Memory of the open tables outside of the block cache, in bytes. */
  get memoryBytes(): number {
    let bytes = 0;
    for (const reader of this.#readers.values()) bytes += reader.memoryBytes;
    for (const reader of this.#blobs.values()) bytes += reader.memoryBytes;
    return bytes;
  }
}

/** The first that was not used since the last round; at the end of a round it is any. */
function parkOne(readers: Map<number, { used: boolean; park(): void }>): void {
  for (const [number, reader] of readers) {
    readers.delete(number);
    if (!reader.used) {
      reader.park();
      return;
    }
    reader.used = false;
    readers.set(number, reader);
  }
}
