/**
 * A state of the past as a reader has it: plain data, so that attached threads get it from the owner as it is.
 */
import { invalid, type VarveError } from '../base/errors.ts';
import type { Counted } from '../manifest/counted-versions.ts';
import type { ReadPoint } from './read-point.ts';

/** What somebody wants to look back to: a time, or a sequence. */
export type PastTarget = Date | number;

export interface PastState extends ReadPoint {
  readonly target: PastTarget | 'now';
  /** When it was asked for, and what was visible then. */
  readonly now: ReadPoint;
  /** Where the past of the keyspaces that keep it began then, by id. */
  readonly starts: ReadonlyMap<number, ReadPoint>;
}

/** What a keyspace keeps of a key. */
export interface KeptVersions {
  /** The first state that can be read, registered by who asked; undefined when the past is not kept by time. */
  readonly start: ReadPoint | undefined;
  /** So many versions of a key that is there, whatever their age, of those that count. */
  readonly versions: number;
  readonly counted: Counted;
}

/** Reads of the past, as a thread asks for them (history.ts, sharing/attached-past.ts). */
export interface PastReads {
  /**
   * The state, registered: it stays readable until `register.remove`.
   *
   * @param target one that `checkTarget` has passed
   * @throws invalid `OUTSIDE_HISTORY`
   */
  at(target: PastTarget | 'now'): PastState;
  /** Its start, if it has one, is registered. */
  keptOf(keyspace: number): KeptVersions;
  /**
   * When sequences were committed, milliseconds since 1970, or a little later; undefined where that is not known.
   *
   * @param noted every commit after this sequence was noted: a window began there
   */
  timesOf(sequences: readonly number[], noted: number): (number | undefined)[];
  /** The same for judging what had expired: later by as much as is not known; undefined for what was committed just now. */
  latestTimesOf(sequences: readonly number[]): (number | undefined)[];
}

interface PastKeyspace {
  readonly record: { readonly id: number; readonly name: string; readonly createdSequence: number };
}

/** What the user has given, checked; a Date is a copy. @throws invalid `POINT_INVALID` */
export function checkTarget(target: unknown): PastTarget {
  if (target instanceof Date) {
    const time = timeOf(target);
    if (Number.isNaN(time)) throw pointInvalid('got an invalid Date', 'Invalid Date');
    return new Date(time);
  }
  if (typeof target === 'number' && Number.isSafeInteger(target) && target >= 0) return target;
  throw pointInvalid(`got ${typeof target === 'number' ? target : typeof target}`, typeof target);
}

function timeOf(date: Date): number {
  try {
    return Date.prototype.getTime.call(date);
  } catch {
    // Made with its prototype only.
    return Number.NaN;
  }
}

function pointInvalid(what: string, got: unknown): VarveError {
  return invalid('POINT_INVALID', `a state of the past is given by a Date or a sequence; ${what}`, { got });
}

/** The latest state is that of now for keyspaces that keep no past. */
function isPresent({ target, sequence, time, now }: PastState): boolean {
  return sequence === now.sequence && (typeof target === 'number' || time === now.time);
}

/**
 * Where the keyspace is read for the state. Its own start counts and no other one: the state of a sequence that lies in its window,
 * but was committed before the time of its start, is what the window begins with, at that time.
 *
 * @throws invalid `OUTSIDE_HISTORY` when the keyspace does not keep the state
 */
export function pointIn(
  state: PastState,
  { record: { id, name, createdSequence } }: PastKeyspace,
): ReadPoint {
  const { sequence, time, now } = state;
  const start = state.starts.get(id);
  // What was not there yet is empty.
  if (createdSequence > sequence) return state;
  if (start === undefined && isPresent(state)) return now;
  if (start === undefined || !isWithin(state, start)) throw outsideHistory(state, name, start);
  return start.time <= time ? state : { sequence, time: start.time };
}

/** Throws `OUTSIDE_HISTORY` when no keyspace keeps the state. */
export function checkPastOfAny(state: PastState): void {
  if (isPresent(state)) return;
  let oldest: ReadPoint | undefined;
  for (const start of state.starts.values()) {
    if (isWithin(state, start)) return;
    if (oldest === undefined || start.sequence < oldest.sequence) oldest = start;
  }
  throw outsideHistory(state, undefined, oldest);
}

function isWithin({ target, sequence, time, now }: PastState, start: ReadPoint): boolean {
  const isStarted = start.sequence <= sequence && (typeof target === 'number' || start.time <= time);
  return isStarted && sequence <= now.sequence && time <= now.time;
}

function outsideHistory(
  { target, now }: PastState,
  keyspace: string | undefined,
  start: ReadPoint | undefined,
): VarveError {
  const got = target instanceof Date ? target.toISOString() : `sequence ${target}`;
  const of = keyspace === undefined ? 'the database' : `keyspace '${keyspace}'`;
  const context = { got, to: now, ...(keyspace === undefined ? {} : { keyspace }) };
  if (start === undefined) {
    const message = `${of} keeps no past to read ${got}: give the keyspace a retention, { ms }`;
    return invalid('OUTSIDE_HISTORY', message, context);
  }
  const from = `sequence ${start.sequence} (${new Date(start.time).toISOString()})`;
  const to = `sequence ${now.sequence} (${new Date(now.time).toISOString()})`;
  return invalid('OUTSIDE_HISTORY', `${of} can be read from ${from} to ${to}; got ${got}`, {
    ...context,
    from: start,
  });
}
