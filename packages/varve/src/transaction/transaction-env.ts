/**
 * What a transaction has of the table of all transactions (transactions.ts): locks, what is prepared, memory of those before it.
 */
import type { Session } from '../engine/core.ts';
import type { LockTable } from './locks.ts';
import type { PreparedTransactions } from './prepared-transactions.ts';
import type { ReadSet } from './read-set.ts';
import type { WriteSet } from './write-set.ts';

/** A transaction that has just ended, as the table looks at it. */
export interface EndedTransaction {
  readonly id: number;
  readonly isWatched: boolean;
  readonly endedBy: 'commit' | 'rollback' | 'prepare' | undefined;
}

/** Sets of transactions that have ended, for the next ones. */
export interface SetPair {
  readonly writes: WriteSet;
  readonly reads: ReadSet;
}

export interface TransactionEnv {
  readonly core: Session;
  readonly locks: LockTable;
  readonly prepared: PreparedTransactions;
  takeSets(): SetPair;
  /** It has ended; `sequence` is that of its batch, 0 when it has written none. */
  ended(transaction: EndedTransaction, sets: SetPair, sequence: number): void;
  /** One was refused because of what somebody else has written. */
  conflicted(): void;
  /** One was committed by tables. */
  wasLarge(): void;
  /** The transaction that committed at the sequence, if it is remembered. */
  committedBy(sequence: number): number | undefined;
}
