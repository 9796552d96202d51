/**
 * Where `varve levels` has its figures from: the process that has the database open, which also knows what runs and why, or
 * else the files, by a read-only open.
 */
import { type LevelsReport, ownerLevels, VarveError } from 'varve';
import { withDatabase } from './open-database.ts';
import type { Session } from './session.ts';

export interface Seen {
  readonly report: LevelsReport;
  readonly path: string;
  /** The process that told it; undefined: read from files. */
  readonly pid: number | undefined;
}

/** Somebody has the database open and does not tell. */
export interface Untold {
  /** Whom, and why not. */
  readonly notice: string;
  /** It may tell later. */
  readonly isPassing: boolean;
}

/** What the owner tells; undefined when nobody has the database open. */
export async function askOwner(path: string, timeoutMs: number): Promise<Seen | Untold | undefined> {
  try {
    const told = await ownerLevels(path, { timeoutMs });
    return told === undefined ? undefined : { report: told, path: told.path, pid: told.pid };
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    const { code, message, context } = error;
    if (code === 'OWNER_SILENT') return { notice: message, isPassing: context['reason'] !== 'older' };
    const isForbidden = context['system'] === 'EACCES' || context['system'] === 'EPERM';
    if (isForbidden && context['operation'] === 'connect') return { notice: message, isPassing: false };
    throw error;
  }
}

/** What the files say. */
export async function readFiles(session: Session, path: string): Promise<Seen> {
  let seen: Seen | undefined;
  await withDatabase(session, path, 'read', (database) => {
    seen = { report: database.levels(), path: database.path, pid: undefined };
  });
  return seen!;
}
