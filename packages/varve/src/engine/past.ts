/**
 * A state of the past as a reader has it: plain data, so that attached threads get it from the owner as it is.
 */
import { invalid, type VarveError } from '../base/errors.ts';
import type { ReadPoint } from './read-point.ts';

/** What somebody wants to look back to: a time, or a sequence. */
export type PastTarget = Date | number;

export interface PastState extends ReadPoint {
  readonly target: PastTarget;
  /** When it was asked for, and what was visible then. */
  readonly now: ReadPoint;
  /** Where the past of the keyspaces that keep it began then, by id. */
  readonly starts: ReadonlyMap<number, ReadPoint>;
}

/** What a keyspace keeps of a key. */
export interface KeptVersions {
  /** The first state that can be read, registered by who asked; undefined when the past is not kept by time. */
  readonly start: ReadPoint | undefined;
  /** So many versions of a key that is there, whatever their age. */
  readonly versions: number;
}

/** Reads of the past, as a thread asks for them (history.ts, sharing/attached-past.ts). */
export interface PastReads {
  /**
   * The state, registered: it stays readable until `register.remove`.
   *
   * @throws invalid `OUTSIDE_HISTORY`, `POINT_INVALID`
   */
  at(target: PastTarget): PastState;
  /** Its start, if it has one, is registered. */
  keptOf(keyspace: number): KeptVersions;
  /** When sequences were committed, milliseconds since 1970; undefined where that is not known. */
  timesOf(sequences: readonly number[]): (number | undefined)[];
}

interface PastKeyspace {
  readonly record: { readonly id: number; readonly name: string; readonly createdSequence: number };
}

export function isPresent({ sequence, time, now }: PastState): boolean {
  return sequence === now.sequence && time === now.time;
}

/** Throws `OUTSIDE_HISTORY` when the keyspace does not keep the state. */
export function checkPast(state: PastState, { record: { id, name, createdSequence } }: PastKeyspace): void {
  // What was not there yet is empty.
  if (isPresent(state) || createdSequence > state.sequence) return;
  const start = state.starts.get(id);
  if (start === undefined || !isWithin(state, start)) throw outsideHistory(state, name, start);
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

function isWithin({ sequence, time, now }: PastState, start: ReadPoint): boolean {
  return start.sequence <= sequence && start.time <= time && sequence <= now.sequence && time <= now.time;
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
