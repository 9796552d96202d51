/**
 * The public types of `varve/mga` that several of its files need: ids of transactions and rows, and what an index asks of an
 * inventory of transactions.
 */
import type { Bytes, Durability, KeyCodec, KeyspaceSettings } from '../index.ts';

/** Number of a transaction: a whole number from 1, in the order in which transactions began. */
export type Xid = number;

/** Id of a row: 0 to 2^64 - 1. Comes back as a number up to 2^53 - 1, beyond that as a bigint. */
export type Tid = number | bigint;

export type XidState = 'active' | 'committed' | 'aborted';

/** A copy of what a collection of garbage has to know: it does not change while that runs. */
export interface FrozenInventory {
  /** Every transaction below has ended. */
  readonly oldestActive: Xid;
  /** Those below `oldestActive` that were rolled back, as far as entries may still carry them. */
  readonly aborted: readonly Xid[];
}

/**
 * What an index asks about transactions. `TransactionInventory` has it; a host that keeps its own inventory gives an object with
 * these members. A state that is no longer `active` never changes again.
 */
export interface Inventory {
  /** The xid that begins next: none from it on has begun. */
  readonly next: Xid;
  /** The lowest active xid, `next` when there is none. */
  readonly oldestActive: Xid;
  /** Of an xid below `next`. */
  stateOf(xid: Xid): XidState;
  /** What would survive a crash of it: what it calls committed is never aborted later. */
  frozen(): FrozenInventory;
}

/** An entry as a reader sees it. */
export interface MgaEntry<K> {
  readonly key: K;
  readonly tid: Tid;
  /** The included columns that were put with it; empty when there were none. */
  readonly payload: Bytes;
}

/** Which keys a scan shows: all bounds hold together. */
export interface MgaRange<K> {
  gte?: K;
  gt?: K;
  lte?: K;
  lt?: K;
  /** From the last key to the first, row ids too. */
  reverse?: boolean;
  /** Entries at most. */
  limit?: number;
}

/** What `statistics` calls out; a value above it is an alert. */
export interface MgaThresholds {
  /** Files of level 0: compaction falls behind. 20. */
  level0Files?: number;
  /** Bytes in tables. 10 GB. */
  bytes?: number;
  /** Share of entries that nobody can see any more, 0 to 1. 0.5. */
  deletedShare?: number;
}

export interface MgaIndexOptions<K> {
  inventory: Inventory;
  /** Of the index key; `bytes` by default. Stored with the index. */
  key?: KeyCodec<K>;
  /** A key has at most one row at a time: `put` of another one is refused. false by default; stored with the index. */
  unique?: boolean;
  /** All encoded keys have this many bytes: they are stored as they are. Without it they are escaped. Stored with the index. */
  keyBytes?: number;
  thresholds?: MgaThresholds;
  /** Settings of the keyspace that holds the entries. */
  settings?: KeyspaceSettings;
}

/** What `uniqueCheck` says of a key. */
export type UniqueState =
  | { readonly state: 'free' }
  /** A row has it, by a transaction that has committed or by the asking one. */
  | { readonly state: 'taken'; readonly tid: Tid }
  /** It depends on how the transaction `by`, which is active, ends. */
  | { readonly state: 'in-doubt'; readonly tid: Tid; readonly by: Xid };

/** An entry as `reindex` takes it. */
export interface MgaSourceEntry<K> {
  readonly key: K;
  readonly tid: Tid;
  /** 0 or left out: put before every transaction. */
  readonly xmin?: Xid;
  /** 0 or left out: not removed. */
  readonly xmax?: Xid;
  readonly payload?: Bytes;
}

export interface CommitWait {
  /** What the promise waits for. */
  readonly durability: Durability;
}
