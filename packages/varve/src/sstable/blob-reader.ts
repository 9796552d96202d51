/**
 * An open blob file: reads values by their references, in one read each, through the block cache up to a size.
 *
 * Opening reads nothing: id and length come from the manifest, and the checksum of a record is seeded with the id, so that a
 * record of another file does not pass. Lives in the table cache beside the tables, under the same limit of descriptors,
 * with the same parking; reads that other threads make for this one work as for blocks (cold-reads.ts). One thread.
 */
import { compareRanges } from '../base/bytes.ts';
import { corruption, systemCode } from '../base/errors.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import type { FileSystem } from '../fs/file-system.ts';
import {
  BLOB_FOOTER_BYTES,
  BLOB_HEADER_BYTES,
  BLOB_PREFIX_BYTES,
  blobKeyStart,
  blobValueLength,
  blobValueStart,
} from './blob-format.ts';
import type { BlobReference } from './blob-reference.ts';
import { BlockLoader, type TableCounters } from './block-loader.ts';
import { COLD, type ColdReads } from './cold-reads.ts';
import { BLOCK_BLOB } from './format.ts';

/** What the manifest knows of a blob file (a BlobMeta fits). */
export interface BlobFacts {
  readonly number: number;
  readonly bytes: number;
  readonly uniqueId: Uint8Array;
}

export interface BlobReaderOptions {
  readonly fs: FileSystem;
  readonly path: string;
  readonly facts: BlobFacts;
  readonly cache?: BlockCache | undefined;
  readonly counters: TableCounters;
  readonly cold?: ColdReads | undefined;
}

/** Longer ones are fetched one by one. */
const PREPARED_BYTES_MAX = 256 * 1024;

export class BlobReader {
  readonly path: string;
  /** For the table cache: looked at since its last round. */
  used = true;
  readonly #loader: BlockLoader;
  /** The value that was read last: lent until the next read of anything. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;

  constructor({ fs, path, facts, cache, counters, cold }: BlobReaderOptions) {
    this.path = path;
    this.#loader = new BlockLoader(fs, path, facts.number, cache, counters, cold);
    this.#loader.setTable(facts.uniqueId, facts.bytes - BLOB_FOOTER_BYTES);
  }

  /**
   * Leaves the value that `reference` names in `bytes` from `start` to `end`; it is that of the key [keyStart, keyEnd).
   * @throws VarveError corruption {file, offset}; io
   */
  read(reference: BlobReference, key: Uint8Array, keyStart: number, keyEnd: number): void {
    const { offset, length } = reference;
    const loader = this.#loader;
    if (offset < BLOB_HEADER_BYTES + BLOB_PREFIX_BYTES) throw this.#astray(offset);
    loader.aim(offset, length);
    this.#fetch(offset);
    const { bytes, start } = loader;
    const valueStart = blobValueStart(bytes, start);
    if (compareRanges(bytes, blobKeyStart(start), valueStart, key, keyStart, keyEnd) !== 0) {
      throw this.#astray(offset);
    }
    this.bytes = bytes;
    this.start = valueStart;
    this.end = valueStart + blobValueLength(bytes, start);
  }

  /**
   * While other threads read for this one: puts the record into the cache if it has come, else asks for it. True when
   * nothing is to be waited for, also where the cache does not take it.
   */
  prepare({ offset, length }: BlobReference): boolean {
    const loader = this.#loader;
    const { attempt } = loader;
    if (attempt === undefined || !loader.caches(offset) || length > PREPARED_BYTES_MAX) return true;
    if (loader.hasCached(offset)) return true;
    if (attempt.find(loader.fileNumber, offset) === undefined) {
      loader.want(attempt, offset, length, BLOCK_BLOB);
      return false;
    }
    loader.aim(offset, length);
    loader.fetch(BLOCK_BLOB);
    return true;
  }

  get memoryBytes(): number {
    return this.#loader.memoryBytes;
  }

  /** Puts the descriptor down; a later read opens the file again, for itself only. */
  park(): void {
    this.#loader.park();
  }

  /** For good. Idempotent. */
  close(): void {
    this.#loader.close();
  }

  #fetch(offset: number): void {
    try {
      this.#loader.fetch(BLOCK_BLOB);
    } catch (error) {
      // The manifest names it, so nobody may have removed it.
      if (error === COLD || systemCode(error) !== 'ENOENT') throw error;
      throw corruption('a blob file that the manifest names is missing', { file: this.path, offset }, error);
    }
  }

  #astray(offset: number): Error {
    return corruption('an entry refers to the value of another key', { file: this.path, offset });
  }
}
