/**
 * A log-linear histogram of nanoseconds: 128 buckets per power of two, so a percentile is at most 0.8 % too high.
 *
 * Below 128 ns every value has its own bucket. Above, the seven bits behind the leading one choose the bucket:
 *
 *   value v, exponent e = floor(log2 v) >= 7:   index = (e - 6) * 128 + ((v >> (e - 7)) & 127)
 *
 * Invariant: recording allocates nothing and touches one counter; it is called inside timed loops.
 */

const SUB_BITS = 7;
const SUB_BUCKETS = 1 << SUB_BITS;
const EXPONENTS = 42;
/** Values from here on (73 minutes) are counted as the last bucket. */
const LIMIT = 2 ** EXPONENTS;
const SMALL_LIMIT = 2 ** 31;
const LARGE_SHIFT = 2 ** 20;

export class Histogram {
  readonly #counts = new Float64Array((EXPONENTS - SUB_BITS + 1) * SUB_BUCKETS);
  #total = 0;
  #max = 0;

  /** Number of values recorded, weights included. */
  get count(): number {
    return this.#total;
  }

  /** The largest value recorded, exact. */
  get max(): number {
    return this.#max;
  }

  /** Counts `nanoseconds` (fractions are cut) `weight` times. */
  record(nanoseconds: number, weight = 1): void {
    this.#counts[bucketOf(nanoseconds)]! += weight;
    this.#total += weight;
    if (nanoseconds > this.#max) this.#max = nanoseconds;
  }

  /** The value that `fraction` (0 to 1) of all values do not exceed, rounded up to its bucket's end; 0 when empty. */
  percentile(fraction: number): number {
    const target = Math.max(1, Math.ceil(this.#total * fraction));
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index]!;
      if (seen >= target && this.#total > 0) return Math.min(lastValueOf(index), this.#max);
    }
    return this.#max;
  }
}

function bucketOf(nanoseconds: number): number {
  const value = nanoseconds < LIMIT ? Math.max(0, nanoseconds) : LIMIT - 1;
  if (value < SUB_BUCKETS) return value | 0;
  if (value < SMALL_LIMIT) {
    const exponent = 31 - Math.clz32(value);
    return (exponent - SUB_BITS + 1) * SUB_BUCKETS + ((value >>> (exponent - SUB_BITS)) & (SUB_BUCKETS - 1));
  }
  const high = Math.floor(value / LARGE_SHIFT);
  const exponent = 31 - Math.clz32(high);
  return (
    (exponent + 20 - SUB_BITS + 1) * SUB_BUCKETS + ((high >>> (exponent - SUB_BITS)) & (SUB_BUCKETS - 1))
  );
}

/** The largest whole value that falls into bucket `index`. */
function lastValueOf(index: number): number {
  if (index < SUB_BUCKETS) return index;
  const exponent = Math.floor(index / SUB_BUCKETS) + SUB_BITS - 1;
  const width = 2 ** (exponent - SUB_BITS);
  return (SUB_BUCKETS + (index % SUB_BUCKETS) + 1) * width - 1;
}
