/**
 * Seeded random numbers for workloads: the same seed asks for the same keys in the same order.
 *
 * Algorithm: mulberry32, one multiply-heavy step over 32 bits of state; a few nanoseconds a number, which matters
 * beside operations of a microsecond. Not for anything but workloads.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Uniform in [0, 2^32). */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return (z ^ (z >>> 14)) >>> 0;
  }

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor((this.u32() / 4294967296) * bound);
  }
}
