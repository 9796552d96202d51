/**
 * Who holds which keys and ranges, who waits for which, and who thereby waits for whom. No more than that: who is granted
 * what, and when, decides locks.ts.
 *
 * Keys are in a map, ranges, of which there are few, in a list, requests that wait in one queue. In a shared database the
 * locks of all threads are in the book of each (shared-locks.ts).
 */
import { compareBytes } from '../base/bytes.ts';
import type { Deferred } from '../runtime/deferred.ts';
import type { Timer } from '../runtime/scheduler.ts';

/** Who locks. */
export interface LockOwner {
  readonly id: number;
  /** The id that it was prepared by. */
  prepared?: string;
  /** Of another thread: that one's use of its slot (engine/sharing/lock-records.ts). */
  readonly use?: number;
}

/** Keys of one keyspace: one, or those of [from, to). */
export interface Span {
  readonly keyspaceId: number;
  readonly from: Uint8Array;
  /** Undefined: the key `from` alone. */
  readonly to: Uint8Array | undefined;
}

/** Held, or waited for. */
export interface Lock extends Span {
  readonly owner: LockOwner;
  /** Its record, and the change that made that, in a shared database. */
  unit: number;
  stamp: number;
  /** Of a request of this thread that waits, or has waited. */
  turn: Deferred<void> | undefined;
  timer: Timer | undefined;
}

export class LockBook {
  readonly #keys = new Map<string, Lock>();
  #ranges: Lock[] = [];
  #queue: Lock[] = [];
  readonly #ownedBy = new Map<LockOwner, Set<Lock>>();

  /** Keys and ranges that are held. */
  get count(): number {
    return this.#keys.size + this.#ranges.length;
  }

  /** Does nobody hold or wait for anything? */
  get isEmpty(): boolean {
    return this.#ownedBy.size === 0 && this.#queue.length === 0;
  }

  /** First come, first. */
  get queue(): readonly Lock[] {
    return this.#queue;
  }

  *held(): Generator<Lock, void> {
    yield* this.#keys.values();
    yield* this.#ranges;
  }

  hold(lock: Lock): void {
    if (lock.to === undefined) this.#keys.set(nameOf(lock), lock);
    else this.#ranges.push(lock);
    const owned = this.#ownedBy.get(lock.owner);
    if (owned === undefined) this.#ownedBy.set(lock.owner, new Set([lock]));
    else owned.add(lock);
  }

  clear(): void {
    this.#keys.clear();
    this.#ranges = [];
    this.#queue = [];
    this.#ownedBy.clear();
  }

  heldBy(owner: LockOwner): readonly Lock[] {
    return [...(this.#ownedBy.get(owner) ?? [])];
  }

  /** Is the key itself locked, by whomever? */
  hasKey(span: Span): boolean {
    return this.#keys.has(nameOf(span));
  }

  /** Lets go of all that the owner holds; returns it. */
  dropAll(owner: LockOwner): Iterable<Lock> {
    const held = this.#ownedBy.get(owner) ?? [];
    this.#ownedBy.delete(owner);
    let hasRange = false;
    for (const lock of held) {
      if (lock.to === undefined) this.#dropKey(lock);
      else hasRange = true;
    }
    if (hasRange) this.#ranges = this.#ranges.filter((range) => range.owner !== owner);
    return held;
  }

  drop(lock: Lock): void {
    if (lock.to === undefined) this.#dropKey(lock);
    else remove(this.#ranges, lock);
    const owned = this.#ownedBy.get(lock.owner);
    if (owned?.delete(lock) === true && owned.size === 0) this.#ownedBy.delete(lock.owner);
  }

  /** Behind all that came before: of another thread's requests one may be heard of after later ones. */
  wait(lock: Lock): void {
    const queue = this.#queue;
    let at = queue.length;
    while (at > 0 && ((queue[at - 1]!.stamp - lock.stamp) | 0) > 0) at--;
    queue.splice(at, 0, lock);
  }

  unwait(lock: Lock): void {
    remove(this.#queue, lock);
  }

  waitsOf(owner: LockOwner): readonly Lock[] {
    return this.#queue.filter((lock) => lock.owner === owner);
  }

  /** What somebody else than `owner` holds of the span. */
  inTheWay(owner: LockOwner | undefined, span: Span): Lock | undefined {
    for (const range of this.#ranges) if (range.owner !== owner && overlap(range, span)) return range;
    if (span.to === undefined) {
      const held = this.#keys.get(nameOf(span));
      return held === undefined || held.owner === owner ? undefined : held;
    }
    for (const held of this.#keys.values()) if (held.owner !== owner && overlap(held, span)) return held;
    return undefined;
  }

  /** Does somebody wait for it who goes before `owner`? */
  isAwaited(owner: LockOwner, span: Span): boolean {
    return this.#queue.some((waiter) => this.#isAhead(waiter, owner, span));
  }

  /** Does anybody hold what the waiter wants, or wait for it longer? The look that is cheap where many want the same. */
  isBlocked(waiter: Lock): boolean {
    const { owner } = waiter;
    if (this.inTheWay(owner, waiter) !== undefined) return true;
    for (const other of this.#queue) {
      if (other === waiter) return false;
      if (this.#isAhead(other, owner, waiter)) return true;
    }
    return false;
  }

  /** All who hold what the waiter wants, or wait for it longer. */
  blockersOf(waiter: Lock): LockOwner[] {
    const blockers: LockOwner[] = [];
    const add = (held: Lock | undefined): void => {
      if (held !== undefined && held.owner !== waiter.owner && overlap(held, waiter))
        blockers.push(held.owner);
    };
    this.#ranges.forEach(add);
    if (waiter.to === undefined) add(this.#keys.get(nameOf(waiter)));
    else for (const held of this.#keys.values()) add(held);
    for (const other of this.#queue) {
      if (other === waiter) break;
      if (this.#isAhead(other, waiter.owner, waiter)) blockers.push(other.owner);
    }
    return blockers;
  }

  /** The owners of the cycle that the wait would close, beginning and ending with its own. */
  cycleWith(waiter: Lock): LockOwner[] | undefined {
    // Most who wait are waited for by nobody; a search for each would take the square of their number.
    if (!this.#isWaitedFor(waiter.owner)) return undefined;
    const seen = new Set<LockOwner>();
    const search = (from: LockOwner, path: LockOwner[]): LockOwner[] | undefined => {
      for (const wait of from === waiter.owner ? [waiter] : this.waitsOf(from)) {
        for (const blocker of this.blockersOf(wait)) {
          if (blocker === waiter.owner) return [...path, blocker];
          if (seen.has(blocker)) continue;
          seen.add(blocker);
          const found = search(blocker, [...path, blocker]);
          if (found !== undefined) return found;
        }
      }
      return undefined;
    };
    return search(waiter.owner, [waiter.owner]);
  }

  /** May somebody wait for what the owner has, or has asked for too? */
  #isWaitedFor(owner: LockOwner): boolean {
    const held = this.#ownedBy.get(owner);
    return this.#queue.some((waiter) => {
      if (waiter.owner === owner) return true;
      if (held === undefined) return false;
      const isKey = waiter.to === undefined;
      if (isKey && this.#keys.get(nameOf(waiter))?.owner === owner) return true;
      for (const lock of isKey ? this.#ranges : held) {
        if (lock.owner === owner && overlap(lock, waiter)) return true;
      }
      return false;
    });
  }

  /** Does a waiter go before `owner`? Not when it waits for what the owner has already. */
  #isAhead(waiter: Lock, owner: LockOwner, span: Span): boolean {
    if (waiter.owner === owner || !overlap(waiter, span)) return false;
    for (const held of this.#ownedBy.get(owner) ?? []) if (overlap(held, waiter)) return false;
    return true;
  }

  #dropKey(lock: Lock): void {
    const name = nameOf(lock);
    // The next holder may be in the book by now.
    if (this.#keys.get(name) === lock) this.#keys.delete(name);
  }
}

/** In place: where a thread is gone that had thousands, a new list for each would be most of the work. */
function remove(locks: Lock[], lock: Lock): void {
  const at = locks.indexOf(lock);
  if (at >= 0) locks.splice(at, 1);
}

function nameOf({ keyspaceId, from }: Span): string {
  return `${keyspaceId}:${Buffer.from(from.buffer, from.byteOffset, from.byteLength).toString('latin1')}`;
}

function overlap(a: Span, b: Span): boolean {
  if (a.keyspaceId !== b.keyspaceId) return false;
  if (a.to === undefined && b.to === undefined) return compareBytes(a.from, b.from) === 0;
  if (a.to === undefined) return compareBytes(a.from, b.from) >= 0 && compareBytes(a.from, b.to!) < 0;
  if (b.to === undefined) return compareBytes(b.from, a.from) >= 0 && compareBytes(b.from, a.to) < 0;
  return compareBytes(a.from, b.to) < 0 && compareBytes(b.from, a.to) < 0;
}
