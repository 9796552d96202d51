/**
 * From visible to durable: hands the log buffer to the system, has the log fsynced, and settles who waits for either.
 *
 * Hand-over happens at the end of the turn, in a microtask when a write is awaited at `os`, or when the buffer is full
 * (wal/log). The fsync runs in the I/O lane, one at a time; whoever asked before it started shares it, whoever asks while
 * it runs shares the next: that is the whole group commit. A failed fsync or hand-over poisons; a full disk keeps the
 * bytes in the buffer and tries again, while writes are refused with `busy`. One object a thread; where a database is
 * shared, what touches the log happens under the write lock.
 */
import { asError, busy, systemCode, VarveError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import { Deferred } from '../runtime/deferred.ts';
import type { Poison } from '../runtime/poison.ts';
import type { Scheduler, Timer } from '../runtime/scheduler.ts';
import type { EncodedOperation } from '../record/batch.ts';
import type { DurableLog, UnsyncedLog } from '../wal/log-options.ts';
import type { SyncPolicy } from '../wal/sync-policy.ts';
import type { JobRunner } from '../workers/job-runner.ts';

/** A disk sync after which nothing follows for this long is sealed by a marker record (CONTRACT 3). */
const MARKER_AFTER_MS = 100;
/** How often a full disk is tried again. */
const FULL_RETRY_MS = 250;

interface Waiter {
  readonly sequence: number;
  /** Resolves with its own sequence instead of the safe one. */
  readonly own: boolean;
  readonly done: Deferred<number>;
}

export interface DurabilityEnv {
  readonly log: DurableLog;
  /** Keeps other threads of a shared database from the log (state.ts). */
  readonly state: { exclusive<T>(step: () => T): T };
  readonly policy: SyncPolicy;
  readonly runner: JobRunner;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly poison: Poison;
}

export class Durability {
  /** Writes that were refused because the disk was full. */
  fullDiskRefusals = 0;
  /** Called when more of the log has reached a class, or none will any more. */
  progressed: () => void = () => undefined;
  readonly #env: DurabilityEnv;
  readonly #log: DurableLog;
  #handOverScheduled = false;
  #microtaskScheduled = false;
  #osWaiters: Waiter[] = [];
  #diskWaiters: Waiter[] = [];
  #syncing = false;
  #syncAgain = false;
  #dueTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #markerTimer: Timer | undefined;
  #closed = false;

  constructor(env: DurabilityEnv) {
    this.#env = env;
    this.#log = env.log;
  }

  get diskFull(): boolean {
    return this.#log.diskFull;
  }

  /**
   * Appends a record before its batch is applied; under `everyWrite` it is on disk when this returns. What is refused with
   * `DISK_FULL` is not in the log and will not be; any other failure poisons, and what became of the record is not known.
   */
  append(kind: number, sequence: number, timeMs: number, body: Uint8Array, start: number, end: number): void {
    try {
      this.#log.append(kind, sequence, timeMs, body, start, end);
    } catch (error) {
      this.#failed(error);
      throw error;
    }
    this.#appended();
  }

  /** The same for a batch of one operation, of at most `log.operationBytesMax` bytes; lends it until the next append. */
  appendOperation(
    sequence: number,
    timeMs: number,
    kind: number,
    keyspaceId: number,
    key: Uint8Array,
    value: Uint8Array,
  ): EncodedOperation {
    let operation: EncodedOperation;
    try {
      operation = this.#log.appendOperation(sequence, timeMs, kind, keyspaceId, key, value);
    } catch (error) {
      this.#failed(error);
      throw error;
    }
    this.#appended();
    return operation;
  }

  /** What the sync strategy wants after an append. */
  #appended(): void {
    if (!this.#handOverScheduled) this.#scheduleHandOver();
    const action = this.#env.policy.onAppend(this.#now);
    if (action === 'sync-now') this.#syncAppended();
    else if (action === 'sync-background') this.#requestSync();
    else this.#armTimer();
  }

  /**
   * Resolves once everything up to `sequence` has reached `durability`: with the sequence that is safe then, or with
   * `sequence` itself (`own`).
   */
  reach(durability: 'os' | 'disk', sequence: number, own = false): Promise<number> {
    if (this.#env.poison.raised) return Promise.reject(this.#env.poison.error());
    const safe = durability === 'os' ? this.#log.handedOverSequence : this.#log.syncedSequence;
    if (safe >= sequence) return Promise.resolve(own ? sequence : safe);
    const waiter = { sequence, own, done: new Deferred<number>() };
    // A pending promise keeps the process alive, until it is settled.
    this.#env.runner.hold();
    (durability === 'os' ? this.#osWaiters : this.#diskWaiters).push(waiter);
    if (!this.#microtaskScheduled) {
      this.#microtaskScheduled = true;
      queueMicrotask(() => {
        this.#microtaskScheduled = false;
        if (this.#osWaiters.length > 0) this.handOver();
        if (this.#diskWaiters.length > 0) this.#requestSync();
      });
    }
    return waiter.done.promise;
  }

  /** The same on this thread, without waiting for anybody; throws what stopped it. */
  syncNow(durability: 'os' | 'disk'): number {
    this.#env.poison.check();
    try {
      if (durability === 'os') this.#exclusive(() => this.#log.handOver());
      else this.#exclusive(() => this.#log.syncNow());
    } catch (error) {
      this.#failed(error);
      throw error;
    }
    if (durability === 'disk') {
      this.#noteSync();
      this.#scheduleMarker();
    }
    this.#settle();
    return durability === 'os' ? this.#log.handedOverSequence : this.#log.syncedSequence;
  }

  #syncAppended(): void {
    try {
      this.syncNow('disk');
    } catch (error) {
      if (isDiskFull(error)) this.#log.takeBack();
      throw error;
    }
  }

  #exclusive<T>(step: () => T): T {
    return this.#env.state.exclusive(step);
  }

  /** Hands the buffer to the system; a failure is handled here (poison, or a retry on a full disk). True when all is out. */
  handOver(): boolean {
    if (this.#env.poison.raised) return false;
    try {
      this.#exclusive(() => this.#log.handOver());
      this.#settle();
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Before a write: a full disk is tried once more, then the write is refused. */
  admit(): void {
    if (!this.#log.diskFull || this.handOver()) return;
    this.#env.poison.check();
    this.fullDiskRefusals++;
    throw busy('DISK_FULL', 'the disk is full; the write was not accepted', { reason: 'disk-full' });
  }

  /** Told by the manifest installer, whose job fsyncs the log too. */
  synced(): void {
    this.#noteSync();
    this.#settle();
  }

  /** Everything to disk, then a marker that says so, on this thread. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of [this.#dueTimer, this.#markerTimer, this.#retryTimer]) timer?.cancel();
    let failure: unknown = this.#env.poison.raised ? this.#env.poison.error() : undefined;
    if (failure === undefined) {
      try {
        this.#exclusive(() => {
          this.#log.syncNow();
          this.#log.writeMarker();
          this.#log.syncNow();
        });
        this.#settle();
      } catch (error) {
        failure = error;
      }
    }
    if (failure !== undefined) this.#rejectAll(failure);
    this.#log.close();
    if (failure !== undefined && !this.#env.poison.raised) throw asError(failure);
  }

  /** A thread that shares another one's database leaves it: hands over, if it may; who still waits gets `error`. */
  detach(error: VarveError, mayWrite: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of [this.#dueTimer, this.#markerTimer, this.#retryTimer]) timer?.cancel();
    if (mayWrite) this.handOver();
    this.#rejectAll(error);
    this.#log.close();
  }

  /** An fsync has ended; what was appended since it began waits for the next one. */
  #noteSync(): void {
    const now = this.#env.clock.monotonic();
    this.#env.policy.onSynced(now, this.#log.lastSequence - this.#log.syncedSequence);
    this.#armTimer();
  }

  /** The next background sync of the interval, if one is due and not on its way. */
  #armTimer(): void {
    const due = this.#dueTimer === undefined && !this.#closed ? this.#env.policy.dueAt() : undefined;
    if (due === undefined) return;
    this.#dueTimer = this.#env.scheduler.after(Math.max(0, due - this.#now()), () => {
      this.#dueTimer = undefined;
      // Another fsync may have covered what the timer was set for: then it is due later, or not at all.
      const { policy, clock } = this.#env;
      if ((policy.dueAt() ?? Infinity) <= clock.monotonic()) this.#requestSync();
      else this.#armTimer();
    });
  }

  readonly #now = (): number => this.#env.clock.monotonic();

  #scheduleHandOver(): void {
    this.#handOverScheduled = true;
    this.#env.scheduler.soon(() => {
      this.#handOverScheduled = false;
      if (!this.#closed) this.handOver();
    });
  }

  /** Called by timers and microtasks: a database that another thread has closed meanwhile is no error of theirs. */
  #requestSync(): void {
    try {
      this.#startSync();
    } catch (error) {
      this.#failed(error);
    }
  }

  #startSync(): void {
    if (this.#closed || this.#env.poison.raised) return;
    if (this.#syncing) {
      this.#syncAgain = true;
      return;
    }
    if (!this.handOver()) {
      this.#syncAgain = true;
      return;
    }
    const unsynced = this.#unsynced();
    if (unsynced === undefined) return;
    if (unsynced.paths.length === 0) {
      this.#settle();
      return;
    }
    this.#syncing = true;
    const input = { paths: unsynced.paths, directory: unsynced.directory };
    this.#env.runner.start({ lane: 'io', name: 'sync-log', input }, (outcome) => {
      this.#syncing = false;
      if (!outcome.ok) {
        // At close the job may be cancelled before it ran: close syncs on its own thread.
        if (!this.#closed) this.#env.poison.raise(outcome.error);
        return;
      }
      if (this.#closed || this.#env.poison.raised) return;
      try {
        this.#exclusive(() => this.#log.markSynced(unsynced.upTo, unsynced.sequence));
      } catch (error) {
        this.#failed(error);
        return;
      }
      this.#noteSync();
      this.#settle();
      if (this.#syncAgain || this.#diskWaiters.length > 0) {
        this.#syncAgain = false;
        this.#requestSync();
      } else this.#scheduleMarker();
    });
  }

  /** What the next fsync has to cover; undefined when that can not be said now. */
  #unsynced(): UnsyncedLog | undefined {
    try {
      return this.#exclusive(() => this.#log.unsynced());
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /** Seals the log once nothing has followed a disk sync for a while; one timer that looks again, not one per sync. */
  #scheduleMarker(): void {
    if (this.#markerTimer !== undefined || this.#closed) return;
    const sequence = this.#log.lastSequence;
    this.#markerTimer = this.#env.scheduler.after(MARKER_AFTER_MS, () => {
      this.#markerTimer = undefined;
      if (this.#closed || this.#env.poison.raised) return;
      try {
        this.#exclusive(() => this.#seal(sequence));
      } catch (error) {
        this.#failed(error);
      }
    });
  }

  /** Writes the marker, unless something has followed `sequence`. */
  #seal(sequence: number): void {
    if (this.#log.lastSequence !== this.#log.syncedSequence) return;
    if (this.#log.lastSequence !== sequence) {
      this.#scheduleMarker();
      return;
    }
    this.#log.writeMarker();
    this.#log.handOver();
    this.#settle();
  }

  #settle(): void {
    this.#osWaiters = this.#settled(this.#osWaiters, this.#log.handedOverSequence);
    this.#diskWaiters = this.#settled(this.#diskWaiters, this.#log.syncedSequence);
    this.progressed();
  }

  /** Resolves those of `waiters` who waited for `safe` or less; returns the others. */
  #settled(waiters: Waiter[], safe: number): Waiter[] {
    if (waiters.length === 0) return waiters;
    const left: Waiter[] = [];
    for (const waiter of waiters) {
      if (waiter.sequence > safe) left.push(waiter);
      else {
        this.#env.runner.unhold();
        waiter.done.resolve(waiter.own ? waiter.sequence : safe);
      }
    }
    return left;
  }

  #failed(error: unknown): void {
    // Nothing was tried: the database is closed, or another thread has kept it from being tried.
    if (error instanceof VarveError && (error.kind === 'closed' || error.code === 'BUSY')) return;
    if (isDiskFull(error)) {
      this.#retryTimer ??= this.#env.scheduler.after(FULL_RETRY_MS, () => {
        this.#retryTimer = undefined;
        if (!this.handOver() || !(this.#syncAgain || this.#diskWaiters.length > 0)) return;
        this.#syncAgain = false;
        this.#requestSync();
      });
    } else this.#env.poison.raise(error);
  }

  /** Called by the poison: nobody waits for what can not come. */
  poisoned(): void {
    this.#rejectAll(this.#env.poison.error());
    this.progressed();
  }

  #rejectAll(error: unknown): void {
    for (const waiter of [...this.#osWaiters, ...this.#diskWaiters]) {
      this.#env.runner.unhold();
      waiter.done.reject(error);
    }
    this.#osWaiters = [];
    this.#diskWaiters = [];
  }
}

/** A full disk or quota is waited out, it does not poison. */
export function isDiskFull(error: unknown): boolean {
  const system = systemCode(error);
  return (
    system === 'ENOSPC' || system === 'EDQUOT' || (error instanceof VarveError && error.code === 'DISK_FULL')
  );
}
