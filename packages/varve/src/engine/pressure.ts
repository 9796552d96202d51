/**
 * Back-pressure: may this write go on now? Four reasons can say no: memtables fill the write-buffer budget faster than
 * flushes empty it, level 0 has too many files, an ingestion takes its place (ingest/ingestions.ts), the disk is full (that one
 * lives in Durability).
 *
 * Strategies (CONTRACT 7): `fail` throws `busy` at the limit. Under `slow` and `block` awaited writes are paced on the way
 * to the limit (write-pace.ts), as promises, first come first served. Synchronous writes are paced so under `slow` only, by
 * parking the thread; at the limit both park them for at most `syncWaitMsMax`, then throw. While it parks, the thread
 * delivers finished jobs itself: relief never needs a turn of the event loop.
 *
 * An awaited write is granted first and commits later, in a microtask: what is granted counts as used, and its commit is
 * not asked again.
 */
import { busy, type VarveError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Events } from '../observe/events.ts';
import type { PressureCounts, PressureStats } from './pressure-types.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { JobRunner } from '../workers/job-runner.ts';
import { Filling, WriteDebt } from './write-pace.ts';
import { WriteQueue } from './write-queue.ts';

/** Share of the budget from which on writes are paced. */
const SOFT = 0.75;
/** A flush frees much and takes a fraction of a second: the memory that is left may be used. */
const MEMORY_HASTE = 4;
/** A thread is not parked for less. */
const PARK_MS_MIN = 4;
/** A synchronous writer looks at its pace once in so many bytes: looking costs as much as a write. */
const LOOK_BYTES = 16 * 1024;
/** Longest park between two looks at what other threads of a shared database want or have given up. */
const SERVE_MS = 10;
/** With so many files in level 0 writes stop. */
export const LEVEL0_FILES_STOP = 36;
/**
 * Files that no running compaction takes: from so many on writes are paced, and so many they are not to reach. Half of the
 * stop, because the next compaction takes all of them and as many may come while it runs.
 */
const LEVEL0_WAITING_SLOW: number = 10;
export const LEVEL0_WAITING_STOP: number = LEVEL0_FILES_STOP / 2;
/** In place of the number of files: writes are held until what is in the way of an ingestion is in tables. */
export const WRITES_HELD: number = 2 ** 30;

export interface PressureEnv {
  readonly strategy: 'slow' | 'block' | 'fail';
  readonly limitBytes: number;
  readonly syncWaitMsMax: number;
  readonly runner: JobRunner;
  readonly scheduler: Scheduler;
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
  /** Of them, those that no running compaction takes. */
  level0Waiting(): number;
  /** Bytes that can be written until LEVEL0_WAITING_STOP wait, about. */
  level0Room(): number;
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
  readonly #memory = new Filling(MEMORY_HASTE);
  readonly #files = new Filling(1);
  readonly #debt = new WriteDebt();
  readonly #queue: WriteQueue;
  /** Bytes of synchronous writes that are no debt yet. */
  #unlooked = 0;
  /** What holds writes back most, at the last look; '' when nothing does. */
  #reason = '';
  /** Bytes of awaited writes that may go and have not yet. */
  #granted = 0;
  #isGranted = false;

  constructor(env: PressureEnv) {
    this.#env = env;
    this.limitBytes = env.limitBytes;
    this.#queue = new WriteQueue({
      scheduler: env.scheduler,
      owedMs: () => this.#owedMs(),
      stalled: () => env.makeRoom(),
      grant: (bytes) => this.#grant(bytes),
      takeBack: (bytes) => void (this.#granted -= bytes),
    });
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
    if (this.#isGranted && level0Files !== WRITES_HELD) return;
    if (used >= limitBytes || level0Files >= LEVEL0_FILES_STOP) this.#stop(this.stopReason()!);
    else if (
      strategy !== 'fail' &&
      (used >= limitBytes * SOFT || this.#env.level0Waiting() >= LEVEL0_WAITING_SLOW)
    ) {
      this.#unlooked += bytes;
      if (this.#unlooked >= LOOK_BYTES) this.#look();
    } else if (this.stats.state !== 'none') this.#enter('none', '');
  }

  /** Has an awaited write to come by `paced`? Else it may be committed at once. */
  get isTight(): boolean {
    if (this.#env.strategy === 'fail') return this.stopReason() !== undefined;
    return (
      this.#queue.length > 0 ||
      this.#env.usedBytes() >= this.limitBytes * SOFT ||
      this.#env.level0Waiting() >= LEVEL0_WAITING_SLOW ||
      this.#env.level0Files() >= LEVEL0_FILES_STOP
    );
  }

  /**
   * Commits an awaited write of `bytes` by calling `write`: now where it may, else when its turn comes. Rejects with `busy`
   * under `fail`, or when `giveUp` does; nothing was written then.
   */
  async paced<T>(bytes: number, giveUp: Promise<never> | undefined, write: () => T): Promise<T> {
    const stopped = this.stopReason();
    if (stopped !== undefined) {
      this.#env.makeRoom();
      if (this.#env.strategy === 'fail') throw this.#refuse(stopped);
    }
    if (this.#queue.length === 0 && this.#owedMs() === 0) this.#grant(bytes);
    else await this.#turn(bytes, giveUp);
    this.#granted -= bytes;
    this.#isGranted = true;
    try {
      return write();
    } finally {
      this.#isGranted = false;
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
    if (this.stats.state !== 'none') {
      this.#owedMs();
      if (this.#reason === '') this.#enter('none', '');
    }
    this.#queue.serve();
  }

  /** Awaited writes of a database that closes or is poisoned get the error. */
  abandon(error: VarveError): void {
    this.#queue.abandon(error);
  }

  /** Milliseconds until the next write may go, by what is left now. */
  #owedMs(): number {
    const { limitBytes } = this;
    const now = this.#env.clock.monotonic();
    const used = this.#env.usedBytes();
    const level0Files = this.#env.level0Files();
    let rate = Number.POSITIVE_INFINITY;
    this.#reason = '';
    if (used < limitBytes * SOFT) this.#memory.eased(now);
    else if (used >= limitBytes || this.#env.flushPending()) {
      rate = this.#memory.rate(used, Math.max(0, limitBytes - used), now);
      this.#reason = 'memtable-memory';
    }
    const waiting = this.#env.level0Waiting();
    const isStopped = level0Files >= LEVEL0_FILES_STOP;
    if (waiting < LEVEL0_WAITING_SLOW && !isStopped) this.#files.eased(now);
    else {
      const room = isStopped ? 0 : Math.max(0, this.#env.level0Room());
      const filesRate = this.#files.rate(waiting, room, now);
      if (filesRate < rate) {
        rate = filesRate;
        this.#reason = level0Files === WRITES_HELD ? 'ingest' : 'level0-files';
      }
    }
    const owedMs = this.#debt.owedMs(rate, now);
    // Granted writes are not in the memtable yet.
    return used + this.#granted >= limitBytes && this.#granted > 0 ? Math.max(PARK_MS_MIN, owedMs) : owedMs;
  }

  #grant(bytes: number): void {
    this.#granted += bytes;
    this.#debt.add(bytes);
  }

  async #turn(bytes: number, giveUp: Promise<never> | undefined): Promise<void> {
    const { clock, runner } = this.#env;
    const isStopped = this.stopReason() !== undefined;
    const reason = this.#reason;
    this.#enter(isStopped ? 'block' : 'slow', reason);
    this.#count(isStopped ? 'blocked' : 'delayed', reason);
    const since = clock.monotonic();
    runner.hold();
    try {
      await this.#queue.turn(bytes, giveUp);
    } finally {
      runner.unhold();
      this.#waited(reason, since);
    }
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

  #look(): void {
    const { strategy, runner, clock, syncWaitMsMax } = this.#env;
    this.#debt.add(this.#unlooked);
    this.#unlooked = 0;
    if (strategy !== 'slow') return;
    const owedMs = this.#owedMs();
    const reason = this.#reason;
    this.#enter(reason === '' ? 'none' : 'slow', reason);
    if (owedMs < PARK_MS_MIN) return;
    const since = clock.monotonic();
    const until = since + Math.min(owedMs, syncWaitMsMax);
    for (let left = until - since; left > 0; left = until - clock.monotonic()) {
      const isShared = this.#env.serve?.() === true;
      const delivered = runner.wait(isShared ? Math.min(left, SERVE_MS) : left);
      if (this.#owedMs() < PARK_MS_MIN || (!delivered && runner.kind === 'slices')) break;
    }
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
