/** Questions to a database: which threads have it open, and may it be written. */
import { threadId } from 'node:worker_threads';
import { VarveError } from '../base/errors.ts';
import type { Database } from '../index.ts';

/** Whether this thread uses a database that another one has opened. */
export function isAttached(db: Database): boolean {
  return db.stats().threads.some((thread) => thread.threadId === threadId && !thread.isOwner);
}

/** Does the thread have the database open? */
export function isRunning(db: Database, id: number): boolean {
  return id === threadId || db.stats().threads.some((thread) => thread.threadId === id);
}

/** Runs it; in a database that was opened read-only, what it wants to write stays as it is. */
export function unlessReadOnly(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof VarveError && error.code === 'READ_ONLY')) throw error;
  }
}
