/**
 * How fast compactions may go. A fixed rate when the user gave one. Else ('auto') there is no limit while nobody reads or
 * while writes would have to wait; while the foreground reads blocks from the disk the rate starts at GENTLE and is moved with
 * the backlog: up by half when more is due than runs, down by a fifth when nothing waits.
 *
 * A timer runs only while a compaction does. Owner's thread; jobs see the rate through shared memory (rate-limiter.ts).
 */
import { RateLimiter } from '../../runtime/rate-limiter.ts';
import type { Timer } from '../../runtime/scheduler.ts';
import type { Core } from '../core.ts';

const MIB = 1024 * 1024;
const LOOK_MS = 200;
const GENTLE_BYTES = 48 * MIB;
const RATE_BYTES_MIN = 16 * MIB;
const RATE_BYTES_MAX = 4096 * MIB;
/** Files in level 0, beyond those that a keyspace gathers, from which on nothing is held back. */
const LEVEL0_FILES_URGENT = 8;

export class Pace {
  readonly #core: Core;
  readonly #limiter = new RateLimiter();
  readonly #isFixed: boolean;
  #running = 0;
  #timer: Timer | undefined;
  #blocksRead = 0;
  #rate = GENTLE_BYTES;

  constructor(core: Core) {
    this.#core = core;
    const { compactionRate } = core.options;
    this.#isFixed = compactionRate !== 'auto';
    this.#limiter.bytesPerSecond = compactionRate === 'auto' ? Number.POSITIVE_INFINITY : compactionRate;
  }

  get memory(): SharedArrayBuffer {
    return this.#limiter.memory;
  }

  /** Bytes a second; Infinity for no limit. */
  get bytesPerSecond(): number {
    return this.#limiter.bytesPerSecond;
  }

  started(): void {
    this.#running++;
    // Slices on the owner's thread are not paced: they give way by their nature.
    if (this.#isFixed || this.#core.runner.kind !== 'threads') return;
    if (this.#timer === undefined) this.#look();
  }

  ended(): void {
    this.#running--;
    if (this.#running === 0) this.stop();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    const { tables, background, pressure } = this.#core;
    const { blocksRead } = tables.counters;
    const isRead = blocksRead !== this.#blocksRead;
    this.#blocksRead = blocksRead;
    const isUrgent = background.level0FilesMax >= LEVEL0_FILES_URGENT || pressure.stats.state !== 'none';
    if (isUrgent || !isRead) this.#limiter.bytesPerSecond = Number.POSITIVE_INFINITY;
    else {
      const waits = background.level0FilesMax >= LEVEL0_FILES_URGENT / 2;
      const rate = this.#rate * (waits ? 1.5 : 0.8);
      this.#rate = Math.min(RATE_BYTES_MAX, Math.max(RATE_BYTES_MIN, rate));
      this.#limiter.bytesPerSecond = this.#rate;
    }
    this.#timer = this.#core.scheduler.after(LOOK_MS, () => this.#look());
  }
}
