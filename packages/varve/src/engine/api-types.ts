/**
 * The public types of the database: what `varve` exports beside `open` and the codecs. Units are in the names: sizes in
 * bytes, times in milliseconds. Every failure is a VarveError; the codes a call can raise stand at the call.
 */
import type { KeyCodec, ValueCodec } from './codecs/codec.ts';
import type { KeyspaceSettings } from '../options/keyspace-settings.ts';
import type {
  CompactionProgress,
  LevelsReport,
  ReclaimedStats,
  ReclaimOptions,
  ReclaimReport,
} from './compaction-types.ts';
import type { PressureStats } from './pressure-types.ts';
import type { RetryOptions, Transaction, TransactionOptions, TransactionStats } from './transaction-types.ts';

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
}

/** What to compact; all of every keyspace when nothing is given. */
export interface CompactOptions {
  keyspace?: string;
  /** Needs the keyspace. */
  range?: Range<Bytes>;
  signal?: AbortSignal;
  /** Called after each compaction, and four times a second while one runs. */
  onProgress?: (progress: CompactionProgress) => void;
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
  /** A later release; refused by name (`NOT_SUPPORTED_YET`) until then. */
  merge(key: K, operand: V): Sequence;
  /** A later release; refused by name (`NOT_SUPPORTED_YET`) until then. */
  explain(target: K | Range<K>): Explanation;
}

/** What `explain` will tell. */
export interface Explanation {
  toString(): string;
}

/** What an open database will hand to another thread. */
export type ShareHandle = unknown;

/** Writes that become visible together. Filled once, written once, then empty and fillable again. */
export interface Batch {
  put<K, V>(keyspace: Keyspace<K, V>, key: K, value: V, options?: PutOptions): this;
  delete<K, V>(keyspace: Keyspace<K, V>, key: K): this;
  deleteRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): this;
  /** A later release; refused by name (`NOT_SUPPORTED_YET`) until then. */
  merge<K, V>(keyspace: Keyspace<K, V>, key: K, operand: V): this;
  /** Operations in it. */
  readonly count: number;
  /** Bytes that it takes in the log. */
  readonly bytes: number;
  clear(): this;
}

/** The database as it was at one sequence. Close it (`using`): it keeps old versions from being dropped. */
export interface Snapshot extends Disposer {
  readonly sequence: Sequence;
  get<K, V>(keyspace: Keyspace<K, V>, key: K): V | undefined;
  getMany<K, V>(keyspace: Keyspace<K, V>, keys: readonly K[]): (V | undefined)[];
  has<K, V>(keyspace: Keyspace<K, V>, key: K): boolean;
  range<K, V>(keyspace: Keyspace<K, V>, range?: Range<K>): RangeView<K, V>;
}

/** What one thread of a shared database keeps from being given back. */
export interface ThreadStats {
  /** As `threadId` of `node:worker_threads`. */
  threadId: number;
  isOwner: boolean;
  /** Registered sequences: snapshots and running iterations. */
  snapshots: number;
  oldestSequence?: Sequence;
  oldestAgeMs?: number;
  /** In the middle of a read. A thread that stays so is blocked: memory that it may be reading is not reused. */
  isReading: boolean;
}

export interface DatabaseStats {
  sequence: Sequence;
  /** What the database's clock shows, milliseconds since 1970: what expires is judged by it, and it never runs back. */
  timeMs: number;
  incarnation: number;
  memoryBytes: { memtables: number; cache: number; indexes: number; pool: number };
  /** How `memoryBytesMax` is divided now; it moves, see the event 'adapt'. */
  memoryBudget: { memtables: number; cache: number; indexes: number };
  /** Blocks that reads took from tables because the cache did not have them, since open. */
  read: { blocks: number; bytes: number };
  log: { segments: number; bytes: number; syncedSequence: Sequence };
  /** Bytes since open. */
  written: { user: number; log: number; flush: number; compaction: number; ingest: number };
  /** What defragmentation and tables that were dropped whole have given back since open: their bytes less what was written. */
  reclaimed: ReclaimedStats;
  keyspaces: Record<
    string,
    {
      /** Names of the codecs that are stored with the keyspace, whatever it was opened with. */
      keyCodec: string;
      valueCodec: string;
      entries: number;
      bytes: number;
      memtableBytes: number;
      levels: { files: number; bytes: number }[];
      /** Blob files (`blobValueBytes`) and what of them tables still refer to; not counted in `bytes`. */
      blobs: { files: number; bytes: number; liveBytes: number };
    }
  >;
  /**
   * Reads of `getAsync`, `getManyAsync` and `for await` in worker threads: jobs since open, jobs that run, the most that ran at
   * one time, pieces of tables that wait for a job.
   */
  asyncReads: { jobs: number; running: number; runningMax: number; waiting: number };
  snapshots: { count: number; oldestSequence?: Sequence; oldestAgeMs?: number };
  pressure: PressureStats;
  transactions: TransactionStats;
  /** Once the database is shared: the threads that have it open, the owner's among them. */
  threads: ThreadStats[];
}

/** What open found in the log. */
export interface OpenReport {
  batches: number;
  bytes: number;
  cutBytes: number;
  segments: number;
  ms: number;
  warnings: string[];
  /** Where flushes and compactions run: in worker threads, or in time slices on this thread (any file system but node's). */
  background: 'threads' | 'slices';
}

/** What a read-only database has taken over from the writer. */
export interface RefreshReport {
  /** The database is read as it was behind this sequence. */
  sequence: Sequence;
  /** Batches and keyspace changes that came from the log. */
  batches: number;
  /** Tables that were not there before. */
  files: number;
  ms: number;
}

export interface VerifyReport {
  files: number;
  bytes: number;
  entries: number;
  problems: { file: string; offset?: number; code: string; message: string }[];
}

/** How an ingestion waits. */
export interface IngestOptions {
  /** Gives it up: nothing of it is left, unless it is visible already; then only the waiting ends (`context.applied`). */
  signal?: AbortSignal;
  /** What its promise waits for once the entries are visible; 'disk' by default. The tables are on disk before in any case. */
  durability?: Durability;
}

/** What an ingestion has brought. */
export interface IngestReport {
  /** All entries became visible at it; that of the database when there were none. */
  sequence: Sequence;
  entries: number;
  /** Tables. */
  files: number;
  bytes: number;
}

/** An open database. */
export interface Database extends AsyncDisposable {
  readonly path: string;
  readonly recovered: OpenReport;
  /** Opens or creates; the same name gives the same object. Errors: `KEYSPACE_CODEC`, `OPTION_INVALID`, `NAME_INVALID`. */
  keyspace<K = Bytes, V = Bytes>(name: string, options?: KeyspaceOptions<K, V>): Keyspace<K, V>;
  keyspaces(): string[];
  dropKeyspace(name: string): Promise<void>;
  batch(): Batch;
  /** Writes the batch and empties it. */
  write(batch: Batch): Sequence;
  write(batch: Batch, wait: WriteWait): Promise<Sequence>;
  snapshot(): Snapshot;
  /**
   * Begins a transaction that the caller ends, by `commit` or `rollback`.
   *
   * Errors: `OPTION_INVALID`, `LOG_EXTERNAL`, `READ_ONLY`, `CLOSED`, `POISONED`.
   *
   * @example
   * using tx = db.begin();
   * tx.put(users, 'bob', tx.get(users, 'ada') ?? 'nobody');
   * tx.commit();
   */
  begin(options?: TransactionOptions): Transaction;
  /**
   * Runs `fn` in a transaction and commits it; resolves with what `fn` returned. After a conflict it is run again, in a new
   * transaction, so it should do nothing else that counts. What it throws rolls back, and is thrown on.
   *
   * Errors: those of `begin` and of `Transaction`; `TRANSACTION_CONFLICT` or `DEADLOCK` (conflict) after the last attempt,
   * `TRANSACTION_TIMEOUT`, `ABORTED` (busy).
   *
   * @example
   * await db.transaction((tx) => {
   *   const from = tx.get(accounts, 'ada') ?? 0;
   *   tx.put(accounts, 'ada', from - 10);
   *   tx.put(accounts, 'bob', (tx.get(accounts, 'bob') ?? 0) + 10);
   * });
   */
  transaction<T>(fn: (transaction: Transaction) => T | Promise<T>, options?: RetryOptions): Promise<T>;
  /** Resolves with the sequence that is safe. Default: 'disk'. */
  sync(durability?: 'os' | 'disk'): Promise<Sequence>;
  syncNow(durability?: 'os' | 'disk'): Sequence;
  /** Memtables become tables. */
  flush(): Promise<void>;
  /**
   * Everything (or a range of one keyspace) goes down to its last level. An abort calls the running compaction off; what was
   * done before it stays done.
   * Errors: `ABORTED` (busy), `KEYSPACE_NOT_FOUND`, `OPTION_INVALID`, what stopped the keyspace from compacting.
   */
  compact(options?: CompactOptions): Promise<void>;
  /**
   * Gives back what deletes and replaced data take, where it is worth a rewrite: defragmentation now and to its end. Errors as
   * for `compact`.
   *
   * @example
   * const { bytesBefore, bytesAfter } = await db.reclaim({ keyspace: 'users' });
   */
  reclaim(options?: ReclaimOptions): Promise<ReclaimReport>;
  /** No compaction starts until `resumeCompaction` was called as often; what runs ends. Writes may meet `level0-files`. */
  pauseCompaction(): void;
  resumeCompaction(): void;
  /** The tables of every keyspace by level, what runs on them, and the last decisions with their reasons. */
  levels(): LevelsReport;
  /** Why writes wait now, if they do, and how often and how long they did since the open. */
  readonly pressure: PressureStats;
  verify(options?: { full?: boolean }): Promise<VerifyReport>;
  /**
   * Puts sorted entries into tables of the keyspace at once, without log and memtable: in strictly ascending order of their
   * encoded keys, each key once. They replace what the keys had, and become visible together, at one sequence; until then
   * nobody sees any of them. The event loop turns meanwhile, and other writes go on. Entries that do not come to an end
   * (an error of the source, `signal`, `close`) leave nothing.
   *
   * Errors: `INGEST_NOT_SORTED` (invalid, with both keys and the position), `ENTRY_INVALID`, `ENTRIES_INVALID`, `KEY_INVALID`,
   * `VALUE_INVALID`, `KEY_TOO_LARGE`, `VALUE_TOO_LARGE`, `KEYSPACE_FOREIGN`, `KEYSPACE_DROPPED`, `LOG_EXTERNAL`,
   * `INGEST_UNSUPPORTED` (invalid, in attached threads), `READ_ONLY`, `ABORTED`, `DISK_FULL`, `INGEST_BUSY` (busy),
   * `CLOSED`, `POISONED`, `IO_ERROR`.
   *
   * @example
   * const towns = db.keyspace('towns', { key: utf8, value: json<{ people: number }>() });
   * const { entries, sequence } = await db.ingest(towns, sortedTowns);
   */
  ingest<K, V>(
    keyspace: Keyspace<K, V>,
    entries: Iterable<readonly [K, V]> | AsyncIterable<readonly [K, V]>,
    options?: IngestOptions,
  ): Promise<IngestReport>;
  /** A copy that opens as a database, at `path`, by hard links where the file system has them. */
  checkpoint(path: string): Promise<void>;
  /**
   * Only with `readOnly: true`: takes over what the process that writes the database has handed to the system (class `os`)
   * before the call, with the keyspaces that it made and dropped. Snapshots and cursors go on at their sequences. Large steps
   * let the event loop turn in between; reads then see the state of before.
   * Errors: `NOT_READ_ONLY` (invalid), `CLOSED`, `NOT_FOUND` when the directory holds no database any more, `REWOUND`
   * (closed) when it holds an older state: open it again, `CORRUPTION`, `IO_ERROR`.
   *
   * @example
   * const reader = await open('./data', { readOnly: true });
   * const { sequence, batches } = await reader.refresh();
   */
  refresh(): Promise<RefreshReport>;
  stats(): DatabaseStats;
  /** 'flush' 'compaction' 'ingest' 'pressure' 'adapt' 'poison' 'recovery' 'warning': CustomEvent with typed detail. */
  readonly events: EventTarget;
  /** Only with `log: 'external'`: applies a batch of the outside log; positions rise. */
  applyExternal(position: number, batch: Batch): void;
  /** The last position that `applyExternal` was given, or that a reopened database holds. */
  appliedPosition(): number;
  /**
   * A handle by which other worker threads of this process open the same database (`attach`): send it by `postMessage` or
   * `workerData`. The same handle each time; good until the database is closed. From the first call on memtables are of the
   * structure that several threads can use.
   *
   * Errors: `SHARE_UNSUPPORTED` (invalid): in memory, read-only, over another file system or an outside log.
   *
   * @example
   * const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: db.share() });
   */
  share(): ShareHandle;
  close(): Promise<void>;
}
