/**
 * A token bucket that threads share: whoever has moved bytes is told how long to pause before it moves more. Jobs of
 * compaction ask after each slice; flushes and whatever somebody waits for do not.
 *
 * The bucket is one instant: that at which all bytes taken so far are paid for at the current rate. It lags behind the
 * present by at most BURST_NS, which is what may be taken at once after a rest.
 *
 *   i64 0  instant, nanoseconds of the system's monotonic clock: moved on by takers with compare-and-exchange
 *   f64 1  bytes a second, Infinity for no limit: written by the owner's thread, a stale value does no harm
 */
const INSTANT = 0;
const RATE = 1;
const BURST_NS = 50_000_000n;
const NS_PER_S = 1e9;

export class RateLimiter {
  readonly memory: SharedArrayBuffer;
  readonly #instant: BigInt64Array;
  readonly #rate: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.#instant = new BigInt64Array(memory);
    this.#rate = new Float64Array(memory);
  }

  get bytesPerSecond(): number {
    return this.#rate[RATE]!;
  }

  set bytesPerSecond(rate: number) {
    this.#rate[RATE] = rate;
  }

  /** Takes `bytes`, which were moved already; returns the milliseconds to pause for them, 0 for none. */
  take(bytes: number, now: bigint = process.hrtime.bigint()): number {
    const rate = this.#rate[RATE]!;
    if (!(rate > 0) || rate === Number.POSITIVE_INFINITY) return 0;
    const cost = BigInt(Math.round((bytes / rate) * NS_PER_S));
    for (;;) {
      const before = Atomics.load(this.#instant, INSTANT);
      const earliest = now - BURST_NS;
      const paid = (before < earliest ? earliest : before) + cost;
      if (Atomics.compareExchange(this.#instant, INSTANT, before, paid) !== before) continue;
      return paid <= now ? 0 : Number(paid - now) / 1e6;
    }
  }
}
