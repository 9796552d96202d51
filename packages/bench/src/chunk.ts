/**
 * Chunks of writes with keys in a chosen order: filled again and again, nothing is allocated per write. The same for
 * every store, so what making a key costs is in everybody's figures.
 */
import { KeyBuffer, scatterStep } from './keys.ts';
import type { Bench, Writes } from './store.ts';

/** Writes per chunk: also the size of a batch, and the number of writes between two turns of the event loop. */
export const CHUNK = 1_000;

/**
 * The order in which keys are written, by number: ascending; at random, where some come twice and some never; or each
 * once, far apart from one to the next.
 */
export type KeyOrder = 'sequential' | 'random' | 'scattered';

/** What keys and values are made from. */
export type ChunkSource = Pick<Bench, 'entries' | 'keySize' | 'random' | 'values'>;

export class ChunkFiller {
  readonly #bench: ChunkSource;
  readonly #order: KeyOrder;
  readonly #step: number;
  readonly #buffers: KeyBuffer[];
  /** The next key of the scattered order. */
  #scattered = 0;
  readonly writes: Writes;

  constructor(bench: ChunkSource, order: KeyOrder) {
    this.#bench = bench;
    this.#order = order;
    this.#step = scatterStep(bench.entries);
    this.#buffers = Array.from({ length: CHUNK }, () => new KeyBuffer(bench.keySize));
    this.writes = {
      keys: this.#buffers.map((buffer) => buffer.bytes),
      values: this.#buffers.map(() => new Uint8Array(0)),
      count: 0,
    };
  }

  /** The writes numbered [from, to), at most CHUNK of them, in their order. */
  fill(from: number, to: number): Writes {
    const { values } = this.#bench;
    const slots = this.writes.values;
    for (let i = from; i < to; i++) {
      this.#buffers[i - from]!.set(this.#keyAt(i));
      slots[i - from] = values.next();
    }
    this.writes.count = to - from;
    return this.writes;
  }

  #keyAt(i: number): number {
    const { entries, random } = this.#bench;
    if (this.#order === 'sequential') return i;
    if (this.#order === 'random') return random.below(entries);
    const key = this.#scattered;
    this.#scattered = (key + this.#step) % entries;
    return key;
  }
}
