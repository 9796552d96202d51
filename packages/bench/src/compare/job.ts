/**
 * One job: an engine, a way of writing, a group of workloads; run in a child process (child.ts) or by db_bench. Plain
 * data, since it travels to the child and its results travel back.
 */
import type { NodeEngine } from './peers/peer.ts';

export type Engine = NodeEngine | 'db_bench';
/** In the order of the table's columns. */
export const engines: readonly Engine[] = ['varve', 'db_bench', 'classic-level', 'lmdb', 'rocksdb', 'sqlite'];

/**
 * How single puts reach the store. Varve: handed over once a tick, or one by one. db_bench: plain, or with
 * --manual_wal_flush=true. Node peers: put by put, or in batches of 1,000.
 */
export type Mode = 'tick' | 'put' | 'plain' | 'manual_wal_flush' | 'single' | 'batch';

export const modes: Readonly<Record<Engine, readonly [Mode, ...Mode[]]>> = {
  varve: ['tick', 'put'],
  db_bench: ['plain', 'manual_wal_flush'],
  'classic-level': ['batch', 'single'],
  lmdb: ['batch', 'single'],
  rocksdb: ['batch', 'single'],
  sqlite: ['batch', 'single'],
};

/** `written`: the workload writes. Reads run as the load left the files, and again after flush and full compaction. */
export type State = 'written' | 'loaded' | 'compacted';

export interface Sizes {
  readonly num: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly ycsbNum: number;
  readonly cacheBytes: number;
  readonly memtableBytes: number;
  readonly seekNexts: number;
  /** A read workload starts over until it has run this long: a scan of a million entries takes milliseconds. */
  readonly readSecondsMin: number;
  readonly seed: number;
}

export interface Job {
  readonly engine: Engine;
  readonly mode: Mode;
  readonly group: string;
  readonly round: number;
  /** The workloads of the group that were asked for. */
  readonly workloads: readonly string[];
  readonly sizes: Sizes;
}

export interface Measurement {
  readonly workload: string;
  readonly state: State;
  readonly operations: number;
  readonly seconds: number;
  readonly opsPerSecond: number;
}

export type Outcome =
  | {
      readonly kind: 'done';
      readonly settings: readonly string[];
      readonly measurements: readonly Measurement[];
    }
  /** The engine is not here: skipped, with what to do. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };
