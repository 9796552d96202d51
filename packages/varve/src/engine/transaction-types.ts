/**
 * The public form of transactions (transaction/): what `db.begin` and `db.transaction` take and give.
 */
import type {
  Bytes,
  Disposer,
  Durability,
  Keyspace,
  PutOptions,
  Range,
  RangeView,
  Sequence,
} from './keyspace-types.ts';

/**
 * What a transaction is kept from seeing. `snapshot`: it reads one state, and a key that it writes was written by nobody
 * else since; two that read the same and write different keys may both go through (write skew). `serializable`: as if
 * transactions ran one after the other.
 */
export type Isolation = 'snapshot' | 'serializable';

export interface TransactionOptions {
  /** 'serializable' by default. */
  isolation?: Isolation;
  /** Milliseconds to wait for a lock (`getForUpdate`, `lockRange`): then `LOCK_TIMEOUT`. 1,000 by default. */
  lockTimeoutMs?: number;
}

export interface RetryOptions extends TransactionOptions {
  /** What the promise waits for once it is committed. 'memory' by default. */
  durability?: Durability;
  /** How often a function that met a conflict is run again: then the conflict is thrown. 20 by default. */
  retriesMax?: number;
  /** Milliseconds for all attempts together, until one is committed: then `TRANSACTION_TIMEOUT`. None by default. */
  timeoutMs?: number;
  /** Gives it up: `ABORTED`. */
  signal?: AbortSignal;
}

/** A place in a transaction to go back to. */
export interface Savepoint {
  /** Operations that came before it. */
  readonly operations: number;
}

/**
 * Reads one state of the database, with its own writes on top, and writes all or nothing. To be ended by `commit` or
 * `rollback`; `using` rolls back what was left open, and lets a commit that is under way go on. Not to be used after its end (`TRANSACTION_ENDED`).
 *
 * Errors of `commit`: `TRANSACTION_CONFLICT` (conflict, with the keyspace, the key and who wrote it), those of a batch. What is
 * larger than `batchBytesMax` is committed when it is awaited (`commit({ durability })`, `db.transaction`), by the thread that
 * opened the database and without range deletes; else it is `BATCH_TOO_LARGE`: of `commit()` the transaction is open as before,
 * of an awaited one it has ended.
 */
export interface Transaction extends Disposer {
  /** Rises with every transaction of this thread since the open. */
  readonly id: number;
  /** The state that it reads. */
  readonly sequence: Sequence;
  readonly isolation: Isolation;
  /** Until `commit` is called (it may be waited for then) or `rollback`. */
  readonly isOpen: boolean;
  get<K, V>(keyspace: Keyspace<K, V>, key: K): V | undefined;
  getMany<K, V>(keyspace: Keyspace<K, V>, keys: readonly K[]): (V | undefined)[];
  has<K, V>(keyspace: Keyspace<K, V>, key: K): boolean;
  /** With its own writes up to when an iteration begins. */
  range<K, V>(keyspace: Keyspace<K, V>, range?: Range<K>): RangeView<K, V>;
  /**
   * Locks the key until the end, waiting for its holder, and reads it. Errors: `LOCK_TIMEOUT`, `DEADLOCK` (conflict, with
   * the cycle), `TRANSACTION_CONFLICT` when somebody wrote it after this transaction had begun to read.
   */
  getForUpdate<K, V>(keyspace: Keyspace<K, V>, key: K): Promise<V | undefined>;
  /** Locks all keys of [gte, lt), there or not; errors as `getForUpdate`. */
  lockRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): Promise<void>;
  put<K, V>(keyspace: Keyspace<K, V>, key: K, value: V, options?: PutOptions): void;
  delete<K, V>(keyspace: Keyspace<K, V>, key: K): void;
  deleteRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): void;
  /** As `keyspace.merge`. A write: somebody else's write of the key is a conflict. */
  merge<K, V>(keyspace: Keyspace<K, V>, key: K, operand: V): void;
  savepoint(): Savepoint;
  /** Undoes what was written since; the savepoint stays, those made after it are gone (`SAVEPOINT_INVALID`). */
  rollbackTo(savepoint: Savepoint): void;
  /** Writes everything at one sequence, which it returns; that of the state that was read when there is nothing to write. */
  commit(): Sequence;
  commit(wait: { durability: Durability }): Promise<Sequence>;
  /** Drops its writes. A commit that still waits or writes tables is given up, and rejects with `TRANSACTION_ENDED`. */
  rollback(): void;
  /**
   * The first half of a commit in two: everything is validated and on disk, under an id by which it is decided later, by
   * `db.commitPrepared` or `db.rollbackPrepared`, also after a crash. Until then what it writes, and under 'serializable' what it has
   * read, stays locked (`KEY_LOCKED`). Ends this object. Resolves when it is durable, 'disk' by default.
   *
   * Errors: those of `commit`, `BATCH_TOO_LARGE` above `batchBytesMax`, `PREPARED_ID_USED`, `KEY_LOCKED` (conflict), `PREPARED_ID_INVALID`, `PREPARE_UNSUPPORTED` (invalid, in a
   * thread that has attached the database).
   *
   * @example
   * const tx = db.begin();
   * tx.put(accounts, 'ada', 70);
   * await tx.prepare('transfer-17');
   * db.commitPrepared('transfer-17');
   */
  prepare(id: string, wait?: { durability: Durability }): Promise<Sequence>;
}

/** A transaction that waits for its decision. */
export interface PreparedTransaction {
  readonly id: string;
  /** Of its record in the log; it writes at a later one. */
  readonly sequence: Sequence;
  /** When it was prepared, milliseconds since 1970; not there without timestamps. */
  readonly time?: number;
  /** Those that it writes to. */
  readonly keyspaces: readonly string[];
  readonly operations: number;
  readonly bytes: number;
}

/** Transactions of this thread since the open. */
export interface TransactionStats {
  open: number;
  committed: number;
  /** Of them those that were larger than a batch, and were committed by tables. */
  large: number;
  rolledBack: number;
  /** Refused because somebody else had written. */
  conflicts: number;
  /** Attempts of `db.transaction` after the first. */
  retries: number;
  deadlocks: number;
  /** Keys and ranges that are locked now, and requests that wait for one. */
  locks: number;
  waiting: number;
  /** Waiting for their decision. */
  prepared: number;
}

/** A key that two transactions met at, as errors tell it. */
export interface ConflictContext {
  readonly keyspace: string;
  readonly key: Bytes;
  /** At which the other wrote it. */
  readonly sequence: Sequence;
  /** The transaction of this thread that wrote it, if it was one and is remembered. */
  readonly transaction?: number;
}
