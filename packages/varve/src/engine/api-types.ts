/**
 * The public types of the database: what `varve` exports beside `open` and the codecs. Units are in the names: sizes in
 * bytes, times in milliseconds. Every failure is a VarveError; the codes a call can raise stand at the call.
 */
import type {
  CompactionProgress,
  LevelsReport,
  ReclaimedStats,
  ReclaimOptions,
  ReclaimReport,
} from './compaction-types.ts';
import type { Difference, DiffOptions, HistoryStart } from './history-types.ts';
import type { ChangeFeed, ChangesOptions, ChangesStats } from './change-types.ts';
import type { HeldSnapshotStats } from './held-snapshots.ts';
import type {
  Batch,
  Bytes,
  Durability,
  Keyspace,
  KeyspaceOptions,
  Range,
  Sequence,
  Snapshot,
  SnapshotOptions,
  WriteWait,
} from './keyspace-types.ts';
import type { PressureStats } from './pressure-types.ts';
import type {
  PreparedTransaction,
  RetryOptions,
  Transaction,
  TransactionOptions,
  TransactionStats,
} from './transaction-types.ts';
/** What to compact; all of every keyspace that was named when nothing is given. */
export interface CompactOptions {
  keyspace?: string;
  /** Needs the keyspace. */
  range?: Range<Bytes>;
  signal?: AbortSignal;
  /** Called after each compaction, and four times a second while one runs. */
  onProgress?: (progress: CompactionProgress) => void;
}

/** What an open database will hand to another thread. */
export type ShareHandle = unknown;

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
      /** The first state that can be read, of a keyspace that keeps its past (`retention`). */
      history?: HistoryStart;
      /** Blob files (`blobValueBytes`) and what of them tables still refer to; not counted in `bytes`. */
      blobs: { files: number; bytes: number; liveBytes: number };
    }
  >;
  /**
   * Reads of `getAsync`, `getManyAsync` and `for await` in worker threads: jobs since open, jobs that run, the most that ran at
   * one time, pieces of tables that wait for a job.
   */
  asyncReads: { jobs: number; running: number; runningMax: number; waiting: number };
  /** Registered readers: snapshots, transactions and running iterations. */
  snapshots: { count: number; oldestSequence?: Sequence; oldestAgeMs?: number };
  /** Snapshots that this thread has made and not closed, the oldest hundred. */
  heldSnapshots: HeldSnapshotStats[];
  pressure: PressureStats;
  transactions: TransactionStats;
  changes: ChangesStats;
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
  /** Errors: `OPTION_INVALID`, `CLOSED`. */
  snapshot(options?: SnapshotOptions): Snapshot;
  /**
   * The database as it was at a time, or at a sequence: to be closed like a snapshot, and read like one. Only keyspaces that keep
   * their past (`retention: { ms }`), as far back as they do; a state that is open stays readable when the time is over.
   *
   * Errors: `OUTSIDE_HISTORY` (invalid) with the bounds as `from` and `to`, here when no keyspace keeps the state, else at the
   * read of one that does not; `POINT_INVALID`, `OPTION_INVALID`, `NOT_SUPPORTED_YET` (read-only), `CLOSED`.
   *
   * @example
   * using past = db.at(new Date(Date.now() - 60_000));
   * console.log(past.get(users, 'ada'));
   */
  at(target: Date | Sequence, options?: SnapshotOptions): Snapshot;
  /**
   * What differs between two states, now when `to` is left out: in a keyspace, or a range of it, by key; without one in all
   * keyspaces, which all have to keep both states. Walked when it is iterated; both states stay readable meanwhile.
   *
   * Errors: those of `at`, `RANGE_INVALID`, `KEYSPACE_FOREIGN`, `KEYSPACE_DROPPED`.
   *
   * @example
   * for (const { key, before, after } of db.diff(yesterday, new Date(), { keyspace: users, prefix: 'a' })) {
   *   console.log(key, before, after);
   * }
   */
  diff<K = Bytes, V = Bytes>(
    from: Date | Sequence,
    to?: Date | Sequence,
    options?: DiffOptions<K, V>,
  ): Iterable<Difference<K, V>>;
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
  /**
   * Writes what `Transaction.prepare` has prepared under the id, at the sequence that it returns; it can not meet a conflict. Its
   * record is handed over like that of any write; with a durability the promise waits for it.
   *
   * Errors: `PREPARED_NOT_FOUND`, `PREPARED_ID_INVALID` (invalid), those of a write. It stays prepared when it throws.
   */
  commitPrepared(id: string): Sequence;
  commitPrepared(id: string, wait: { durability: Durability }): Promise<Sequence>;
  /** Gives it up, and its locks. Errors as `commitPrepared`. */
  rollbackPrepared(id: string): Sequence;
  rollbackPrepared(id: string, wait: { durability: Durability }): Promise<Sequence>;
  /** Those that wait for their decision, the oldest first; after a reopening too. */
  preparedTransactions(): PreparedTransaction[];
  /**
   * The committed batches in their order, from `since` on and then as they come, once they are durable. Complete: what is left
   * out is only what `keyspaces` and `range` do not ask for. Each has a token to go on from after a restart, while the log
   * is kept (`changesRetention`).
   *
   * Errors: `CHANGES_GONE` (invalid, with `context.oldest`), `CHANGES_LOST` (invalid: beyond the end that was recovered, with
   * `context.lastCommon`), `OPTION_INVALID`, `RANGE_INVALID`, `KEY_INVALID`, `KEYSPACE_NOT_FOUND`, `KEYSPACE_FOREIGN`,
   * `KEYSPACE_DROPPED`, `READ_ONLY`, `LOG_EXTERNAL`, `CHANGES_UNSUPPORTED` (invalid, in attached threads), `CLOSED`; of the
   * iteration see `ChangeFeed`.
   *
   * @example
   * for await (const { token, operations } of db.changes({ since, keyspaces: [users] })) {
   *   for (const change of operations) if (change.type === 'put') index(change.key, change.value);
   *   save(token);
   * }
   */
  changes<K, V>(options: ChangesOptions<K> & { keyspaces: readonly [Keyspace<K, V>] }): ChangeFeed<K, V>;
  changes(options?: ChangesOptions & { keyspaces?: readonly string[] }): ChangeFeed;
  changes(options: ChangesOptions): ChangeFeed<unknown, unknown>;
  /** Resolves with the sequence that is safe. Default: 'disk'. */
  sync(durability?: 'os' | 'disk'): Promise<Sequence>;
  syncNow(durability?: 'os' | 'disk'): Sequence;
  /** Memtables become tables. */
  flush(): Promise<void>;
  /**
   * Everything (or a range of one keyspace) goes down to its last level. An abort calls the running compaction off; what was
   * done before it stays done. Under the strategy 'fifo' nothing is merged over its ages: what is too much, covered or expired goes.
   * Keyspaces that nobody has named since the open, and in which nothing was ever merged, are left out.
   * Errors: `ABORTED` (busy), `KEYSPACE_NOT_FOUND`, `KEYSPACE_UNNAMED`, `OPTION_INVALID`, what stopped the keyspace from
   * compacting.
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
  /**
   * No compaction starts until `resumeCompaction` was called as often; what runs ends. Writes may meet `level0-files`. Pauses of an
   * attached thread end with it.
   */
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
   * (an error of the source, `signal`, `close`) leave nothing. Locks of transactions on keys between those of a table are waited
   * for in the end, two seconds at most: `KEY_LOCKED` (conflict).
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
