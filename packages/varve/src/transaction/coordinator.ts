/**
 * Transactions over several open databases that go through in all of them or in none: two-phase commit with presumed abort.
 *
 *   1. `fn` reads and writes in one transaction a database.
 *   2. Each is prepared and on disk, under an id of this coordinator.
 *   3. The decision is written to the coordinator's keyspace in `log`, on disk: from here on the transaction is committed.
 *   4. Each is committed, on disk.
 *   5. The decision is removed.
 *
 * A crash before 3 is complete leaves prepared transactions without a decision: opening the coordinator rolls them back. After
 * it they have one, and are committed. A decision stays until every database that it names has been seen at an opening or has committed.
 * What fails at 3 is neither: `OUTCOME_UNKNOWN`, and the transactions stay prepared until the next opening knows.
 */
import { randomUUID } from 'node:crypto';
import { closed, invalid, VarveError } from '../base/errors.ts';
import type { Database } from '../engine/api-types.ts';
import { json } from '../engine/codecs/json.ts';
import { utf8 } from '../engine/codecs/utf8.ts';
import type { Keyspace } from '../engine/keyspace-types.ts';
import { checkOptionMembers } from '../engine/option-members.ts';
import type { Isolation, Transaction } from '../engine/transaction-types.ts';
import { checkRetries, mayGoThrough } from './retry.ts';

const KEYSPACE = 'varve.coordinator';
/** Of the coordinator itself; decisions are behind it. */
const NAME_KEY = '';
const RETRIES_MAX = 20;
const DISK = { durability: 'disk' } as const;

/** The databases by name; the names are in decisions, so a database keeps its own over reopenings. */
export type Databases = Readonly<Record<string, Database>>;

export interface CoordinatorOptions<D extends Databases> {
  readonly databases: D;
  /** Where decisions are kept, in a keyspace of their own; may be one of the databases. */
  readonly log: Database;
}

/** What opening has found undecided, by database and id. */
export interface CoordinatorReport {
  readonly committed: readonly string[];
  readonly rolledBack: readonly string[];
}

export interface TogetherOptions {
  /** 'serializable' by default. */
  readonly isolation?: Isolation;
  /** How often a function that met a conflict is run again: then the conflict is thrown. 20 by default. */
  readonly retriesMax?: number;
}

/** In its entry of the keyspace. */
interface Stored {
  /** Of the coordinator: what its ids begin with. */
  readonly name?: string;
  /** Of a decision: the databases that have to commit. */
  readonly databases?: readonly string[];
}

/** Logs that a coordinator uses: a second one would roll back what the first has prepared and not decided yet. */
const logsInUse = new WeakSet<Database>();

/**
 * Opens a coordinator over open databases and settles what an earlier one has left behind.
 *
 * Errors: `OPTION_INVALID`, `COORDINATOR_OPEN` (conflict) while another coordinator uses `log`, those of writes and of
 * `commitPrepared`.
 *
 * @example
 * const coordinator = await openCoordinator({ log: orders, databases: { orders, stock } });
 * await coordinator.transaction((tx) => {
 *   tx.orders.put(orderTable, 'o-1', 'two lamps');
 *   tx.stock.put(lamps, 'lamp', (tx.stock.get(lamps, 'lamp') ?? 0) - 2);
 * });
 */
export async function openCoordinator<D extends Databases>(
  options: CoordinatorOptions<D>,
): Promise<Coordinator<D>> {
  checkOptionMembers('openCoordinator', options, new Set(['databases', 'log']));
  const { databases, log } = options;
  const names = typeof databases === 'object' && databases !== null ? Object.keys(databases) : [];
  if (names.length === 0 || typeof log?.keyspace !== 'function') {
    const message = 'a coordinator takes databases by name, and the one that keeps its decisions as log';
    throw invalid('OPTION_INVALID', message, { databases: names });
  }
  if (new Set(Object.values(databases)).size < names.length) {
    throw invalid('OPTION_INVALID', 'each of the databases of a coordinator has one name', {
      databases: names,
    });
  }
  const other = names.find(
    (each) => typeof (databases[each] as Partial<Database> | null)?.begin !== 'function',
  );
  if (other !== undefined) {
    const message = `'${other}' is no database; a coordinator takes open databases by name`;
    throw invalid('OPTION_INVALID', message, { databases: names, got: typeof databases[other] });
  }
  if (logsInUse.has(log)) {
    const message = `a coordinator uses ${log.path} as its log; close it before another one is opened`;
    throw new VarveError('conflict', 'COORDINATOR_OPEN', message, { log: log.path });
  }
  logsInUse.add(log);
  try {
    return await opened(databases, log);
  } catch (error) {
    logsInUse.delete(log);
    throw error;
  }
}

async function opened<D extends Databases>(databases: D, log: Database): Promise<Coordinator<D>> {
  const decisions = log.keyspace(KEYSPACE, { key: utf8, value: json<Stored>() });
  let name = decisions.get(NAME_KEY)?.name;
  if (name === undefined) {
    name = randomUUID();
    await decisions.put(NAME_KEY, { name }, DISK);
  }
  // A decision that is only in memory is none: after a loss of power it is gone, and what was committed by it is not.
  await log.sync('disk');
  const report = await settle(databases, decisions, name);
  return new Coordinator(databases, log, decisions, name, report);
}

/** Decides what is prepared by ids of this coordinator, and removes decisions that nobody needs any more. */
async function settle(
  databases: Databases,
  decisions: Keyspace<string, Stored>,
  name: string,
): Promise<CoordinatorReport> {
  const committed: string[] = [];
  const rolledBack: string[] = [];
  for (const [of, database] of Object.entries(databases)) {
    for (const { id } of database.preparedTransactions()) {
      if (!id.startsWith(`${name}/`)) continue;
      const isCommitted = decisions.get(id) !== undefined;
      if (isCommitted) await database.commitPrepared(id, DISK);
      else await database.rollbackPrepared(id, DISK);
      (isCommitted ? committed : rolledBack).push(`${of}: ${id}`);
    }
  }
  for (const [id, { databases: named = [] }] of decisions.range({ gt: NAME_KEY })) {
    if (named.every((each) => Object.hasOwn(databases, each))) forget(decisions, id);
  }
  return { committed, rolledBack };
}

export class Coordinator<D extends Databases> {
  /** What opening it has settled. */
  readonly recovered: CoordinatorReport;
  readonly #databases: D;
  readonly #log: Database;
  readonly #decisions: Keyspace<string, Stored>;
  readonly #name: string;
  /** Numbers of different openings never meet: what one has prepared is settled before the next begins. */
  #count = 0;
  #running = 0;
  #isClosed = false;
  readonly #idle = new Set<() => void>();

  constructor(
    databases: D,
    log: Database,
    decisions: Keyspace<string, Stored>,
    name: string,
    recovered: CoordinatorReport,
  ) {
    this.#databases = databases;
    this.#log = log;
    this.#decisions = decisions;
    this.#name = `${name}/${randomUUID()}`;
    this.recovered = recovered;
  }

  /**
   * Runs `fn` with a transaction of each database and commits all of them or none; resolves with what `fn` returned, when all
   * are committed on disk. After a conflict `fn` is run again.
   *
   * Errors: those of `Database.transaction` and `Transaction.prepare`; `OUTCOME_UNKNOWN` (io) when the decision may or may not
   * be on disk; `COMMIT_PENDING` (io) when it is, and a database could not commit: the next opening does.
   */
  async transaction<T>(
    fn: (transactions: { readonly [Name in keyof D]: Transaction }) => T | Promise<T>,
    options: TogetherOptions = {},
  ): Promise<T> {
    if (this.#isClosed) throw closed('the coordinator');
    if (typeof fn !== 'function')
      throw invalid('OPTION_INVALID', `transaction takes a function; got ${typeof fn}`, { got: typeof fn });
    checkOptionMembers('transaction', options, new Set(['isolation', 'retriesMax']));
    const { retriesMax = RETRIES_MAX, isolation = 'serializable' } = options;
    checkRetries('transaction', retriesMax);
    this.#running++;
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          return await this.#attempt(fn, isolation);
        } catch (error) {
          if (!mayGoThrough(error) || attempt >= retriesMax) throw error;
        }
        await backOff(attempt, this.#count);
      }
    } finally {
      if (--this.#running === 0) for (const resolve of this.#idle) resolve();
    }
  }

  /** Waits for what runs. The databases stay open. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      if (this.#running > 0) await new Promise<void>((resolve) => void this.#idle.add(resolve));
      logsInUse.delete(this.#log);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #attempt<T>(
    fn: (transactions: { readonly [Name in keyof D]: Transaction }) => T | Promise<T>,
    isolation: Isolation,
  ): Promise<T> {
    const begun: [string, Transaction][] = [];
    let result: T;
    try {
      for (const [name, database] of Object.entries(this.#databases))
        begun.push([name, database.begin({ isolation })]);
      result = await fn(Object.fromEntries(begun) as { [Name in keyof D]: Transaction });
    } catch (error) {
      for (const [, transaction] of begun) transaction.rollback();
      throw error;
    }
    // What `fn` has rolled back itself takes no part.
    const open = begun.filter(([, { isOpen }]) => isOpen);
    const id = `${this.#name}/${++this.#count}`;
    await this.#prepareAll(id, open);
    const names = open.map(([name]) => name);
    try {
      await this.#decisions.put(id, { databases: names }, DISK);
    } catch (cause) {
      if (isRefused(cause)) {
        for (const [name] of open) this.#giveUp(this.#databases[name]!, id);
        throw cause;
      }
      const message =
        'whether the decision to commit is on disk is not known; close the coordinator and open it again, which settles it';
      throw new VarveError('io', 'OUTCOME_UNKNOWN', message, { id, databases: names }, { cause });
    }
    await this.#commitAll(id, names);
    return result;
  }

  async #prepareAll(id: string, open: readonly [string, Transaction][]): Promise<void> {
    const outcomes = await Promise.allSettled(open.map(([, transaction]) => transaction.prepare(id)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return;
    for (const [name, transaction] of open) {
      transaction.rollback();
      this.#giveUp(this.#databases[name]!, id);
    }
    throw failed.reason;
  }

  /** What can not be rolled back now has no decision, so the next opening does it. */
  #giveUp(database: Database, id: string): void {
    try {
      if (database.preparedTransactions().some((prepared) => prepared.id === id))
        database.rollbackPrepared(id);
    } catch {
      // Poisoned or closed: whoever uses the database is told.
    }
  }

  async #commitAll(id: string, names: readonly string[]): Promise<void> {
    const commit = async (name: string): Promise<void> =>
      void (await this.#databases[name]!.commitPrepared(id, DISK));
    const outcomes = await Promise.allSettled(names.map(commit));
    const failed = outcomes.findIndex((outcome) => outcome.status === 'rejected');
    if (failed < 0) {
      forget(this.#decisions, id);
      return;
    }
    const message = `the transaction is committed, and database '${names[failed]}' has yet to apply it: close the coordinator and open it again`;
    const { reason } = outcomes[failed] as PromiseRejectedResult;
    throw new VarveError('io', 'COMMIT_PENDING', message, { id, database: names[failed] }, { cause: reason });
  }
}

/** The decision is not needed any more. What can not be written now, or is lost in a crash, the next opening removes. */
function forget(decisions: Keyspace<string, Stored>, id: string): void {
  try {
    decisions.delete(id);
  } catch {
    // The transaction is committed, whatever becomes of this.
  }
}

const BACKOFF_MS_MAX = 50;

/** Whoever is in the way has to come to disk a few times: waits a while that doubles, of which each takes another part. */
async function backOff(attempt: number, count: number): Promise<void> {
  const part = (Math.imul(count + 1, 0x9e3779b1) >>> 16) / 0xffff;
  const ms = Math.min(BACKOFF_MS_MAX, 2 ** attempt) * (0.5 + part / 2);
  await new Promise<void>((resolve) => void setTimeout(resolve, ms));
}

/** Is it sure that nothing was written? */
function isRefused(error: unknown): boolean {
  return error instanceof VarveError && error.kind === 'busy' && error.context['applied'] !== true;
}
