/**
 * What a thread of the rig reads: its own range against its model in every way there is, snapshots that it holds against what
 * they showed before, and of the other ranges what is always true.
 */
import type { Database, Snapshot } from 'varve';
import type { Random } from 'varve/testing';
import { brief, compareEntries, Violation } from '../check.ts';
import { copyOf, COUNTERS, type Name, names, pairKey, prefixOf, type RangeModel } from './history.ts';
import type { Keyspaces } from './keyspaces.ts';

interface Held {
  readonly snapshot: Snapshot;
  readonly model: RangeModel;
  readonly pairs: readonly (string | undefined)[];
}

const HELD_MAX = 3;

/** Entries of a range in the order of their keys. */
export function sorted(model: RangeModel, name: Name): [string, string][] {
  return [...model[name]].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

export class Reader {
  readonly #db: Database;
  readonly #keyspaces: Keyspaces;
  readonly #range: number;
  readonly #ranges: number;
  readonly #model: RangeModel;
  readonly #random: Random;
  readonly #held: Held[] = [];
  readonly #counts: number[] = new Array<number>(COUNTERS).fill(0);

  constructor(
    db: Database,
    keyspaces: Keyspaces,
    range: number,
    ranges: number,
    model: RangeModel,
    random: Random,
  ) {
    this.#db = db;
    this.#keyspaces = keyspaces;
    this.#range = range;
    this.#ranges = ranges;
    this.#model = model;
    this.#random = random;
  }

  /** One look, of any kind. */
  look(): void {
    const random = this.#random;
    const name = random.pick(names);
    const roll = random.below(100);
    if (roll < 40) this.#point(name);
    else if (roll < 55) this.#many(name);
    else if (roll < 65) this.#scan(name);
    else if (roll < 80) this.#pairs();
    else if (roll < 86) this.#hold();
    else if (roll < 96) this.#lookAtHeld();
    else this.#counters();
  }

  /** Walks the range with turns of the event loop in between; nothing of it changes meanwhile. */
  async walk(): Promise<void> {
    const name = this.#random.pick(names);
    const got: [string, string][] = [];
    for await (const entry of this.#keyspaces[name].range({ prefix: prefixOf(this.#range) })) got.push(entry);
    compareEntries(got, sorted(this.#model, name), `for await over ${name}`);
  }

  /** What an update of a common counter has made it: it only ever rises. */
  countedTo(counter: number, value: string | undefined): void {
    if (!(Number(value) > this.#counts[counter]!)) {
      throw new Violation(`counter ${counter} was ${this.#counts[counter]} and is ${value} after an update`);
    }
    this.#counts[counter] = Number(value);
  }

  close(): void {
    for (const { snapshot } of this.#held.splice(0)) snapshot.close();
  }

  #anyKey(name: Name): string {
    const keys = [...this.#model[name].keys()];
    return keys.length === 0 ? pairKey(this.#range) : this.#random.pick(keys);
  }

  #point(name: Name): void {
    const key = this.#anyKey(name);
    this.#expect(name, key, this.#keyspaces[name].get(key), this.#model, 'get');
  }

  #many(name: Name): void {
    const keys: string[] = [];
    for (let i = this.#random.below(40); i >= 0; i--) keys.push(this.#anyKey(name));
    const got = this.#keyspaces[name].getMany(keys);
    keys.forEach((key, i) => this.#expect(name, key, got[i], this.#model, 'getMany'));
  }

  #scan(name: Name): void {
    const reverse = this.#random.oneIn(2);
    const got = [...this.#keyspaces[name].range({ prefix: prefixOf(this.#range), reverse })];
    if (reverse) got.reverse();
    compareEntries(got, sorted(this.#model, name), `range of ${name}, reverse ${reverse}`);
  }

  /** Batches are whole, those of other threads too. */
  #pairs(): void {
    const snapshot = this.#db.snapshot();
    try {
      for (let range = 0; range < this.#ranges; range++) this.#pair(snapshot, range);
    } finally {
      snapshot.close();
    }
  }

  #pair(snapshot: Snapshot, range: number): string | undefined {
    const { a, b } = this.#keyspaces;
    const key = pairKey(range);
    const [one, other] = [snapshot.get(a, key), snapshot.get(b, key)];
    if (one !== other) {
      throw new Violation(
        `half a batch at ${snapshot.sequence}: ${key} is ${brief(one)} and ${brief(other)}`,
      );
    }
    return one;
  }

  #hold(): void {
    if (this.#held.length >= HELD_MAX) this.#held.shift()!.snapshot.close();
    const snapshot = this.#db.snapshot();
    const pairs: (string | undefined)[] = [];
    for (let range = 0; range < this.#ranges; range++) pairs.push(this.#pair(snapshot, range));
    this.#held.push({ snapshot, model: copyOf(this.#model), pairs });
  }

  #lookAtHeld(): void {
    if (this.#held.length === 0) return;
    const { snapshot, model, pairs } = this.#random.pick(this.#held);
    for (const name of names) {
      const got = [...snapshot.range(this.#keyspaces[name], { prefix: prefixOf(this.#range) })];
      compareEntries(got, sorted(model, name), `a held snapshot at ${snapshot.sequence} of ${name}`);
    }
    pairs.forEach((pair, range) => {
      const got = this.#pair(snapshot, range);
      if (got !== pair) {
        throw new Violation(`a held snapshot of ${pairKey(range)} shows ${brief(got)}, was ${brief(pair)}`);
      }
    });
  }

  #counters(): void {
    for (let counter = 0; counter < COUNTERS; counter++) {
      const value = Number(this.#keyspaces.common.get(`counter${counter}`) ?? 0);
      if (value < this.#counts[counter]!) {
        throw new Violation(`counter ${counter} was ${this.#counts[counter]} and is ${value}`);
      }
      this.#counts[counter] = value;
    }
  }

  #expect(name: Name, key: string, got: string | undefined, model: RangeModel, how: string): void {
    const wanted = model[name].get(key);
    if (got === wanted) return;
    throw new Violation(`${how} ${name} ${key} gives ${brief(got)}, should be ${brief(wanted)}`);
  }
}
