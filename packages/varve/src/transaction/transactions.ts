/**
 * All transactions of one thread's session: begins them, runs functions in them again until they go through, and remembers
 * which of them committed what, so that a conflict can name its other side.
 */
import { busy, invalid, VarveError } from '../base/errors.ts';
import type { Session } from '../engine/core.ts';
import type { Transactions } from '../engine/database.ts';
import type {
  RetryOptions,
  Transaction,
  TransactionOptions,
  TransactionStats,
} from '../engine/transaction-types.ts';
import { checkWait, reach } from '../engine/write-wait.ts';
import { Patience, type PatienceErrors } from '../runtime/patience.ts';
import { checkOptionMembers } from '../engine/option-members.ts';
import { BegunTransactions } from './begun-transactions.ts';
import { LockTable } from './locks.ts';
import { PreparedTransactions } from './prepared-transactions.ts';
import { checkRetries, mayGoThrough } from './retry.ts';
import { ReadSet } from './read-set.ts';
import { TransactionHandle } from './transaction.ts';
import type { EndedTransaction, SetPair, TransactionEnv } from './transaction-env.ts';
import { WriteSet } from './write-set.ts';

const LOCK_TIMEOUT_MS = 1000;
const RETRIES_MAX = 20;
/** Sets that are kept for the next transactions. */
const SPARE_MAX = 64;
/** Commits of which it is remembered whose they were. */
const COMMITS_MAX = 1024;
const BACKOFF_MS_MAX = 50;

const NONE: RetryOptions = {};

const impatience: PatienceErrors = {
  late: (timeoutMs) =>
    busy('TRANSACTION_TIMEOUT', `the transaction did not go through within ${timeoutMs} ms`, { timeoutMs }),
  aborted: (cause) => new VarveError('busy', 'ABORTED', 'the transaction was aborted', {}, { cause }),
};

const beginMembers = new Set(['isolation', 'lockTimeoutMs']);
const runMembers = new Set([...beginMembers, 'durability', 'retriesMax', 'timeoutMs', 'signal']);

export class TransactionTable implements Transactions, TransactionEnv {
  readonly core: Session;
  readonly locks: LockTable;
  readonly prepared: PreparedTransactions;
  readonly #begun: BegunTransactions;
  #openCount = 0;
  readonly #spare: SetPair[] = [];
  readonly #sequences = new Float64Array(COMMITS_MAX);
  readonly #ids = new Float64Array(COMMITS_MAX);
  #commits = 0;
  #id = 0;
  #committed = 0;
  #large = 0;
  #rolledBack = 0;
  #conflicts = 0;
  #retries = 0;

  constructor(core: Session) {
    this.core = core;
    this.locks = new LockTable(core);
    this.#begun = new BegunTransactions(core);
    this.prepared = new PreparedTransactions(core, this.locks);
  }

  begin(options: TransactionOptions = NONE): Transaction {
    this.core.pipeline.checkWritable(0);
    checkOptions('begin', options, beginMembers);
    const transaction = this.#begin(options);
    this.#begun.add(transaction);
    return transaction;
  }

  async run<T>(fn: (transaction: Transaction) => T | Promise<T>, options: RetryOptions = NONE): Promise<T> {
    this.core.pipeline.checkWritable(0);
    if (typeof fn !== 'function') {
      throw invalid('OPTION_INVALID', `transaction takes a function; got ${typeof fn}`, { got: typeof fn });
    }
    checkOptions('transaction', options, runMembers);
    const { retriesMax = RETRIES_MAX, durability, timeoutMs, signal } = options;
    const patience =
      timeoutMs === undefined && signal === undefined
        ? undefined
        : new Patience(this.core.scheduler, timeoutMs, signal, impatience);
    try {
      for (let attempt = 0; ; attempt++) {
        patience?.check();
        const transaction = this.#begin(options);
        try {
          const made = fn(transaction);
          const result = isPromise(made) ? await (patience === undefined ? made : patience.race(made)) : made;
          patience?.check();
          if (transaction.isOpen) {
            const committed = transaction.commitPaced(patience?.over);
            if (committed instanceof Promise) await committed;
          }
          // Also of one that the function has committed itself.
          const { committedAt } = transaction;
          if (durability !== undefined && committedAt > 0) await reach(this.core, durability, committedAt);
          return result;
        } catch (error) {
          transaction.rollback();
          // What is committed is not done again.
          if (transaction.committedAt > 0 || !mayGoThrough(error) || attempt >= retriesMax) throw error;
        }
        this.#retries++;
        const wait = this.#backOff(attempt);
        await (patience === undefined ? wait : patience.race(wait));
      }
    } finally {
      patience?.end();
    }
  }

  stats(): TransactionStats {
    return {
      open: this.#openCount,
      committed: this.#committed,
      large: this.#large,
      rolledBack: this.#rolledBack,
      conflicts: this.#conflicts,
      retries: this.#retries,
      deadlocks: this.locks.deadlocks,
      ...this.locks.counts(),
      prepared: this.core.state.prepared.size,
    };
  }

  /** The database closes: whoever waits for a lock gets the error, and what is open is rolled back. */
  close(error: Error): void {
    this.locks.close(error);
    this.#begun.stop(error);
  }

  takeSets(): SetPair {
    return this.#spare.pop() ?? { writes: new WriteSet(), reads: new ReadSet() };
  }

  ended(transaction: EndedTransaction, sets: SetPair, sequence: number): void {
    this.#openCount--;
    if (transaction.isWatched) this.#begun.remove(transaction);
    sets.writes.clear();
    sets.reads.clear();
    if (this.#spare.length < SPARE_MAX) this.#spare.push(sets);
    if (transaction.endedBy === 'commit') this.#committed++;
    else if (transaction.endedBy === 'rollback') this.#rolledBack++;
    if (sequence === 0) return;
    const at = this.#commits++ % COMMITS_MAX;
    this.#sequences[at] = sequence;
    this.#ids[at] = transaction.id;
  }

  committedBy(sequence: number): number | undefined {
    const at = this.#sequences.indexOf(sequence);
    return at < 0 ? undefined : this.#ids[at];
  }

  #begin({
    isolation = 'serializable',
    lockTimeoutMs = LOCK_TIMEOUT_MS,
  }: TransactionOptions): TransactionHandle {
    const transaction = new TransactionHandle(this, ++this.#id, isolation, lockTimeoutMs);
    this.#openCount++;
    return transaction;
  }

  conflicted(): void {
    this.#conflicts++;
  }

  wasLarge(): void {
    this.#large++;
  }

  /** The first time only others that are ready go first; then a while that doubles, of which each takes another part. */
  async #backOff(attempt: number): Promise<void> {
    const { scheduler } = this.core;
    if (attempt === 0) {
      await new Promise<void>((resolve) => scheduler.soon(resolve));
      return;
    }
    const part = (Math.imul(this.#id, 0x9e3779b1) >>> 16) / 0xffff;
    const ms = Math.min(BACKOFF_MS_MAX, 2 ** attempt) * part;
    await new Promise<void>((resolve) => void scheduler.after(ms, resolve, true));
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** @throws VarveError `OPTION_INVALID` with what was wanted */
function checkOptions(what: string, options: RetryOptions, known: ReadonlySet<string>): void {
  if (options === NONE) return;
  const refuse = (message: string, context: Record<string, unknown>): VarveError =>
    invalid('OPTION_INVALID', `${what}: ${message}`, context);
  checkOptionMembers(what, options, known);
  const { isolation, lockTimeoutMs, durability, retriesMax, timeoutMs, signal } = options;
  if (isolation !== undefined && isolation !== 'snapshot' && isolation !== 'serializable') {
    throw refuse(`isolation is 'snapshot' or 'serializable'; got ${String(isolation)}`, {
      option: 'isolation',
      got: isolation,
    });
  }
  const checkMs = (option: string, value: number | undefined): void => {
    if (value === undefined || (typeof value === 'number' && value >= 0)) return;
    throw refuse(`${option} is milliseconds, 0 or more; got ${String(value)}`, { option, got: value });
  };
  checkMs('lockTimeoutMs', lockTimeoutMs);
  checkMs('timeoutMs', timeoutMs);
  if (retriesMax !== undefined) checkRetries(what, retriesMax);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw refuse('signal is an AbortSignal', { option: 'signal', got: typeof signal });
  }
  if (durability !== undefined) checkWait({ durability });
}
