/**
 * What an ingestion and the one who commits it know of each other: the tables that wait for their sequence, and the run that
 * made them. Owner's thread.
 */
import type { FileMeta } from '../../manifest/file-meta.ts';
import type { Tree } from '../tree.ts';

/** The tables that one keyspace gets: at least one, in key order. */
export interface NewTables {
  readonly tree: Tree;
  readonly files: readonly FileMeta[];
}

/** An ingestion whose tables are on disk. */
export interface CommitRequest {
  /** Each keyspace once. */
  readonly tables: readonly NewTables[];
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
