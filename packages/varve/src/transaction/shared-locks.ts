/**
 * A thread's book of locks beside those of other threads: what this thread does goes into the shared records
 * (engine/sharing/lock-records.ts), and what others did there comes into the book, by `follow`, before the book is used.
 * All of it with the write lock, but for the beginning, when no other thread knows of this one.
 *
 * Following costs what has changed since, and nothing is looked up in shared memory: a write beside ten thousand locks
 * asks the map of its own thread. When the records were repaired, or more has changed than is told, all are read again.
 */
import type { LockRecords } from '../engine/sharing/lock-records.ts';
import type { Lock, LockBook, LockOwner } from './lock-book.ts';

interface OtherOwner {
  readonly owner: LockOwner;
  records: number;
}

export class SharedLocks {
  readonly records: LockRecords;
  readonly #book: LockBook;
  readonly #granted: (lock: Lock) => void;
  /** What is in the book, by unit. */
  readonly #known = new Map<number, Lock>();
  /** Transactions of other threads, as long as they have records: by use of the slot and id. */
  readonly #others = new Map<string, OtherOwner>();
  #seen: number;
  #rebuilds: number;

  /** @param granted is told of requests of this thread that another one has granted */
  constructor(records: LockRecords, book: LockBook, granted: (lock: Lock) => void) {
    this.records = records;
    this.#book = book;
    this.#granted = granted;
    this.#seen = records.changes;
    // Another thread may have been here long before.
    this.#rebuilds = records.rebuilds - 1;
    // What this thread has locked while it had the database to itself.
    for (const lock of book.held()) this.#publish(lock, false);
    for (const lock of book.queue) this.#publish(lock, true);
  }

  /** All that is held and waited for is to be read again: another thread died in the middle, or all ended. */
  get isRebuilt(): boolean {
    return this.records.rebuilds !== this.#rebuilds;
  }

  /** Brings what other threads have done into the book. */
  follow(): void {
    const { records } = this;
    const isTold = !this.isRebuilt && records.since(this.#seen, (unit) => this.#look(unit));
    this.#seen = records.changes;
    if (!isTold) this.#readAll();
  }

  hold(lock: Lock): void {
    this.#publish(lock, false);
    this.#book.hold(lock);
  }

  wait(lock: Lock): void {
    this.#publish(lock, true);
    this.#book.wait(lock);
  }

  /** A request, of any thread, is granted; the book knows. */
  granted(lock: Lock): void {
    this.records.grant(lock.unit);
    this.#seen = this.records.changes;
  }

  /** Writes the records of locks that are held anew: something about their owner has changed. */
  renew(locks: readonly Lock[]): void {
    for (const lock of locks) {
      const before = { ...lock };
      // Refused when there is no room; then the lock is where it was.
      this.#publish(lock, false);
      this.remove(before);
    }
  }

  /** Lets go of what the book has let go of. */
  remove(lock: Lock): void {
    this.records.remove(lock.unit);
    this.#forget(lock);
    this.#seen = this.records.changes;
  }

  /** All of other threads that `isTheirs` says of their use of a slot; it is asked once of each. */
  of(isTheirs: (use: number) => boolean): Lock[] {
    const uses = new Set([...this.#others.values()].map(({ owner }) => owner.use!));
    const theirs = new Set([...uses].filter(isTheirs));
    if (theirs.size === 0) return [];
    return [...this.#known.values()].filter(({ owner: { use } }) => use !== undefined && theirs.has(use));
  }

  /** All of this thread's own. */
  own(): Lock[] {
    return [...this.#known.values()].filter(({ owner }) => owner.use === undefined);
  }

  isGone({ use }: LockOwner): boolean {
    return use !== undefined && this.records.isGone(use);
  }

  /** `threadId` of the thread whose transaction it is. */
  threadOf({ use }: LockOwner): number {
    return this.records.threadOf(use ?? this.records.use);
  }

  #publish(lock: Lock, isWaiting: boolean): void {
    const { records } = this;
    lock.unit = records.add(lock, isWaiting);
    lock.stamp = records.stampOf(lock.unit)!;
    this.#known.set(lock.unit, lock);
    this.#seen = records.changes;
  }

  #forget(lock: Lock): void {
    this.#known.delete(lock.unit);
    const { use, id } = lock.owner;
    if (use === undefined) return;
    const name = `${use}:${id}`;
    const other = this.#others.get(name)!;
    if (--other.records === 0) this.#others.delete(name);
  }

  #readAll(): void {
    const { records } = this;
    this.#rebuilds = records.rebuilds;
    const there: number[] = [];
    records.each((unit) => there.push(unit));
    const units = new Set(there);
    // What is gone goes first: it may be in the place of what is there now.
    for (const [unit, lock] of this.#known) {
      if (!units.has(unit) || records.stampOf(unit) !== lock.stamp) this.#leave(lock);
    }
    for (const unit of there) this.#look(unit);
  }

  /** Makes the book say of one record what is there. */
  #look(unit: number): void {
    const { records } = this;
    let known = this.#known.get(unit);
    const stamp = records.stampOf(unit);
    if (known !== undefined && known.stamp !== stamp) {
      this.#leave(known);
      known = undefined;
    }
    if (stamp === undefined) return;
    if (known === undefined) this.#come(unit);
    else if (this.#isGrantedNow(known)) {
      this.#book.unwait(known);
      this.#book.hold(known);
      if (known.turn !== undefined) this.#granted(known);
    }
  }

  #isGrantedNow(known: Lock): boolean {
    return this.records.isHeld(known.unit) && this.#book.queue.includes(known);
  }

  #leave(lock: Lock): void {
    this.#forget(lock);
    if (this.#book.queue.includes(lock)) this.#book.unwait(lock);
    else this.#book.drop(lock);
  }

  /** A record of another thread. */
  #come(unit: number): void {
    const { use, transaction, prepared, keyspaceId, from, to, stamp, isWaiting } = this.records.read(unit);
    const name = `${use}:${transaction}`;
    let other = this.#others.get(name);
    if (other === undefined) {
      other = { owner: { id: transaction, use }, records: 0 };
      this.#others.set(name, other);
    }
    other.records++;
    if (prepared !== undefined) other.owner.prepared = prepared;
    const { owner } = other;
    const lock: Lock = { owner, keyspaceId, from, to, unit, stamp, turn: undefined, timer: undefined };
    this.#known.set(unit, lock);
    if (isWaiting) this.#book.wait(lock);
    else this.#book.hold(lock);
  }
}
