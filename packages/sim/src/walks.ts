/**
 * Walks over ranges that go on while the database changes under them: made, begun and continued at random moments. Each must
 * show exactly the state of the moment at which it was begun.
 */
import type { RangeView } from 'varve';
import type { Random } from 'varve/testing';
import { compareEntries, type TextKeyspace } from './check.ts';
import type { Model, Point } from './model.ts';
import { type LifeSettings, randomKey } from './workload.ts';

interface MadeRange {
  readonly name: string;
  readonly from: string;
  /** The range is that of this prefix instead, which filters may know. */
  readonly prefix: string | undefined;
  readonly reverse: boolean;
  readonly view: RangeView<string, string>;
}

interface OpenWalk {
  readonly iterator: Iterator<[string, string]>;
  readonly rest: [string, string][];
  readonly name: string;
}

export class Walks {
  readonly #random: Random;
  readonly #model: Model;
  readonly #keyspaces: ReadonlyMap<string, TextKeyspace>;
  readonly #settings: LifeSettings;
  readonly #now: () => Point;
  #ranges: MadeRange[] = [];
  #walks: OpenWalk[] = [];

  constructor(
    random: Random,
    model: Model,
    keyspaces: ReadonlyMap<string, TextKeyspace>,
    settings: LifeSettings,
    now: () => Point,
  ) {
    this.#random = random;
    this.#model = model;
    this.#keyspaces = keyspaces;
    this.#settings = settings;
    this.#now = now;
  }

  /** The keyspace is dropped: what walks over it ends. */
  forget(name: string): void {
    this.#walks = this.#walks.filter((walk) => walk.name !== name);
    this.#ranges = this.#ranges.filter((range) => range.name !== name);
  }

  /**
   * Makes a range, begins a walk over one that was made a while ago, or takes some steps of a walk that was begun a while
   * ago: it must show the state of its beginning.
   */
  act(pickName: () => string | undefined): void {
    const roll = this.#random.below(3);
    if (roll === 0 && this.#ranges.length < 3) this.#make(pickName());
    else if (roll === 1 && this.#walks.length < 3) this.#begin();
    else this.#goOn();
  }

  #make(name: string | undefined): void {
    if (name === undefined) return;
    const key = randomKey(this.#random, this.#settings);
    const prefix = this.#random.oneIn(3) ? key.slice(0, 3 + this.#random.below(3)) : undefined;
    const from = prefix ?? key;
    const reverse = this.#random.oneIn(2);
    const bounds = prefix === undefined ? { gte: from } : { prefix };
    const view = this.#keyspaces.get(name)!.range({ ...bounds, reverse });
    this.#ranges.push({ name, from, prefix, reverse, view });
  }

  #begin(): void {
    const range = this.#ranges.shift();
    if (range === undefined) return;
    const { name, from, prefix, reverse, view } = range;
    const all = this.#model.entries(name, this.#now(), from);
    const rest = prefix === undefined ? all : all.filter(([key]) => key.startsWith(prefix));
    if (reverse) rest.reverse();
    const iterator = view[Symbol.iterator]();
    const first = iterator.next();
    compareEntries(
      first.done === true ? [] : [first.value],
      rest.splice(0, 1),
      `walk over ${name} from ${from}`,
    );
    if (first.done !== true) this.#walks.push({ iterator, rest, name });
  }

  #goOn(): void {
    if (this.#walks.length === 0) return;
    const walk = this.#random.pick(this.#walks);
    for (let i = this.#random.below(20); i >= 0; i--) {
      const step = walk.iterator.next();
      compareEntries(
        step.done === true ? [] : [step.value],
        walk.rest.splice(0, 1),
        `walk over ${walk.name}, later`,
      );
      if (step.done === true) {
        this.#walks.splice(this.#walks.indexOf(walk), 1);
        return;
      }
    }
  }
}
