/**
 * Holding a reopened database against the state that its history leads to: forward, backward and by point reads.
 */
import { append, type Database, utf8 } from 'varve';
import { brief, compareEntries, Violation } from '../check.ts';
import type { ExpectedState } from '../steps.ts';
import { keyText, KEYS } from './history.ts';

/** Every keyspace holds exactly what `expected` holds; throws a Violation otherwise. */
export function checkState(db: Database, expected: ExpectedState): void {
  const names = db.keyspaces();
  const wanted = [...expected.keyspaces.keys()].sort();
  if (names.join() !== wanted.join()) {
    throw new Violation(
      `keyspaces at ${expected.sequence} are [${names.join()}], should be [${wanted.join()}]`,
    );
  }
  for (const name of wanted) {
    const keyspace = db.keyspace(name, { key: utf8, value: utf8, mergeOperator: append });
    const entries = expected.keyspaces.get(name)!;
    const sorted = expected.sorted(name);
    const place = `keyspace ${name} at ${expected.sequence}`;
    compareEntries([...keyspace.range()], sorted, `${place}, forward`);
    compareEntries([...keyspace.range({ reverse: true })].reverse(), sorted, `${place}, backward`);
    for (let number = 0; number < KEYS; number++) {
      const key = keyText(number);
      const got = keyspace.get(key);
      if (got !== entries.get(key)) {
        throw new Violation(`${place}: get ${key} gives ${brief(got)}, should be ${brief(entries.get(key))}`);
      }
    }
  }
}
