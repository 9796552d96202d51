/**
 * What a database must answer: the newest put of every key that nothing newer deletes and that has not expired. Beside it
 * the check that tables, whatever plans have been made of them, answer the same.
 */
import type { Contents } from './contents.ts';

export class Truth {
  /** Of the newest put by key; 0: not there. */
  readonly #sequences: Uint32Array;
  /** The key of every put, for those that expire. */
  readonly #keys: Uint32Array | undefined;
  #live = 0;
  #expiredThrough = 0;

  /** @param operations how many there will be, when puts expire */
  constructor(keys: number, operations: number | undefined) {
    this.#sequences = new Uint32Array(keys);
    this.#keys = operations === undefined ? undefined : new Uint32Array(operations + 1).fill(keys);
  }

  /** Keys that are there. */
  get live(): number {
    return this.#live;
  }

  get expiredThrough(): number {
    return this.#expiredThrough;
  }

  get keyCount(): number {
    return this.#sequences.length;
  }

  /** Sequence of the newest put; 0: not there. */
  sequenceOf(key: number): number {
    return this.#sequences[key]!;
  }

  put(key: number, sequence: number): void {
    if (this.#sequences[key] === 0) this.#live++;
    this.#sequences[key] = sequence;
    if (this.#keys !== undefined) this.#keys[sequence] = key;
  }

  delete(key: number): void {
    if (this.#sequences[key] !== 0) this.#live--;
    this.#sequences[key] = 0;
  }

  deleteRange(start: number, end: number): void {
    for (let key = start; key < end; key++) this.delete(key);
  }

  /** What is in these tables was let go of on purpose: of the keys whose newest version it is nothing is left. */
  forget(tables: readonly Contents[]): void {
    for (const { keys, stamps } of tables) {
      for (const [i, key] of keys.entries()) {
        if (this.#sequences[key] === stamps[i]! >>> 1) this.delete(key);
      }
    }
  }

  /** Puts up to this sequence are not there any more. */
  expire(through: number): void {
    if (this.#keys === undefined) return;
    for (let sequence = this.#expiredThrough + 1; sequence <= through; sequence++) {
      const key = this.#keys[sequence]!;
      if (this.#sequences[key] === sequence) this.delete(key);
    }
    this.#expiredThrough = Math.max(this.#expiredThrough, through);
  }
}

/** A memtable or a table, and how a message calls it. */
export interface Place {
  readonly name: string;
  readonly contents: Contents;
}

/**
 * What is wrong with the order of places or with a read; undefined when all is well. Of a key a place above must have
 * nothing older than one below, and the first version found is what a read gets, as in the engine.
 *
 * @param places newest first
 */
export function problemOf(places: readonly Place[], truth: Truth): string | undefined {
  const { keyCount, expiredThrough } = truth;
  const found = new Float64Array(keyCount).fill(-1);
  const covers = new Float64Array(keyCount);
  const oldest = new Float64Array(keyCount).fill(Number.POSITIVE_INFINITY);
  let problem: string | undefined;
  for (const { name, contents } of places) {
    visit(contents, (key, stamp, cover) => {
      const sequence = stamp < 0 ? cover : stamp >>> 1;
      if (Math.max(sequence, cover) >= oldest[key]!) {
        problem ??= `key ${key}: ${name} has something newer than a place above it`;
      }
      oldest[key] = cover > 0 ? Math.min(sequence, cover) : sequence;
      covers[key] = Math.max(covers[key]!, cover);
      if (stamp < 0 || found[key]! >= 0) return;
      const isGone = (stamp & 1) === 1 || sequence < covers[key]! || sequence <= expiredThrough;
      found[key] = isGone ? 0 : sequence;
    });
  }
  for (let key = 0; key < keyCount; key++) {
    const read = Math.max(0, found[key]!);
    const written = truth.sequenceOf(key);
    if (read !== written) problem ??= `key ${key}: read ${read}, written ${written}`;
  }
  return problem;
}

/** Every key that a table says something about: the stamp of its version or -1, and the range tombstone over it or 0. */
function visit(
  { keys, stamps, fragments }: Contents,
  see: (key: number, stamp: number, cover: number) => void,
): void {
  let at = 0;
  for (const { start, end, sequence } of fragments) {
    for (; at < keys.length && keys[at]! < start; at++) see(keys[at]!, stamps[at]!, 0);
    for (let key = start; key < end; key++) {
      if (keys[at] === key) see(key, stamps[at++]!, sequence);
      else see(key, -1, sequence);
    }
  }
  for (; at < keys.length; at++) see(keys[at]!, stamps[at]!, 0);
}
