/** The name of an index among those that an inventory serves: its own in the database that keeps the inventory, else of this process. */
import type { Database } from '../index.ts';
import type { IndexState } from './index-state.ts';

const numbers = new WeakMap<Database, number>();
let last = 0;

export function indexId<K>({ db, name, internals }: IndexState<K>): string {
  if (internals?.home === db) return name;
  let number = numbers.get(db);
  if (number === undefined) numbers.set(db, (number = ++last));
  return `${number}/${name}`;
}
