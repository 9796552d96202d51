/**
 * Which directories are taken, and the error that says so. The node file system uses the process-wide table, the memory
 * and simulated ones a table of their own.
 *
 * The process-wide table hangs on `globalThis` under a `Symbol.for`, so that a second copy of the package in the same
 * process (another version in another node_modules) sees it too: its shape, canonical path -> plain holder, is therefore
 * PERSISTED in the sense that it may only be extended. Worker threads have tables of their own; between them, as between
 * processes, the socket of `lock.ts` decides.
 */
import type { VarveError } from '../base/errors.ts';
import { busy } from '../base/errors.ts';
import type { LockHolder } from './file-system.ts';

export type LockTable = Map<string, LockHolder>;

const key = Symbol.for('varve.open-databases');

/** The one table of this process (of this thread, to be exact). */
export function processLocks(): LockTable {
  const place = globalThis as { [key]?: LockTable };
  place[key] ??= new Map();
  return place[key];
}

/** Takes `canonical` in `table` at once or throws LOCKED; the result gives it back (idempotent). */
export function claim(
  table: LockTable,
  canonical: string,
  directory: string,
  holder: LockHolder,
): () => void {
  const other = table.get(canonical);
  if (other !== undefined) throw locked(directory, other);
  table.set(canonical, holder);
  return () => {
    if (table.get(canonical) === holder) table.delete(canonical);
  };
}

/** The refusal of a second opener. */
export function locked(directory: string, holder: LockHolder): VarveError {
  const who =
    holder.pid === undefined
      ? 'another process'
      : `process ${holder.pid}${holder.host === undefined ? '' : ` on ${holder.host}`}`;
  const since = holder.since === undefined ? '' : ` since ${holder.since}`;
  return busy('LOCKED', `${directory} is in use by ${who}${since}`, { directory, holder });
}
