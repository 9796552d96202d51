/**
 * The values of db_bench: slices of one megabyte of text that compresses to half its size, used over and over.
 *
 * The text is made of pieces of 100 bytes, each 50 random printable bytes followed by the same 50 again, so that any
 * compressor with a window finds the repetition. The slices are cut once; taking one allocates nothing.
 */
import type { Random } from './random.ts';

const POOL_BYTES = 1 << 20;
const PIECE_BYTES = 100;
const FIRST_PRINTABLE = 32;
const PRINTABLES = 95;

export class ValuePool {
  readonly #slices: Uint8Array[] = [];
  #next = 0;

  constructor(valueSize: number, random: Random) {
    const text = halfCompressible(Math.max(POOL_BYTES, valueSize), random);
    const count = valueSize === 0 ? 1 : Math.floor(text.length / valueSize);
    for (let i = 0; i < count; i++) this.#slices.push(text.subarray(i * valueSize, (i + 1) * valueSize));
  }

  /** The next value, lent: the pool gives it out again later. */
  next(): Uint8Array {
    const value = this.#slices[this.#next]!;
    if (++this.#next === this.#slices.length) this.#next = 0;
    return value;
  }
}

function halfCompressible(length: number, random: Random): Uint8Array {
  const text = new Uint8Array(length);
  const half = PIECE_BYTES / 2;
  for (let at = 0; at < length; at++) {
    const inPiece = at % PIECE_BYTES;
    text[at] = inPiece < half ? FIRST_PRINTABLE + random.below(PRINTABLES) : text[at - half]!;
  }
  return text;
}
