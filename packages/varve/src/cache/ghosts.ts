/**
 * The blocks that left a short while ago, remembered by a fingerprint of their key: who comes back while it is remembered
 * was put out too early. A table of sets of four places in shared memory; what does not fit overwrites.
 *
 * Time is counted in blocks that left, for each size class apart, and who asks says how long ago still counts.
 * A wrong yes (one in 2^30) costs a block in the wrong list, a wrong no the same.
 * Used by the thread that has the cache's lock.
 */
import type { TakeMemory } from './sharing.ts';

const WAYS = 4;
/** Words of a place: fingerprint (0: empty), time. */
const PLACE_WORDS = 2;

export class Ghosts {
  readonly #places: Uint32Array;
  readonly #mask: number;
  readonly #times: Uint32Array;

  /** Room for `blocks` at least. */
  constructor(blocks: number, classes: number, take: TakeMemory) {
    let sets = 1;
    while (sets * WAYS < blocks) sets *= 2;
    this.#places = new Uint32Array(take(sets * WAYS * PLACE_WORDS * 4));
    this.#mask = sets - 1;
    this.#times = new Uint32Array(take(classes * 4));
  }

  clear(): void {
    this.#places.fill(0);
    this.#times.fill(0);
  }

  add(sizeClass: number, file: number, offset: number): void {
    const time = ++this.#times[sizeClass]!;
    const fingerprint = fingerprintOf(file, offset);
    const set = setOf(fingerprint, this.#mask);
    let at = set + (time & (WAYS - 1)) * PLACE_WORDS;
    for (let way = set; way < set + WAYS * PLACE_WORDS; way += PLACE_WORDS) {
      if (this.#places[way]! === 0) at = way;
    }
    this.#places[at] = fingerprint;
    this.#places[at + 1] = time;
  }

  /** Was the block among the last `limit` that left its class? It is forgotten with the answer. */
  take(sizeClass: number, file: number, offset: number, limit: number): boolean {
    const fingerprint = fingerprintOf(file, offset);
    const set = setOf(fingerprint, this.#mask);
    for (let way = set; way < set + WAYS * PLACE_WORDS; way += PLACE_WORDS) {
      if (this.#places[way]! !== fingerprint) continue;
      this.#places[way] = 0;
      return (this.#times[sizeClass]! - this.#places[way + 1]!) >>> 0 < limit;
    }
    return false;
  }
}

function fingerprintOf(file: number, offset: number): number {
  let hash = Math.imul(file, 0x85ebca77) ^ Math.imul(offset, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return ((hash ^ (hash >>> 16)) | 1) >>> 0;
}

function setOf(fingerprint: number, mask: number): number {
  return ((fingerprint >>> 1) & mask) * WAYS * PLACE_WORDS;
}
