/**
 * Locks of transactions on keys and on ranges of keys, of one thread's session. A lock is held until its transaction ends.
 *
 * Keys are in a map, ranges, of which there are few, in a list. Who has to wait stands in one queue; what is released lets
 * go of everybody who is in nobody's way any more, first come first served. Before somebody waits the graph of who waits for
 * whom is searched: a wait that would close a cycle is refused, with the cycle.
 *
 * While anything is locked plain writes are held against it (`WriteGuard`); they never wait for a lock here.
 */
import { compareBytes } from '../base/bytes.ts';
import { KEY_BYTES_MAX } from '../base/entry.ts';
import { busy, VarveError } from '../base/errors.ts';
import { KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { WriteGuard } from '../engine/commit-env.ts';
import type { Session } from '../engine/core.ts';
import type { Tree } from '../engine/tree.ts';
import { type BatchBuffer, BatchReader } from '../record/batch.ts';
import { Deferred } from '../runtime/deferred.ts';
import type { Timer } from '../runtime/scheduler.ts';

/** Who locks. */
export interface LockOwner {
  readonly id: number;
  /** The id that it was prepared by. */
  prepared?: string;
}

/** What somebody locks all at once. */
export interface LockedSpan {
  readonly keyspaceId: number;
  /** Of the keyspace. */
  readonly name: string;
  readonly from: Uint8Array;
  readonly to: Uint8Array | 'key' | undefined;
}

/** Behind every key. */
const BEHIND_ALL: Uint8Array = new Uint8Array(KEY_BYTES_MAX + 1).fill(255);

/** Keys of one keyspace: one, or those of [from, to). */
interface Span {
  readonly keyspaceId: number;
  readonly name: string;
  readonly from: Uint8Array;
  /** Undefined: the key `from` alone. */
  readonly to: Uint8Array | undefined;
}

interface Held extends Span {
  readonly owner: LockOwner;
}

interface Waiter extends Held {
  readonly turn: Deferred<void>;
  timer: Timer | undefined;
}

export class LockTable implements WriteGuard {
  readonly #core: Session;
  readonly #keys = new Map<string, Held>();
  #ranges: Held[] = [];
  #waiters: Waiter[] = [];
  readonly #ownedBy = new Map<LockOwner, Held[]>();
  readonly #reader = new BatchReader();
  #changes: (() => void)[] = [];
  /** Waits that would never have ended. */
  deadlocks = 0;

  constructor(core: Session) {
    this.#core = core;
  }

  get count(): number {
    return this.#keys.size + this.#ranges.length;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /**
   * Locks the keys of [from, to), or `from` alone: at once when nobody else has one or waits for one, and then undefined;
   * else a promise of the lock. Rejects with `DEADLOCK`, `LOCK_TIMEOUT`, or what ended its owner.
   */
  lock(
    owner: LockOwner,
    tree: Tree,
    from: Uint8Array,
    to: Uint8Array | undefined,
    timeoutMs: number,
  ): Promise<void> | undefined {
    const span = { keyspaceId: tree.id, name: tree.name, from, to };
    // Nobody overtakes who waits, but for what the owner has already.
    if (this.#inTheWay(owner, span) !== undefined || this.#isAwaited(owner, span)) {
      return this.#wait(owner, span, timeoutMs);
    }
    this.#hold(owner, span);
    return undefined;
  }

  /**
   * Locks all of them without waiting, or none. `isSure`: they were locked before a reopening, whoever else was.
   *
   * @throws conflict `KEY_LOCKED`
   */
  lockAll(owner: LockOwner, spans: readonly LockedSpan[], isSure = false): void {
    const wanted = spans.map(({ keyspaceId, name, from, to }) => ({
      keyspaceId,
      name,
      from,
      to: to === 'key' ? undefined : (to ?? BEHIND_ALL),
    }));
    if (!isSure) for (const { keyspaceId, from, to } of wanted) this.#check(owner, keyspaceId, from, to);
    for (const span of wanted) this.#hold(owner, span);
  }

  releaseAll(owner: LockOwner): void {
    if (this.#ownedBy.size === 0) return;
    const waiters = this.#waiters.filter((waiter) => waiter.owner === owner);
    for (const waiter of waiters) this.#giveUp(waiter, ended(owner));
    const held = this.#ownedBy.get(owner);
    if (held === undefined) {
      if (waiters.length > 0) this.#serve();
      return;
    }
    this.#ownedBy.delete(owner);
    for (const span of held) if (span.to === undefined) this.#keys.delete(nameOf(span));
    if (held.some(({ to }) => to !== undefined)) {
      this.#ranges = this.#ranges.filter((range) => range.owner !== owner);
    }
    this.#serve();
    if (this.count === 0) this.#core.pipeline.guard = undefined;
    this.#changed();
  }

  /** Ends all waits. */
  close(error: Error): void {
    for (const waiter of this.#waiters.splice(0)) {
      waiter.timer?.cancel();
      waiter.turn.reject(error);
    }
    this.#changed();
  }

  async change(): Promise<void> {
    await new Promise<void>((resolve) => this.#changes.push(resolve));
  }

  one(keyspaceId: number, kind: number, key: Uint8Array, value: Uint8Array): void {
    this.#check(undefined, keyspaceId, key, kind === KIND_RANGE_DELETE ? value : undefined);
  }

  batch(batch: BatchBuffer): void {
    this.checkBatch(undefined, batch);
  }

  /** @throws conflict `KEY_LOCKED` when somebody else than `owner` has locked what the batch writes */
  checkBatch(owner: LockOwner | undefined, batch: BatchBuffer): void {
    if (this.count === 0) return;
    const reader = this.#reader;
    reader.reset(batch.bytes, 0, batch.length, undefined);
    try {
      while (reader.next()) {
        const { bytes, kind, keyspaceId, keyStart, keyEnd, valueStart, valueEnd } = reader;
        const to = kind === KIND_RANGE_DELETE ? bytes.subarray(valueStart, valueEnd) : undefined;
        this.#check(owner, keyspaceId, bytes.subarray(keyStart, keyEnd), to);
      }
    } finally {
      reader.release();
    }
  }

  #changed(): void {
    if (this.#changes.length > 0) for (const resolve of this.#changes.splice(0)) resolve();
  }

  #check(
    owner: LockOwner | undefined,
    keyspaceId: number,
    from: Uint8Array,
    to: Uint8Array | undefined,
  ): void {
    const other = this.#inTheWay(owner, { keyspaceId, name: '', from, to });
    if (other === undefined) return;
    const { id, prepared } = other.owner;
    const who = prepared === undefined ? `transaction ${id}` : `the prepared transaction '${prepared}'`;
    const message = `a key of keyspace '${other.name}' is locked by ${who}`;
    throw new VarveError('conflict', 'KEY_LOCKED', message, {
      keyspace: other.name,
      key: from.slice(),
      ...(prepared === undefined ? { transaction: id } : { prepared }),
    });
  }

  #isAwaited(owner: LockOwner, span: Span): boolean {
    return this.#waiters.some((waiter) => this.#isAhead(waiter, owner, span));
  }

  /** Does a waiter go before `owner`? Not when it waits for what the owner has already. */
  #isAhead(waiter: Waiter, owner: LockOwner, span: Span): boolean {
    if (waiter.owner === owner || !overlap(waiter, span)) return false;
    return this.#ownedBy.get(owner)?.some((held) => overlap(held, waiter)) !== true;
  }

  #hold(owner: LockOwner, span: Span): void {
    const held = { ...span, owner };
    if (span.to === undefined) {
      const name = nameOf(span);
      if (this.#keys.has(name)) return;
      this.#keys.set(name, held);
    } else this.#ranges.push(held);
    const owned = this.#ownedBy.get(owner);
    if (owned === undefined) this.#ownedBy.set(owner, [held]);
    else owned.push(held);
    this.#core.pipeline.guard = this;
  }

  #inTheWay(owner: LockOwner | undefined, span: Span): Held | undefined {
    for (const range of this.#ranges) if (range.owner !== owner && overlap(range, span)) return range;
    if (span.to === undefined) {
      const held = this.#keys.get(nameOf(span));
      return held === undefined || held.owner === owner ? undefined : held;
    }
    for (const held of this.#keys.values()) if (held.owner !== owner && overlap(held, span)) return held;
    return undefined;
  }

  async #wait(owner: LockOwner, span: Span, timeoutMs: number): Promise<void> {
    const waiter: Waiter = { ...span, owner, turn: new Deferred<void>(), timer: undefined };
    const cycle = this.#cycleWith(waiter);
    if (cycle !== undefined) {
      this.deadlocks++;
      const message = `transactions wait for each other: ${cycle.join(' -> ')}`;
      throw new VarveError('conflict', 'DEADLOCK', message, {
        cycle,
        keyspace: span.name,
        key: span.from,
        transaction: cycle[1],
      });
    }
    this.#waiters.push(waiter);
    waiter.timer = this.#core.scheduler.after(
      timeoutMs,
      () => {
        this.#giveUp(waiter, this.#late(waiter, timeoutMs));
        this.#serve();
      },
      true,
    );
    await waiter.turn.promise;
  }

  #giveUp(waiter: Waiter, error: Error): void {
    waiter.timer?.cancel();
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    waiter.turn.reject(error);
  }

  #late(waiter: Waiter, timeoutMs: number): VarveError {
    const holder = this.#blockersOf(waiter)[0];
    const message = `no lock on a key of keyspace '${waiter.name}' within ${timeoutMs} ms`;
    return busy('LOCK_TIMEOUT', message, {
      keyspace: waiter.name,
      key: waiter.from,
      timeoutMs,
      ...(holder === undefined ? {} : { transaction: holder.id }),
    });
  }

  /** Lets go who waits for nothing any more. */
  #serve(): void {
    for (const waiter of this.#waiters.slice()) {
      if (this.#blockersOf(waiter).length > 0) continue;
      waiter.timer?.cancel();
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      this.#hold(waiter.owner, waiter);
      waiter.turn.resolve();
    }
  }

  /** Who holds what the waiter wants, or waits for it longer. */
  #blockersOf(waiter: Waiter): LockOwner[] {
    const blockers: LockOwner[] = [];
    const add = (held: Held | undefined): void => {
      if (held !== undefined && held.owner !== waiter.owner && overlap(held, waiter))
        blockers.push(held.owner);
    };
    this.#ranges.forEach(add);
    if (waiter.to === undefined) add(this.#keys.get(nameOf(waiter)));
    else for (const held of this.#keys.values()) add(held);
    for (const other of this.#waiters) {
      if (other === waiter) break;
      if (this.#isAhead(other, waiter.owner, waiter)) blockers.push(other.owner);
    }
    return blockers;
  }

  /** The transactions of the cycle that the wait would close, beginning and ending with its own. */
  #cycleWith(waiter: Waiter): number[] | undefined {
    const seen = new Set<LockOwner>();
    const search = (from: LockOwner, path: number[]): number[] | undefined => {
      for (const wait of from === waiter.owner
        ? [waiter]
        : this.#waiters.filter((each) => each.owner === from)) {
        for (const blocker of this.#blockersOf(wait)) {
          if (blocker === waiter.owner) return [...path, blocker.id];
          if (seen.has(blocker)) continue;
          seen.add(blocker);
          const found = search(blocker, [...path, blocker.id]);
          if (found !== undefined) return found;
        }
      }
      return undefined;
    };
    return search(waiter.owner, [waiter.owner.id]);
  }
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

function ended(owner: LockOwner): VarveError {
  return new VarveError(
    'invalid',
    'TRANSACTION_ENDED',
    `transaction ${owner.id} has ended while it waited for a lock`,
    {
      transaction: owner.id,
    },
  );
}
