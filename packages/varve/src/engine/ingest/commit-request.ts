/**
 * What an ingestion and the one who commits it know of each other: the tables that wait for their sequence, and the run that
 * made them. Owner's thread.
 */
import type { FileMeta } from '../../manifest/file-meta.ts';
import type { Tree } from '../tree.ts';

/** An ingestion whose tables are on disk. */
export interface CommitRequest {
  readonly tree: Tree;
  /** In key order. */
  readonly files: readonly FileMeta[];
  readonly startedMs: number;
  readonly committed: Promise<void>;
  /** 0 until it is committed. */
  readonly sequence: number;
  /** It failed, and what became of its record is not known. */
  readonly mayBeInLog: boolean;
}

/** What the registry knows of an ingestion under way. */
export interface Ingesting {
  readonly done: Promise<void>;
  stop(error: Error): void;
}
