/**
 * The public form of keyspaces and of what is read and written through them: ranges, batches, snapshots. Docstrings here are
 * what users read.
 */
import type { CompactionFilter } from '../base/compaction-filter.ts';
import type { MergeOperator } from '../base/merge-operator.ts';
import type { KeyCodec, ValueCodec } from './codecs/codec.ts';
import type { KeyspaceSettings } from '../options/keyspace-settings.ts';

export type Bytes = Uint8Array;
export type Sequence = number;

/** What an awaited write waits for; see the durability table of the README. */
export type Durability = 'memory' | 'os' | 'disk' | 'replicated';

export interface Disposer {
  close(): void;
  [Symbol.dispose](): void;
}

/** How long and for what an awaited write waits. */
export interface WriteWait {
  durability: Durability;
  /** Gives up waiting; a write that was already applied stays applied. */
  signal?: AbortSignal;
  /** Milliseconds after which waiting ends with `DEADLINE` (kind busy). */
  deadlineMs?: number;
}

/** Options of one put. */
export interface PutOptions {
  /**
   * Milliseconds from when the put is written to when it is gone for every read, instead of the keyspace's `ttlMs`. A whole
   * number, at least 1. The time that counts is the database's: it never runs back, also when the system's clock is set back.
   */
  ttlMs?: number;
}

export interface KeyspaceOptions<K, V> extends KeyspaceSettings {
  /** Default: `bytes`. */
  key?: KeyCodec<K>;
  /** Default: `bytes`. */
  value?: ValueCodec<V>;
  /**
   * What makes values of the operands of `merge`: an operator that comes with the package, or one of yours with the URL of the
   * module that exports it, which the threads of flush and compaction import. Without a URL they leave operands as they are,
   * and reads merge them. Its name is stored: another one is refused (`MERGE_OPERATOR_CHANGED`).
   */
  mergeOperator?: MergeOperator | MergeOperatorOption;
  /** Removes or changes entries while they are compacted. Without a URL only where compactions run on the owner's thread. */
  compactionFilter?: CompactionFilter | CompactionFilterOption;
}

export interface MergeOperatorOption {
  operator: MergeOperator;
  /** `import.meta.url` of the module that exports it. */
  url?: string | URL;
}

export interface CompactionFilterOption {
  filter: CompactionFilter;
  /** `import.meta.url` of the module that exports it. */
  url?: string | URL;
  /** Called on the owner's thread when a compaction begins; the filter gets a structured clone of what it returns. */
  data?: () => unknown;
}

/** Which keys: all bounds hold together, `prefix` too. Without any, all keys. */
export interface Range<K> {
  gte?: K;
  gt?: K;
  lte?: K;
  lt?: K;
  /** Keys whose bytes start with the encoded prefix. */
  prefix?: K;
  /** From the last key to the first. */
  reverse?: boolean;
  /** Entries at most. */
  limit?: number;
}

/**
 * The entries of a range at the sequence at which iteration begins. Iterating twice walks twice. `for await` yields to the
 * event loop as it goes, and has what comes from files read ahead by worker threads.
 */
export interface RangeView<K, V> extends Iterable<[K, V]>, AsyncIterable<[K, V]> {
  keys(): Iterable<K> & AsyncIterable<K>;
  values(): Iterable<V> & AsyncIterable<V>;
  /** By bytes, nothing allocated per entry; starts before the first entry; to be closed. */
  cursor(): Cursor;
  /**
   * At most `parts` ranges that follow each other in the range's direction and together are this one, of about equal bytes in
   * tables; for walks side by side. Each takes its sequence when its iteration begins: ranges of a snapshot show one state.
   * Errors: `RANGE_INVALID` (not a whole number from 1 to 4,096; a range with a limit).
   *
   * @example
   * using state = db.snapshot();
   * const parts = state.range(users, { prefix: 'de/' }).partitions(4);
   * const sums = await Promise.all(parts.map(async (part) => {
   *   let bytes = 0;
   *   for await (const [, value] of part) bytes += value.length;
   *   return bytes;
   * }));
   */
  partitions(parts: number): RangeView<K, V>[];
}

export interface Cursor extends Disposer {
  /** To the next entry in the range's direction; false when there is none. Throws `CLOSED` once the database is closed. */
  next(): boolean;
  /** To the first entry at or past `key` in the range's direction. */
  seek(key: Bytes): boolean;
  /** Borrowed: valid until the next move. */
  readonly key: Bytes;
  /** Borrowed: valid until the next move. */
  readonly value: Bytes;
}

/** A named set of keys with its own tree, codecs and settings. */
export interface Keyspace<K, V> {
  readonly name: string;
  /**
   * Writes; visible at once. Without `durability` it returns the sequence, with one a promise for it.
   * Errors: `KEY_INVALID`, `VALUE_INVALID`, `KEY_TOO_LARGE`, `VALUE_TOO_LARGE`, `BATCH_TOO_LARGE`, `CLOSED`, `POISONED`,
   * `BUSY`, `DISK_FULL`, `READ_ONLY`.
   */
  put(key: K, value: V, options?: PutOptions): Sequence;
  put(key: K, value: V, options: PutOptions & WriteWait): Promise<Sequence>;
  /** Removes a key; removing what is not there is no error. Errors as `put`. */
  delete(key: K): Sequence;
  delete(key: K, wait: WriteWait): Promise<Sequence>;
  /** Removes all keys of [gte, lt) with one entry. */
  deleteRange(range: { gte: K; lt: K }): Sequence;
  deleteRange(range: { gte: K; lt: K }, wait: WriteWait): Promise<Sequence>;
  deleteRange(range: { gte: K; lt: K }, wait?: WriteWait): Sequence | Promise<Sequence>;
  /** Writes when the key has no value; true when it wrote. Atomic. */
  putIfAbsent(key: K, value: V): boolean;
  /** Replaces the value by what `change` makes of it; undefined deletes. Returns the new value. Atomic. */
  update(key: K, change: (old: V | undefined) => V | undefined): V | undefined;
  /** The value, or undefined. */
  get(key: K): V | undefined;
  /**
   * As `get`, but what has to come from files is read by worker threads. Several at once share their reads. At the sequence
   * that is visible when it is called; `CLOSED` when the database closes before it is done.
   */
  getAsync(key: K): Promise<V | undefined>;
  /** Values in the order of the keys. */
  getMany(keys: readonly K[]): (V | undefined)[];
  /** As `getMany`; what has to come from files is read by worker threads, in parallel. */
  getManyAsync(keys: readonly K[]): Promise<(V | undefined)[]>;
  has(key: K): boolean;
  /** Entries in the range, by walking it. */
  count(range?: Range<K>): number;
  /**
   * As `count`, at the sequence that is visible when it is called, by worker threads: in `partitions` parts, by default of
   * 16 MiB each. Where there are no worker threads it walks here and lets the event loop turn. Writes of the range that are in
   * memory only are put into tables early. Errors: `RANGE_INVALID`, `CLOSED`, `KEYSPACE_DROPPED`, `CORRUPTION`.
   *
   * @example
   * const active = await users.countAsync({ prefix: 'active/' });
   */
  countAsync(range?: Range<K>, options?: { partitions?: number }): Promise<number>;
  /** Bytes in tables, and of the values that they refer to in blob files, that the range takes: estimated from indexes. */
  approximateSize(range?: Range<K>): number;
  range(range?: Range<K>): RangeView<K, V>;
  /**
   * The versions of a key, newest first, as far as the setting `retention` promises them; without one, that of now. Errors:
   * `OPTION_INVALID`, `CLOSED`, `KEYSPACE_DROPPED`, `CORRUPTION`, `IO_ERROR`.
   *
   * @example
   * for (const { time, value } of users.history('ada')) console.log(new Date(time ?? 0), value);
   */
  history(key: K, options?: HistoryOptions): KeyVersion<V>[];
  /**
   * Writes an operand without reading: what it makes of the value the keyspace's `mergeOperator` says when the key is read.
   * The operand passes through the value codec. Errors as `put`, and `MERGE_OPERATOR_MISSING`, `OPERAND_INVALID` (invalid);
   * reading a merged key: `MERGE_OPERATOR_MISSING`, `MERGE_FAILED` (invalid, with keyspace, key and operator).
   *
   * @example
   * const visits = db.keyspace('visits', { key: utf8, value: u64, mergeOperator: counter });
   * visits.merge('/', 1);
   */
  merge(key: K, operand: V): Sequence;
  merge(key: K, operand: V, wait: WriteWait): Promise<Sequence>;
  /** A later release; refused by name (`NOT_SUPPORTED_YET`) until then. */
  explain(target: K | Range<K>): Explanation;
}

export interface HistoryOptions {
  /** Versions shown at most; all by default. */
  limit?: number;
}

/** What a key had from `sequence` on, until its next version. */
export interface KeyVersion<V> {
  readonly sequence: Sequence;
  /** When it was written, milliseconds since 1970: at this time or a little before. Undefined: not known. */
  readonly time: number | undefined;
  /** By a delete or by the delete of a range over the key; there is no value then. */
  readonly isDeleted: boolean;
  readonly value: V | undefined;
  /** When it expires, or did, milliseconds since 1970. */
  readonly expiresAt?: number;
}

/** What `explain` will tell. */
export interface Explanation {
  toString(): string;
}

/** Writes that become visible together. Filled once, written once, then empty and fillable again. */
export interface Batch {
  put<K, V>(keyspace: Keyspace<K, V>, key: K, value: V, options?: PutOptions): this;
  delete<K, V>(keyspace: Keyspace<K, V>, key: K): this;
  deleteRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): this;
  /** All operands of a key count, in the order of the calls; behind a put or delete of the batch they are merged with that. */
  merge<K, V>(keyspace: Keyspace<K, V>, key: K, operand: V): this;
  /** Operations in it. */
  readonly count: number;
  /** Bytes that it takes in the log. */
  readonly bytes: number;
  clear(): this;
}

export interface SnapshotOptions {
  /**
   * Milliseconds after which it is closed by itself, so that one that was forgotten does not keep old versions for good; its
   * use then throws `SNAPSHOT_EXPIRED` (closed). None by default.
   */
  maxAgeMs?: number;
}

/** The database as it was at one sequence. Close it (`using`): it keeps old versions from being dropped. */
export interface Snapshot extends Disposer {
  readonly sequence: Sequence;
  get<K, V>(keyspace: Keyspace<K, V>, key: K): V | undefined;
  getMany<K, V>(keyspace: Keyspace<K, V>, keys: readonly K[]): (V | undefined)[];
  has<K, V>(keyspace: Keyspace<K, V>, key: K): boolean;
  range<K, V>(keyspace: Keyspace<K, V>, range?: Range<K>): RangeView<K, V>;
}
