/**
 * `db.levels()` of the process that has a database open, asked over the lock of its directory (fs/lock-questions.ts): what the
 * owner answers, and how another process asks. For `varve levels` and for monitoring.
 *
 * What comes back was written by another process, perhaps of another release: it is looked at before it is believed.
 */
import { resolve, sep } from 'node:path';
import { busy, invalid, type VarveError } from '../base/errors.ts';
import type { DirectoryLock, LockHolder } from '../fs/file-system.ts';
import { askLock } from '../fs/lock-client.ts';
import type { LevelsReport } from './compaction-types.ts';
import { levelsJson } from './compactions/levels.ts';
import type { Core } from './core.ts';

/** What the owner says of itself beside the levels. */
export interface OwnerLevels extends LevelsReport {
  pid: number;
  path: string;
}

export interface OwnerLevelsOptions {
  /** How long to wait for the owner, whose event loop may be busy; 1000 when not given. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 1000;

/** The owner's half: whoever connects to the lock can ask. */
export function answerLevels(lock: DirectoryLock | undefined, path: string, core: Core): void {
  lock?.answer?.('levels', () =>
    core.state.isClosed ? undefined : levelsJson(core, { pid: process.pid, path }),
  );
}

/**
 * The levels of the database in the directory `path`, told by the process that has it open; undefined when none has.
 *
 * Errors: `OWNER_SILENT` (busy) when that process does not answer, because its event loop is blocked, because it is opening or
 * closing the database, or because it is of an older release (`context.reason`: 'blocked', 'busy', 'older');
 * `IO_ERROR` (io) when its lock may not be connected to; `OPTION_INVALID`, `PATH_INVALID` (invalid).
 *
 * @example
 * const levels = await ownerLevels('./data');
 * for (const { reason, doneBytes } of levels?.running ?? []) console.log(reason, doneBytes);
 */
export async function ownerLevels(
  path: string,
  options: OwnerLevelsOptions = {},
): Promise<OwnerLevels | undefined> {
  if (typeof path !== 'string' || path === '') {
    throw invalid('PATH_INVALID', 'ownerLevels takes the path of a directory', { got: typeof path });
  }
  const { timeoutMs = TIMEOUT_MS } = options;
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > 0x7fff_ffff) {
    const message = `ownerLevels: got a timeoutMs of ${String(timeoutMs)}, wanted whole milliseconds from 1 on`;
    throw invalid('OPTION_INVALID', message, { option: 'timeoutMs', got: timeoutMs });
  }
  const said = await askLock(resolve(path).replaceAll(sep, '/'), 'levels', timeoutMs);
  switch (said.state) {
    case 'nobody':
      return undefined;
    case 'silent':
      throw silent(
        path,
        said.holder,
        'blocked',
        `does not answer within ${timeoutMs} ms: its event loop is blocked`,
      );
    case 'unknown':
      throw silent(
        path,
        said.holder,
        'older',
        'is of an older release of Varve, which does not tell its levels',
      );
    case 'answered':
      if (said.answer === null)
        throw silent(
          path,
          said.holder,
          'busy',
          'can not answer just now: it opens or closes the database, or is asked too much',
        );
      if (!isOwnerLevels(said.answer)) {
        throw silent(
          path,
          said.holder,
          'older',
          'is of another release of Varve, whose answer is not understood',
        );
      }
      return said.answer;
  }
}

function silent(path: string, holder: LockHolder, reason: string, why: string): VarveError {
  const { pid, host, since } = holder;
  const who = pid === undefined ? 'the process that has it open' : `process ${pid}`;
  const where = `${host === undefined ? '' : ` on ${host}`}${since === undefined ? '' : ` since ${since}`}`;
  return busy('OWNER_SILENT', `${path}: ${who}${where} ${why}`, { directory: path, reason, holder });
}

type Members = Readonly<Record<string, unknown>>;

function isOwnerLevels(value: unknown): value is OwnerLevels {
  if (!isObject(value) || !hasNumbers(value, 'pid', 'time') || typeof value['path'] !== 'string')
    return false;
  const { keyspaces, running, decisions } = value;
  return (
    isObject(keyspaces) &&
    Object.values(keyspaces).every(isKeyspace) &&
    isListOf(decisions, isDecision) &&
    isListOf(running, (each) => isDecision(each) && hasNumbers(each, 'doneBytes', 'jobs')) &&
    typeof value['isPaused'] === 'boolean' &&
    (value['bytesPerSecond'] === null || hasNumbers(value, 'bytesPerSecond'))
  );
}

function isKeyspace(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['strategy'] === 'string' &&
    hasNumbers(value, 'memtableBytes') &&
    isObject(value['blobs']) &&
    hasNumbers(value['blobs'], 'files', 'bytes', 'liveBytes') &&
    isListOf(value['levels'], isLevel)
  );
}

function isLevel(level: Members): boolean {
  return hasNumbers(level, 'files', 'bytes', 'entries', 'runs') && isListOf(level['tables'], isTable);
}

function isTable(table: Members): boolean {
  return (
    hasNumbers(table, 'number', 'bytes', 'entries', 'tombstones', 'rangeTombstones') &&
    (table['live'] === undefined || hasNumbers(table, 'live', 'liveError'))
  );
}

function isDecision(decision: Members): boolean {
  const { measure } = decision;
  return (
    hasNumbers(decision, 'time', 'score', 'fromLevel', 'toLevel', 'files', 'bytes') &&
    ['keyspace', 'kind', 'reason'].every((name) => typeof decision[name] === 'string') &&
    (measure === undefined ||
      (isObject(measure) && hasNumbers(measure, 'had', 'limit') && typeof measure['unit'] === 'string'))
  );
}

function isListOf(value: unknown, isOne: (each: Members) => boolean): boolean {
  return Array.isArray(value) && value.every((each) => isObject(each) && isOne(each));
}

function hasNumbers(value: Members, ...names: readonly string[]): boolean {
  return names.every((name) => typeof value[name] === 'number');
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null;
}
