/**
 * The transactions that their users have to end. What has to be known of them: those that are open, for the close of the
 * database, and those that a program has lost, for a report.
 *
 * Most end in the turn of the event loop in which they begin. They are only put into a list, which is much cheaper than what
 * finds a lost one: that is made for those that are open when the turn is over. From then on they are held weakly, or a lost
 * one would never be found lost.
 */
import type { Session } from '../engine/core.ts';
import { LeakReports } from '../engine/leak-reports.ts';
import type { TransactionHandle } from './transaction.ts';
import type { EndedTransaction } from './transaction-env.ts';

/** In a turn that begins more the open ones of them are looked for at once. */
const YOUNG_MAX = 256;

export class BegunTransactions {
  readonly #core: Session;
  /** Of this turn, with those that have ended. */
  readonly #young: TransactionHandle[] = [];
  readonly #old = new Map<number, WeakRef<TransactionHandle>>();
  #willAge = false;

  constructor(core: Session) {
    this.#core = core;
  }

  add(transaction: TransactionHandle): void {
    if (this.#young.push(transaction) >= YOUNG_MAX) this.#age();
    if (this.#willAge) return;
    this.#willAge = true;
    this.#core.scheduler.soon(() => {
      this.#willAge = false;
      this.#age();
    });
  }

  /** One with `isWatched` has ended. */
  remove(transaction: EndedTransaction): void {
    this.#old.delete(transaction.id);
    leaks.forget(transaction);
  }

  stop(error: Error): void {
    for (const begun of this.#old.values()) begun.deref()?.stop(error);
    for (const begun of this.#young.splice(0)) begun.stop(error);
  }

  #age(): void {
    for (const transaction of this.#young.splice(0)) {
      if (transaction.endedBy !== undefined) continue;
      transaction.isWatched = true;
      this.#old.set(transaction.id, new WeakRef(transaction));
      leaks.watch(transaction, this.#core, transaction.id);
    }
  }
}

const leaks = new LeakReports<number>(
  'TRANSACTION_LEAKED',
  (id) =>
    `transaction ${id} was neither committed nor rolled back; it keeps old versions until the database closes`,
);
