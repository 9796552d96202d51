/**
 * Merge operators: user code that says what a value becomes when operands are written to it (`keyspace.merge`).
 *
 * The engine calls it when a value is read, when a batch both puts and merges a key, and in the jobs of flush and compaction,
 * in whatever thread those run: so it is a module of its own and keeps no state. `runMerge` is the only place that calls it:
 * what it throws becomes `MERGE_FAILED` with keyspace, key and operator. Any thread.
 */
import { cloneOf, describeBytes } from './bytes.ts';
import { VALUE_BYTES_MAX } from './entry.ts';
import { invalid, VarveError } from './errors.ts';
import { isUnawaited } from './unawaited.ts';

/** What user code is stored under. */
export interface StoredCode {
  readonly name: string;
  readonly version: string;
}

/**
 * A merge operator over the bytes that the keyspace's value codec makes. Pure: the same operands give the same value, whoever
 * asks and when. Merging a few operands and then the others gives the same as merging all at once. It must not use the
 * database, nor keep or change the bytes that it is given.
 *
 * @example
 * export const longest: MergeOperator = {
 *   name: 'longest',
 *   version: 1,
 *   merge: (_key, existing, operands) =>
 *     operands.reduce((best, next) => (next.length > best.length ? next : best), existing ?? new Uint8Array(0)),
 * };
 */
export interface MergeOperator {
  /** Stored with the keyspace, which no operator of another name opens again. */
  readonly name: string;
  /** Stored with the keyspace; another one is taken, and a `warning` event says so. */
  readonly version: number | string;
  /**
   * The new value.
   *
   * @param existing the value before, undefined when there is none
   * @param operands the oldest first, at least one
   */
  merge(key: Uint8Array, existing: Uint8Array | undefined, operands: readonly Uint8Array[]): Uint8Array;
  /**
   * One operand that does the same as the two after each other; undefined when there is none. For shorter lists of operands in
   * tables; which neighbours are put together first is not told.
   */
  partialMerge?(key: Uint8Array, older: Uint8Array, newer: Uint8Array): Uint8Array | undefined;
  /** What is wanted instead of an operand that `merge` would not take; undefined when it would. Asked before it is written. */
  refuse?(operand: Uint8Array): string | undefined;
}

/** Is it a merge operator? What it is to have instead. */
export function wantedOfOperator(code: unknown): string | undefined {
  const wanted = '{ name, version, merge }';
  if (typeof code !== 'object' || code === null) return wanted;
  const { name, version, merge, partialMerge, refuse } = code as Record<string, unknown>;
  if (!isCodeName(name)) return `${wanted} with a name of 1 to 255 characters`;
  if (!isCodeVersion(version))
    return `${wanted} with a version, a number or a string of up to 255 characters`;
  if (typeof merge !== 'function') return `${wanted} with a function merge`;
  const others = [partialMerge, refuse];
  return others.every((other) => other === undefined || typeof other === 'function')
    ? undefined
    : `${wanted} where partialMerge and refuse are functions or left out`;
}

export function isCodeName(name: unknown): name is string {
  return typeof name === 'string' && name.length > 0 && name.length <= 255;
}

export function isCodeVersion(version: unknown): version is number | string {
  if (typeof version === 'number') return Number.isFinite(version);
  return typeof version === 'string' && version.length > 0 && version.length <= 255;
}

/** What an operator makes of a value. @throws invalid `MERGE_FAILED` {keyspace, key, operator} with the cause */
export function runMerge(
  operator: MergeOperator,
  keyspace: string,
  key: Uint8Array,
  existing: Uint8Array | undefined,
  operands: readonly Uint8Array[],
): Uint8Array {
  const failed = (why: string, cause?: unknown): VarveError =>
    invalid(
      'MERGE_FAILED',
      `merge operator '${operator.name}' of keyspace '${keyspace}' failed at key ${describeBytes(key)}: ${why}`,
      { keyspace, key: cloneOf(key), operator: operator.name },
      cause,
    );
  let merged: unknown;
  try {
    merged = operator.merge(key, existing, operands);
  } catch (cause) {
    throw failed(cause instanceof Error ? cause.message : 'it threw what is no error', cause);
  }
  if (!(merged instanceof Uint8Array)) {
    const what = isUnawaited(merged) ? 'a promise, which nobody awaits' : typeof merged;
    throw failed(`it returned no Uint8Array but ${what}`);
  }
  if (merged.length <= VALUE_BYTES_MAX) return merged;
  throw failed(`a value has at most ${VALUE_BYTES_MAX} bytes; it returned ${merged.length}`);
}

/** There is no code for the operands of a key, or for those that are to be written. */
export function operatorMissing(
  keyspace: string,
  key: Uint8Array | undefined,
  operator: string | undefined,
): VarveError {
  const named = operator === undefined ? 'its merge operator' : `its merge operator '${operator}'`;
  const what = key === undefined ? 'merge' : `reading key ${describeBytes(key)}, which has operands,`;
  return invalid(
    'MERGE_OPERATOR_MISSING',
    `keyspace '${keyspace}' was opened without ${named}: ${what} needs it; give it as mergeOperator of db.keyspace`,
    {
      keyspace,
      ...(key === undefined ? {} : { key: cloneOf(key) }),
      ...(operator === undefined ? {} : { operator }),
    },
  );
}
