/**
 * What those are told who do not get a lock. Transactions are named by their number, and in a shared database by the thread
 * whose number that is.
 */
import { busy, VarveError } from '../base/errors.ts';
import type { LockOwner, Span } from './lock-book.ts';

/** How a table names what it tells of. */
export interface LockNames {
  /** Of the keyspace. */
  nameOf(span: Span): string;
  /** `threadId` of the owner's thread; undefined while one thread has the database to itself. */
  threadOf(owner: LockOwner): number | undefined;
}

/** A write has met it. */
export function keyLocked(names: LockNames, span: Span, owner: LockOwner): VarveError {
  const keyspace = names.nameOf(span);
  const { prepared } = owner;
  const who = prepared === undefined ? called(names, owner) : `the prepared transaction '${prepared}'`;
  return new VarveError('conflict', 'KEY_LOCKED', `a key of keyspace '${keyspace}' is locked by ${who}`, {
    keyspace,
    key: span.from.slice(),
    ...(prepared === undefined ? context(names, owner) : { prepared }),
  });
}

export function lockTimeout(
  names: LockNames,
  span: Span,
  timeoutMs: number,
  holder: LockOwner | undefined,
): VarveError {
  const keyspace = names.nameOf(span);
  return busy('LOCK_TIMEOUT', `no lock on a key of keyspace '${keyspace}' within ${timeoutMs} ms`, {
    keyspace,
    key: span.from,
    timeoutMs,
    ...(holder !== undefined && context(names, holder)),
  });
}

/** @param cycle begins and ends with the one who is refused */
export function deadlock(names: LockNames, span: Span, cycle: readonly LockOwner[]): VarveError {
  const path = cycle.map((owner) => called(names, owner)).join(' -> ');
  const threads = cycle.map((owner) => names.threadOf(owner));
  return new VarveError('conflict', 'DEADLOCK', `transactions wait for each other: ${path}`, {
    cycle: cycle.map(({ id }) => id),
    ...(threads[0] !== undefined && { threads }),
    keyspace: names.nameOf(span),
    key: span.from,
    transaction: cycle[1]!.id,
  });
}

/** While it waited. */
export function ended(owner: LockOwner): VarveError {
  const message = `transaction ${owner.id} has ended while it waited for a lock`;
  return new VarveError('invalid', 'TRANSACTION_ENDED', message, { transaction: owner.id });
}

function called(names: LockNames, owner: LockOwner): string {
  const thread = names.threadOf(owner);
  return thread === undefined ? `transaction ${owner.id}` : `transaction ${owner.id} of thread ${thread}`;
}

function context(names: LockNames, owner: LockOwner): { transaction: number; thread?: number } {
  const thread = names.threadOf(owner);
  return { transaction: owner.id, ...(thread !== undefined && { thread }) };
}
