/**
 * What flush and compaction jobs have in common: their surroundings and their result. Inputs and results are plain data
 * that can be sent to another thread; a job is a generator that yields about every half millisecond of work, so that a
 * worker thread can drive it to its end and the owner's thread in time slices.
 *
 * Invariant: a job that does not return, because of an error, `cancelled()` or because its generator is closed, leaves no
 * file behind.
 */
import type { CodeSource } from '../base/code-source.ts';
import { VarveError } from '../base/errors.ts';
import type { FileSystem } from '../fs/file-system.ts';
import type { BlobMeta } from '../manifest/blob-meta.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { CompressionName } from '../sstable/compression.ts';

/** What a job gets from the thread that it runs on. */
export interface JobEnv {
  readonly fs: FileSystem;
  /** Asked after every yield: true ends the job with a `CANCELLED` error. */
  cancelled(): boolean;
  /** 16 bytes that no other table has; from the system's random source when it is not given. */
  uniqueId?(): Uint8Array;
  /** Keeps the thread for a while, or until the job is cancelled; left out where the thread is the user's. */
  pause?(ms: number): void;
  /** User code, which the thread has; throws where it has not. */
  code?(source: CodeSource): unknown;
}

/** The user code of a keyspace, for a job: plain data. */
export interface JobCode {
  /** Name of the keyspace, for what is said of failures. */
  readonly keyspace: string;
  readonly operator?: CodeSource | undefined;
  readonly filter?: CodeSource | undefined;
  readonly filterData?: unknown;
  /** Where values lie that the inputs refer to. */
  readonly blobs?: readonly BlobMeta[] | undefined;
}

/** User code that failed in a job, which went on without it. */
export interface JobProblem {
  readonly code: 'MERGE_FAILED' | 'FILTER_FAILED' | 'USER_CODE_MISSING';
  readonly message: string;
  /** Name of the operator or filter. */
  readonly name: string;
  readonly key?: Uint8Array;
}

/** How to write tables, resolved for the level they go to. */
export interface TableSettings {
  readonly blockBytes: number;
  /** 0 for no filter. */
  readonly filterBitsPerKey: number;
  /** 0 for filters of whole keys only. */
  readonly filterPrefixBytes: number;
  readonly compression: CompressionName;
  /** A table ends at the first key after it has reached this size. */
  readonly tableBytesMax: number;
  /** Values of at least this size go to blob files; undefined: none do. */
  readonly blobValueBytes?: number | undefined;
}

export interface JobOutput {
  /** The new tables in key order, complete and synced, and so are their names. */
  readonly files: FileMeta[];
  /** The new blob files that they refer to, complete and synced as they are. */
  readonly blobs: BlobMeta[];
  /** Blob files that were to be emptied and can not be read. */
  readonly unreadBlobs: number[];
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Point entries. */
  readonly entriesIn: number;
  readonly entriesOut: number;
  /** User keys of those that came out: fewer than entries when older versions were kept for somebody. */
  readonly keysOut: number;
  /** Point entries that the drop rule left out. */
  readonly dropped: number;
  /** What went wrong in user code, the first few of it. */
  readonly problems: readonly JobProblem[];
  /** Sequence of the oldest entry that a filter removed or changed; undefined: it did nothing. */
  readonly filteredFrom: number | undefined;
}

/** A fresh id for a table. */
export function newUniqueId(env: JobEnv): Uint8Array {
  return env.uniqueId?.() ?? crypto.getRandomValues(new Uint8Array(16));
}

/** Ends a job that is not wanted any more. */
export function checkCancelled(env: JobEnv): void {
  if (env.cancelled()) throw new VarveError('closed', 'CANCELLED', 'the job was cancelled');
}

/** For cleaning up after a failure, which must not be hidden by a second one. */
export function attempt(step: () => void): void {
  try {
    step();
  } catch {
    // The first failure is the one that is reported.
  }
}
