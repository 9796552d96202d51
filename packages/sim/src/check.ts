/**
 * Holding a database against the model: forward, backward and by point reads. A difference is a Violation.
 */
import type { Database, Keyspace, Snapshot } from 'varve';
import type { Model, Point } from './model.ts';

/** The engine broke a promise. The message says which, and is what a failing seed reports. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Violation';
  }
}

export type TextKeyspace = Keyspace<string, string>;

/** Every keyspace holds exactly what the model holds at the point, which is now. */
export function checkAll(
  db: Database,
  keyspaces: ReadonlyMap<string, TextKeyspace>,
  model: Model,
  at: Point,
  when: string,
): void {
  const names = db.keyspaces();
  const wanted = model.names(at.sequence);
  if (names.join() !== wanted.join()) {
    throw new Violation(`${when}: keyspaces are [${names.join()}], should be [${wanted.join()}]`);
  }
  for (const name of wanted) checkKeyspace(keyspaces.get(name)!, undefined, model, at, when);
}

/**
 * After open: the database holds what the model does at the point, at least everything up to `least`. What may have survived a
 * crash behind what is known to have happened becomes the model's.
 */
export function checkRecovered(
  db: Database,
  keyspaces: ReadonlyMap<string, TextKeyspace>,
  model: Model,
  at: Point,
  least: number,
): void {
  const { latestPossible, possible: histories } = model;
  if (at.sequence < least || at.sequence > latestPossible) {
    throw new Violation(`opened at ${at.sequence}: promised ${least}, given out ${latestPossible}`);
  }
  const check = (): void => checkAll(db, keyspaces, model, at, 'after open');
  const base = Math.min(at.sequence, model.latest);
  model.possible = [];
  model.truncate(base);
  if (at.sequence === base) {
    check();
    return;
  }
  const fitting = histories.filter((history) => history.length >= at.sequence - base);
  for (const [index, history] of fitting.entries()) {
    history
      .slice(0, at.sequence - base)
      .forEach(({ changes, time }, i) => model.apply(changes, { sequence: base + 1 + i, time }));
    try {
      check();
      return;
    } catch (error) {
      if (index === fitting.length - 1) throw error;
      model.truncate(base);
    }
  }
}

/** One keyspace, now or in a snapshot, holds what the model holds at the point. */
export function checkKeyspace(
  keyspace: TextKeyspace,
  snapshot: Snapshot | undefined,
  model: Model,
  at: Point,
  when: string,
): void {
  const expected = model.entries(keyspace.name, at);
  const place = `${when}: keyspace ${keyspace.name} at ${at.sequence}, time ${at.time}`;
  const range = (reverse: boolean): Iterable<[string, string]> =>
    snapshot === undefined ? keyspace.range({ reverse }) : snapshot.range(keyspace, { reverse });
  compareEntries([...range(false)], expected, `${place}, forward`);
  compareEntries([...range(true)].reverse(), expected, `${place}, backward`);
  for (const [key, value] of expected) {
    const got = snapshot === undefined ? keyspace.get(key) : snapshot.get(keyspace, key);
    if (got !== value)
      throw new Violation(`${place}: get ${key} gives ${brief(got)}, should be ${brief(value)}`);
  }
}

export function compareEntries(got: [string, string][], expected: [string, string][], where: string): void {
  for (let i = 0; i < Math.max(got.length, expected.length); i++) {
    const [g, e] = [got[i], expected[i]];
    if (g !== undefined && e !== undefined && g[0] === e[0] && g[1] === e[1]) continue;
    throw new Violation(
      `${where}: entry ${i} of ${expected.length} is ${g === undefined ? 'missing' : show(g)}, ` +
        `should be ${e === undefined ? 'absent' : show(e)}`,
    );
  }
}

function show([key, value]: readonly [string, string]): string {
  return `${key}=${brief(value)}`;
}

/** A value as a message shows it. */
export function brief(value: string | undefined): string {
  if (value === undefined) return 'nothing';
  return value.length > 24 ? `${value.slice(0, 24)}... (${value.length})` : value;
}
