/**
 * Locks of transactions on keys and on ranges of keys: who gets one, who waits, who is refused. A lock is held until its
 * transaction ends.
 *
 * A request is granted when nobody holds, and nobody before it waits for, anything that overlaps. What is released lets
 * go of everybody who is in nobody's way any more, first come first served. Before somebody waits the graph of who waits for
 * whom is searched: a wait that would close a cycle is refused, with the cycle.
 *
 * While anything is locked plain writes are held against it (`WriteGuard`); they never wait for a lock here.
 *
 * One table a thread. Once threads share the database each step is one under the write lock, begins with what the others
 * have done (shared-locks.ts), and may grant what they wait for. Who waits is told by lock-watch.ts.
 */
import { BEHIND_ALL } from '../base/entry.ts';
import { asError, VarveError } from '../base/errors.ts';
import { KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { WriteGuard } from '../engine/commit-env.ts';
import type { Session } from '../engine/core.ts';
import { checkLocksFit, type LockRecords, slotOf } from '../engine/sharing/lock-records.ts';
import { type BatchBuffer, BatchReader } from '../record/batch.ts';
import type { LockedKeys } from '../record/prepared.ts';
import { Deferred } from '../runtime/deferred.ts';
import { type Lock, LockBook, type LockOwner, type Span } from './lock-book.ts';
import { deadlock, ended, keyLocked, type LockNames, lockTimeout } from './lock-errors.ts';
import { LockWatch } from './lock-watch.ts';
import { SharedLocks } from './shared-locks.ts';

const AGAIN_MS = 100;
/** Longest wait for the write lock of who can as well come again, or only counts. */
const SHORT_MS = 10;

export class LockTable implements WriteGuard {
  readonly #core: Session;
  readonly #book = new LockBook();
  readonly #reader = new BatchReader();
  readonly #names: LockNames = {
    nameOf: ({ keyspaceId }) => this.#core.state.trees.get(keyspaceId)?.name ?? `#${keyspaceId}`,
    threadOf: (owner) => this.#shared?.threadOf(owner),
  };
  #changes: (() => void)[] = [];
  #shared: SharedLocks | undefined;
  #watch: LockWatch | undefined;
  /** The word of wakes when the locks were last looked at. */
  #wakes = 0;
  /** Waits that would never have ended. */
  deadlocks = 0;

  constructor(core: Session) {
    this.#core = core;
  }

  /** How much is held and waited for, by all threads; as last seen while another one writes for long. */
  counts(): { locks: number; waiting: number } {
    try {
      this.#step(() => undefined, SHORT_MS);
    } catch (error) {
      if (!isOf(error, 'busy')) throw error;
    }
    return { locks: this.#book.count, waiting: this.#book.queue.length };
  }

  /**
   * Locks the keys of [from, to), or `from` alone: at once when nobody else has one or waits for one, and then undefined;
   * else a promise of the lock. Rejects with `DEADLOCK`, `LOCK_TIMEOUT`, or what ended its owner.
   *
   * @throws busy `BUSY` when another thread keeps the write lock, `LOCKS_FULL`
   */
  lock(
    owner: LockOwner,
    keyspaceId: number,
    from: Uint8Array,
    to: Uint8Array | undefined,
    timeoutMs: number,
  ): Promise<void> | undefined {
    const lock = lockOf(owner, { keyspaceId, from, to });
    const isTaken = this.#step(() => this.#take(lock), this.#core.pipeline.lockMsMax);
    return isTaken ? undefined : this.#wait(lock, timeoutMs);
  }

  /**
   * Locks all of them without waiting, or none. `isSure`: they were locked before a reopening, whoever else was.
   *
   * @throws conflict `KEY_LOCKED`
   */
  lockAll(owner: LockOwner, spans: readonly LockedKeys[], isSure = false): void {
    const wanted = spans.map(({ keyspaceId, from, to }) => ({
      keyspaceId,
      from,
      to: to === 'key' ? undefined : (to ?? BEHIND_ALL),
    }));
    this.#step(() => {
      if (!isSure) for (const span of wanted) this.#check(owner, span);
      // What it has locked before is in the name of what is prepared from now on.
      if (owner.prepared !== undefined) this.#shared?.renew(this.#book.heldBy(owner));
      for (const span of wanted) this.#hold(lockOf(owner, span));
      // What it still waits for would be locked in the name of what is prepared, and is not part of that.
      if (owner.prepared !== undefined && this.#endWaits(owner)) this.#serve();
    });
  }

  releaseAll(owner: LockOwner): void {
    if (this.#book.isEmpty) return;
    try {
      this.#step(() => this.#release(owner), this.#core.pipeline.lockMsMax);
    } catch (error) {
      // A database that has ended has no locks.
      if (isOf(error, 'closed')) return;
      if (!isOf(error, 'busy')) throw error;
      // Whoever writes for long under the write lock lets go of it some time.
      this.#core.scheduler.after(AGAIN_MS, () => this.releaseAll(owner));
    }
  }

  /** @throws busy `LOCKS_FULL` when more is locked than threads can share */
  checkFits(): void {
    checkLocksFit([...this.#book.held(), ...this.#book.queue]);
  }

  /** Other threads see the locks from now on, and their locks are seen. */
  share(records: LockRecords): void {
    this.#shared = new SharedLocks(records, this.#book, served);
    this.#core.pipeline.guard = this;
    this.#watch = new LockWatch(records, this.#core.scheduler, (isThorough) => this.#look(isThorough));
    this.#wakes = records.wakes;
    if (this.#isWaiting()) this.#watch.start(this.#wakes);
  }

  /** The thread that had the slot is gone, and so is what it had locked, but for what is prepared. */
  threadGone(slot: number): void {
    if (this.#shared?.records.isUsed !== true) return;
    this.#step(() => this.#dropThreads((use) => slotOf(use) === slot));
  }

  /** Ends all waits, and gives back what this thread has locked and not prepared. */
  close(error: Error): void {
    const waiting = this.#book.queue.filter(({ turn }) => turn !== undefined);
    if (this.#shared !== undefined) {
      try {
        this.#step(() => this.#drop(this.#shared!.own()));
      } catch {
        // Over for all threads; or, of a thread that has left, whoever meets them drops them.
      }
      this.#shared = undefined;
      this.#watch!.stop();
    }
    for (const { timer, turn } of waiting) {
      timer?.cancel();
      turn!.reject(error);
    }
    this.#book.clear();
    this.#changed();
  }

  async change(): Promise<void> {
    const change = new Promise<void>((resolve) => this.#changes.push(resolve));
    this.#watch?.start(this.#wakes);
    await change;
  }

  one(keyspaceId: number, kind: number, key: Uint8Array, value: Uint8Array): void {
    if (this.#isFree()) return;
    this.#check(undefined, { keyspaceId, from: key, to: kind === KIND_RANGE_DELETE ? value : undefined });
  }

  batch(batch: BatchBuffer): void {
    this.checkBatch(undefined, batch);
  }

  /**
   * With the write lock, where threads share the database.
   *
   * @throws conflict `KEY_LOCKED` when somebody else than `owner` has locked what the batch writes
   */
  checkBatch(owner: LockOwner | undefined, batch: BatchBuffer): void {
    if (this.#isFree()) return;
    const reader = this.#reader;
    reader.reset(batch.bytes, 0, batch.length, undefined);
    try {
      while (reader.next()) {
        const { bytes, kind, keyspaceId, keyStart, keyEnd, valueStart, valueEnd } = reader;
        const to = kind === KIND_RANGE_DELETE ? bytes.subarray(valueStart, valueEnd) : undefined;
        this.#check(owner, { keyspaceId, from: bytes.subarray(keyStart, keyEnd), to });
      }
    } finally {
      reader.release();
    }
  }

  /** One step on the locks, which nobody else changes meanwhile. */
  #step<T>(step: () => T, waitMs?: number): T {
    if (this.#shared === undefined) return step();
    return this.#core.state.exclusive(() => {
      this.#follow();
      return step();
    }, waitMs);
  }

  #follow(): void {
    const shared = this.#shared!;
    this.#wakes = shared.records.wakes;
    shared.follow();
  }

  /** Is nothing locked? A look at one word, where threads share the database. */
  #isFree(): boolean {
    const shared = this.#shared;
    if (shared !== undefined) {
      if (!shared.records.isUsed) return true;
      this.#follow();
    }
    return this.#book.count === 0;
  }

  /** @throws conflict `KEY_LOCKED` when somebody else than `owner` has locked some of it */
  #check(owner: LockOwner | undefined, span: Span): void {
    let other = this.#book.inTheWay(owner, span);
    while (other !== undefined && this.#dropGone(other.owner)) other = this.#book.inTheWay(owner, span);
    if (other !== undefined) throw keyLocked(this.#names, span, other.owner);
  }

  /** Takes the lock, and then true; or waits for it. */
  #take(lock: Lock): boolean {
    const { owner } = lock;
    const book = this.#book;
    for (;;) {
      const other = book.inTheWay(owner, lock);
      if (other !== undefined && this.#dropGone(other.owner)) continue;
      // Nobody overtakes who waits, but for what the owner has already.
      if (other === undefined && !book.isAwaited(owner, lock)) {
        this.#hold(lock);
        return true;
      }
      const cycle = book.cycleWith(lock);
      if (cycle === undefined) break;
      if (cycle.some((each) => this.#dropGone(each))) continue;
      this.deadlocks++;
      throw deadlock(this.#names, lock, cycle);
    }
    lock.turn = new Deferred<void>();
    if (this.#shared === undefined) book.wait(lock);
    else this.#shared.wait(lock);
    return false;
  }

  #hold(lock: Lock): void {
    if (lock.to === undefined && this.#book.hasKey(lock)) return;
    if (this.#shared === undefined) {
      this.#book.hold(lock);
      this.#core.pipeline.guard = this;
    } else this.#shared.hold(lock);
  }

  async #wait(lock: Lock, timeoutMs: number): Promise<void> {
    this.#endLater(lock, timeoutMs, timeoutMs);
    this.#watch?.start(this.#wakes);
    await lock.turn!.promise;
  }

  #late(lock: Lock, timeoutMs: number): void {
    try {
      this.#step(() => {
        // Another thread may just have granted it.
        if (!this.#book.queue.includes(lock)) return;
        const holder = this.#book.blockersOf(lock)[0];
        this.#giveUp(lock, lockTimeout(this.#names, lock, timeoutMs, holder));
        this.#serve();
      }, SHORT_MS);
    } catch (error) {
      // Not told before it is out of the queue: it would be granted something that nobody waits for.
      if (isOf(error, 'busy')) this.#endLater(lock, AGAIN_MS, timeoutMs);
      else lock.turn!.reject(asError(error));
    }
  }

  #endLater(lock: Lock, ms: number, timeoutMs: number): void {
    lock.timer = this.#core.scheduler.after(ms, () => this.#late(lock, timeoutMs), true);
  }

  #giveUp(waiter: Lock, error: Error): void {
    this.#book.unwait(waiter);
    this.#shared?.remove(waiter);
    waiter.timer?.cancel();
    waiter.turn?.reject(error);
  }

  #release(owner: LockOwner): void {
    const hasWaited = this.#endWaits(owner);
    let hasHeld = false;
    for (const lock of this.#book.dropAll(owner)) {
      hasHeld = true;
      this.#shared?.remove(lock);
    }
    if (hasHeld) this.#released();
    else if (hasWaited) this.#serve();
  }

  /** True when it has waited for anything. */
  #endWaits(owner: LockOwner): boolean {
    const waits = this.#book.waitsOf(owner);
    for (const waiter of waits) this.#giveUp(waiter, ended(owner));
    return waits.length > 0;
  }

  #released(): void {
    this.#serve();
    if (this.#shared !== undefined) this.#shared.records.wake();
    else if (this.#book.count === 0) this.#core.pipeline.guard = undefined;
    this.#changed();
  }

  /** Lets go who waits for nothing any more, in whichever thread. */
  #serve(): void {
    const book = this.#book;
    let hasOthers = false;
    for (const waiter of book.queue.slice()) {
      if (book.isBlocked(waiter)) continue;
      book.unwait(waiter);
      book.hold(waiter);
      if (this.#shared === undefined) this.#core.pipeline.guard = this;
      else this.#shared.granted(waiter);
      if (waiter.turn === undefined) hasOthers = true;
      else served(waiter);
    }
    if (hasOthers) this.#shared!.records.wake();
  }

  #changed(): void {
    if (this.#changes.length > 0) for (const resolve of this.#changes.splice(0)) resolve();
  }

  #isWaiting(): boolean {
    return this.#changes.length > 0 || this.#book.queue.some(({ turn }) => turn !== undefined);
  }

  /** Something was let go by another thread, or nobody has told of anything for a while; true: somebody waits still. */
  #look(isThorough: boolean): boolean {
    const shared = this.#shared!;
    const isGranted = ({ turn, unit }: Lock): boolean => turn !== undefined && shared.records.isHeld(unit);
    try {
      if (isThorough || shared.isRebuilt || this.#book.queue.some(isGranted)) {
        this.#step(() => {
          this.#dropThreads((use) => shared.records.isGone(use));
          // Who died may have let go, and not have granted.
          this.#serve();
        }, SHORT_MS);
      }
    } catch (error) {
      if (isOf(error, 'closed')) this.close(asError(error));
    }
    this.#changed();
    return this.#shared !== undefined && this.#isWaiting();
  }

  /** True when the owner's thread is gone: what it had locked is, too. */
  #dropGone(owner: LockOwner): boolean {
    if (owner.prepared !== undefined || this.#shared?.isGone(owner) !== true) return false;
    this.#dropThreads((use) => use === owner.use);
    return true;
  }

  #dropThreads(isGone: (use: number) => boolean): void {
    this.#drop(this.#shared!.of(isGone));
  }

  /** Lets go of locks and requests, unless they are of what is prepared. */
  #drop(locks: readonly Lock[]): void {
    const mine = locks.filter(({ owner }) => owner.prepared === undefined);
    if (mine.length === 0) return;
    for (const lock of mine) {
      this.#book.unwait(lock);
      this.#book.drop(lock);
      this.#shared!.remove(lock);
    }
    this.#released();
  }
}

function lockOf(owner: LockOwner, span: Span): Lock {
  return { ...span, owner, unit: -1, stamp: 0, turn: undefined, timer: undefined };
}

function served({ timer, turn }: Lock): void {
  timer?.cancel();
  turn!.resolve();
}

function isOf(error: unknown, kind: VarveError['kind']): boolean {
  return error instanceof VarveError && error.kind === kind;
}
