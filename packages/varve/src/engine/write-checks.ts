/**
 * What a write is refused with before it comes to the commit pipeline: sizes, the form of a range to delete, options of a put.
 */
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../base/entry.ts';
import { invalid, type VarveError } from '../base/errors.ts';
import { keyspaceSettings } from '../options/keyspace-settings.ts';
import type { PutOptions } from './keyspace-types.ts';
import { checkMembers } from './write-wait.ts';

export function keyTooLarge(keyspace: string, got: number): VarveError {
  return invalid('KEY_TOO_LARGE', `a key has at most ${KEY_BYTES_MAX} bytes; got ${got}`, {
    keyspace,
    got,
    max: KEY_BYTES_MAX,
  });
}

export function valueTooLarge(keyspace: string, got: number): VarveError {
  return invalid('VALUE_TOO_LARGE', `a value has at most ${VALUE_BYTES_MAX} bytes; got ${got}`, {
    keyspace,
    got,
    max: VALUE_BYTES_MAX,
  });
}

/** A range to delete has both ends and nothing else. */
export function checkDeleteRange(keyspace: string, range: { gte: unknown; lt: unknown }): void {
  if (typeof range !== 'object' || range === null || range.gte === undefined || range.lt === undefined) {
    throw invalid('RANGE_INVALID', 'deleteRange takes { gte, lt }, both given', { keyspace });
  }
  const other = Object.keys(range).find((name) => name !== 'gte' && name !== 'lt');
  if (other !== undefined) {
    throw invalid('RANGE_INVALID', `deleteRange takes { gte, lt } only; got '${other}'`, { got: other });
  }
}

/** Options of one put; the members of a wait may stand beside them where `waits` is true. */
export function checkPutOptions(options: PutOptions | undefined, waits: boolean): void {
  if (options === undefined) return;
  checkMembers(options, waits, true);
  if (options.ttlMs === undefined) return;
  const wanted = keyspaceSettings.ttlMs.refuse(options.ttlMs);
  if (wanted === undefined) return;
  const got: unknown = options.ttlMs;
  const shown = typeof got === 'number' ? got : typeof got;
  throw invalid('OPTION_INVALID', `ttlMs is ${wanted}; got ${shown}`, {
    option: 'ttlMs',
    got: shown,
    wanted,
  });
}
