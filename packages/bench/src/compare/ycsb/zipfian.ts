/**
 * The request distributions of YCSB (Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", 2010), as its
 * generators draw them.
 *
 * Zipfian: item 0 is the most popular, item i has a share in proportion to 1 / (i + 1)^0.99; the algorithm is that of
 * Gray et al., "Quickly Generating Billion-Record Synthetic Databases", 1994. Scrambled: drawn from ten billion items and
 * spread over the records by a hash, so that the popular ones are not neighbours. Latest: the newest record is the most
 * popular one.
 */
import { hashNumber, hashNumberModulo } from './fnv.ts';
import type { Random } from '../../random.ts';

const THETA = 0.99;
const ALPHA = 1 / (1 - THETA);
const SCRAMBLED_ITEMS = 10_000_000_000;
/** The sum of 1 / i^0.99 for i up to ten billion, which YCSB too has as a constant. */
const SCRAMBLED_ZETA = 26.46902820178302;
const TWO_32 = 2 ** 32;

export class Zipfian {
  readonly #random: Random;
  readonly #zeta2 = zeta(0, 2, 0);
  #items: number;
  #zetaN: number;
  #eta = 0;

  constructor(items: number, random: Random, zetaN: number = zeta(0, items, 0)) {
    this.#random = random;
    this.#items = items;
    this.#zetaN = zetaN;
    this.#setEta();
  }

  /** Lets the number of items grow. */
  grow(items: number): void {
    if (items <= this.#items) return;
    this.#zetaN = zeta(this.#items, items, this.#zetaN);
    this.#items = items;
    this.#setEta();
  }

  /** An item in [0, items). */
  next(): number {
    const u = (this.#random.u32() + this.#random.u32() / TWO_32) / TWO_32;
    const uz = u * this.#zetaN;
    if (uz < 1) return 0;
    if (uz < 1 + 0.5 ** THETA) return 1;
    return Math.min(this.#items - 1, Math.floor(this.#items * (this.#eta * u - this.#eta + 1) ** ALPHA));
  }

  #setEta(): void {
    this.#eta = (1 - (2 / this.#items) ** (1 - THETA)) / (1 - this.#zeta2 / this.#zetaN);
  }
}

/** Records in [0, records), the popular ones anywhere among them. */
export class ScrambledZipfian {
  readonly #zipfian: Zipfian;
  readonly #records: number;

  constructor(records: number, random: Random) {
    this.#zipfian = new Zipfian(SCRAMBLED_ITEMS, random, SCRAMBLED_ZETA);
    this.#records = records;
  }

  next(): number {
    return hashNumberModulo(hashNumber(this.#zipfian.next()), this.#records);
  }
}

/** The newest of a growing number of records is the most popular. */
export class Latest {
  readonly #zipfian: Zipfian;
  #records: number;

  constructor(records: number, random: Random) {
    this.#zipfian = new Zipfian(records, random);
    this.#records = records;
  }

  insert(): void {
    this.#zipfian.grow(++this.#records);
  }

  next(): number {
    return this.#records - 1 - this.#zipfian.next();
  }
}

/** The sum of 1 / i^theta for i in (from, to], added to `sum`. */
function zeta(from: number, to: number, sum: number): number {
  for (let i = from; i < to; i++) sum += 1 / (i + 1) ** THETA;
  return sum;
}
