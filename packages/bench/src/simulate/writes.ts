/**
 * The operations of a workload, one after the other, from a seed: the same seed makes the same operations. They are drawn
 * in the model's own numbers, which are those of the workload over the scale.
 */
import { ScrambledZipfian } from '../compare/ycsb/zipfian.ts';
import { scatterStep } from '../keys.ts';
import { Random } from '../random.ts';
import type { Phase, Workload } from './workload.ts';

/** What `next` has drawn: read it before the next one. */
export class Writes {
  kind: 'put' | 'delete' | 'range-delete' = 'put';
  key = 0;
  /** Exclusive; of a range delete. */
  end = 0;
  /** Seconds without writes before the next operation; taken once. */
  idleSeconds = 0;
  readonly total: number;
  readonly #entries: number;
  readonly #phases: readonly Phase[];
  readonly #random: Random;
  readonly #zipfian: ScrambledZipfian;
  readonly #step: number;
  #phase = -1;
  #left = 0;
  #sequential = 0;
  #scattered = 0;
  #deletedThrough = 0;
  /** Operations since a range was deleted. */
  #sinceRange = 0;

  /** @param entries keys of the model */
  constructor({ phases }: Workload, entries: number, seed: number) {
    this.#entries = entries;
    this.#phases = phases;
    this.#random = new Random(seed);
    this.#zipfian = new ScrambledZipfian(entries, this.#random);
    this.#step = scatterStep(entries);
    this.total = phases.reduce((sum, { operations }) => sum + Math.round(operations * entries), 0);
  }

  /** Draws an operation; false when there are no more. */
  next(): boolean {
    while (this.#left === 0) {
      this.idleSeconds += this.#phases[this.#phase]?.idleSeconds ?? 0;
      if (++this.#phase >= this.#phases.length) return false;
      this.#left = Math.round(this.#phases[this.#phase]!.operations * this.#entries);
      this.#scattered = 0;
    }
    this.#left--;
    const { keys, deletes = 0, rangeDeletes } = this.#phases[this.#phase]!;
    if (rangeDeletes !== undefined && ++this.#sinceRange >= rangeDeletes.every * this.#entries) {
      const width = Math.max(1, Math.round(rangeDeletes.width * this.#entries));
      this.#sinceRange = 0;
      this.kind = 'range-delete';
      this.key = rangeDeletes.where === 'oldest' ? this.#deletedThrough : this.#keyOf(keys);
      this.end = Math.min(this.key + width, this.#entries);
      if (rangeDeletes.where === 'oldest') this.#deletedThrough = Math.min(this.end, this.#entries - 1);
      return true;
    }
    this.kind = deletes > 0 && this.#random.u32() / 2 ** 32 < deletes ? 'delete' : 'put';
    this.key = this.#keyOf(keys);
    return true;
  }

  #keyOf(order: Phase['keys']): number {
    if (order === 'uniform') return this.#random.below(this.#entries);
    if (order === 'zipfian') return this.#zipfian.next();
    if (order === 'sequential') {
      const key = this.#sequential;
      this.#sequential = (key + 1) % this.#entries;
      return key;
    }
    const key = this.#scattered;
    this.#scattered = (key + this.#step) % this.#entries;
    return key;
  }
}
