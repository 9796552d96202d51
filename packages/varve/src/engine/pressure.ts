/**
 * Back-pressure: may this write go on now? Four reasons can say no: memtables fill the write-buffer budget faster than
 * flushes empty it, level 0 has too many files, an ingestion takes its place (ingest/ingestions.ts), the disk is full (that one
 * lives in Durability).
 *
 * Strategies in their simple form (CONTRACT 7): `fail` throws `busy` at the limit; `block` parks a synchronous write for at
 * most `syncWaitMsMax`, then throws; `slow` delays a little from three quarters of the budget on (at most SLOW_MS per
 * 64 KiB written, so the event loop is never held for long) and blocks at the limit. Awaited writes wait as promises.
 * While it parks, the thread delivers finished jobs itself: relief never needs a turn of the event loop.
 */
import { busy, type VarveError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Events } from '../observe/events.ts';
import type { PressureCounts, PressureStats } from './pressure-types.ts';
import { Deferred } from '../runtime/deferred.ts';
import type { JobRunner } from '../workers/job-runner.ts';

/** Longest delay of `slow` per SLOW_BYTES written. */
const SLOW_MS = 4;
const SLOW_BYTES = 64 * 1024;
/** Share of the budget from which on `slow` delays. */
const SOFT = 0.75;
/** Longest park between two looks at what other threads of a shared database want or have given up. */
const SERVE_MS = 10;
export const LEVEL0_FILES_SLOW = 20;
export const LEVEL0_FILES_STOP = 36;
/** In place of the number of files: writes are held until what is in the way of an ingestion is in tables. */
export const WRITES_HELD: number = 2 ** 30;

export interface PressureEnv {
  readonly strategy: 'slow' | 'block' | 'fail';
  readonly limitBytes: number;
  readonly syncWaitMsMax: number;
  readonly runner: JobRunner;
  readonly clock: Clock;
  readonly events: Events;
  /** Bytes of memtable memory in use. */
  usedBytes(): number;
  /** True while something is on its way that will free memory; without it delaying would be pointless. */
  flushPending(): boolean;
  /**
   * Most files in level 0 over all keyspaces, not counting what a keyspace is set to gather there beyond the default;
   * WRITES_HELD for an ingestion.
   */
  level0Files(): number;
  /** Starts what can free memtable memory, if nothing is on its way. */
  makeRoom(): void;
  /** In the owner of a shared database: does for the other threads what is due; false when there are none. */
  serve?(): boolean;
}

export class Pressure {
  readonly #env: PressureEnv;
  readonly stats: PressureStats = { state: 'none', ...noCounts(), reasons: {} };
  /** Bytes of memtable memory at which writes stop; it moves with the memory budget. */
  limitBytes: number;
  /** Writes that were delayed or stopped because memtables were full. */
  memoryWaits = 0;
  #sinceDelay = 0;
  #waiters: Deferred<void>[] = [];

  constructor(env: PressureEnv) {
    this.#env = env;
    this.limitBytes = env.limitBytes;
  }

  /** Why a write must wait now; undefined when it need not. */
  stopReason(): string | undefined {
    if (this.#env.usedBytes() >= this.limitBytes) return 'memtable-memory';
    const level0Files = this.#env.level0Files();
    if (level0Files < LEVEL0_FILES_STOP) return undefined;
    return level0Files === WRITES_HELD ? 'ingest' : 'level0-files';
  }

  /** Before a synchronous write of `bytes`: returns at once, late, or throws `busy` with the reason. */
  admit(bytes: number): void {
    const { strategy } = this.#env;
    const { limitBytes } = this;
    const used = this.#env.usedBytes();
    const level0Files = this.#env.level0Files();
    if (used >= limitBytes || level0Files >= LEVEL0_FILES_STOP) this.#stop(this.stopReason()!);
    else if (strategy === 'slow' && (used >= limitBytes * SOFT || level0Files >= LEVEL0_FILES_SLOW)) {
      this.#slow(bytes, used, level0Files);
    } else if (this.stats.state !== 'none') this.#enter('none', '');
  }

  /** Before an awaited write: resolves when it may go on, at the latest when `giveUp` rejects. */
  async admitAsync(giveUp: Promise<never> | undefined): Promise<void> {
    for (let reason = this.stopReason(); reason !== undefined; reason = this.stopReason()) {
      this.#env.makeRoom();
      if (this.#env.strategy === 'fail') throw this.#refuse(reason);
      this.#enter('block', reason);
      this.#count('blocked', reason);
      const since = this.#env.clock.monotonic();
      const waiter = new Deferred<void>();
      this.#waiters.push(waiter);
      this.#env.runner.hold();
      try {
        await (giveUp === undefined ? waiter.promise : Promise.race([waiter.promise, giveUp]));
      } finally {
        this.#env.runner.unhold();
        this.#waited(reason, since);
      }
    }
  }

  /** A copy of the counts; `fullDisk`: writes that a full disk refused, which does not come by here. */
  report(fullDisk: number): PressureStats {
    const reasons = structuredClone(this.stats.reasons);
    if (fullDisk > 0) reasons['disk-full'] = { ...noCounts(), failed: fullDisk };
    return { ...this.stats, failed: this.stats.failed + fullDisk, reasons };
  }

  /** Called when a flush or compaction was installed: awaited writes look again. */
  relieved(): void {
    if (this.stats.state !== 'none' && this.stopReason() === undefined) this.#enter('none', '');
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  /** Awaited writes of a database that closes or is poisoned get the error. */
  abandon(error: VarveError): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  #stop(reason: string): void {
    const { strategy, syncWaitMsMax, runner, clock } = this.#env;
    this.#env.makeRoom();
    if (strategy === 'fail') throw this.#refuse(reason);
    this.#enter('block', reason);
    this.#count('blocked', reason);
    const since = clock.monotonic();
    let still: string | undefined = reason;
    while (still !== undefined) {
      const left = syncWaitMsMax - (clock.monotonic() - since);
      if (left <= 0) break;
      const isShared = this.#env.serve?.() === true;
      const delivered = runner.wait(isShared ? Math.min(left, SERVE_MS) : left);
      still = this.stopReason();
      if (!delivered && runner.kind === 'slices') break;
    }
    this.#waited(reason, since);
    if (still !== undefined) throw this.#refuse(still);
    this.#enter('none', '');
  }

  #slow(bytes: number, used: number, level0Files: number): void {
    const { runner, clock } = this.#env;
    const { limitBytes } = this;
    const soft = limitBytes * SOFT;
    const memory = this.#env.flushPending() ? (used - soft) / (limitBytes - soft) : 0;
    const files = (level0Files - LEVEL0_FILES_SLOW) / (LEVEL0_FILES_STOP - LEVEL0_FILES_SLOW);
    const degree = Math.max(memory, files);
    if (degree <= 0) {
      if (this.stats.state === 'slow') this.#enter('none', '');
      return;
    }
    const reason = memory >= files ? 'memtable-memory' : 'level0-files';
    this.#enter('slow', reason);
    this.#sinceDelay += bytes;
    if (this.#sinceDelay < SLOW_BYTES) return;
    this.#sinceDelay = 0;
    const since = clock.monotonic();
    runner.wait(SLOW_MS * Math.min(1, degree));
    this.#count('delayed', reason);
    this.#waited(reason, since);
  }

  #count(what: 'delayed' | 'blocked' | 'failed', reason: string): void {
    this.stats[what]++;
    this.#countsOf(reason)[what]++;
    if (what !== 'failed' && reason === 'memtable-memory') this.memoryWaits++;
  }

  #waited(reason: string, since: number): void {
    const ms = this.#env.clock.monotonic() - since;
    this.stats.waitMs += ms;
    this.#countsOf(reason).waitMs += ms;
  }

  #countsOf(reason: string): PressureCounts {
    return (this.stats.reasons[reason] ??= noCounts());
  }

  #refuse(reason: string): VarveError {
    this.#enter('fail', reason);
    this.#count('failed', reason);
    return busy('BUSY', `the write can not be accepted now: ${reason}`, {
      reason,
      usedBytes: this.#env.usedBytes(),
      limitBytes: this.limitBytes,
      ...(reason === 'ingest' ? {} : { level0Files: this.#env.level0Files() }),
    });
  }

  #enter(state: PressureStats['state'], reason: string): void {
    if (this.stats.state === state && (this.stats.reason ?? '') === reason) return;
    this.stats.state = state;
    if (reason === '') delete this.stats.reason;
    else this.stats.reason = reason;
    this.#env.events.emit('pressure', () => ({ state, reason }));
  }
}

function noCounts(): PressureCounts {
  return { delayed: 0, blocked: 0, failed: 0, waitMs: 0 };
}
