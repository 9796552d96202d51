/**
 * A transaction: reads one registered state with its own writes on top, and commits them as one batch if nothing that it
 * relies on was written meanwhile.
 *
 * What that is depends on the isolation. `snapshot`: the keys that it writes (the first who commits wins). `serializable`:
 * all keys and ranges that it has read as well. When nobody has committed since it began there is nothing to look at, and
 * that is most commits. Locks (locks.ts) keep others from writing; they do not replace the look at what was written before
 * they were taken. What is larger than a batch is committed by tables (engine/ingest/large-commit.ts), if it is awaited.
 *
 * Invariants: (1) between the look and the write nothing is written (`commitIf`). (2) Its sequence is registered from the
 * beginning to the end, which `changed-since` relies on. (3) After its end it holds nothing: no sequence, no locks, no writes.
 */
import { cloneOf, EMPTY } from '../base/bytes.ts';
import { invalid, type VarveError } from '../base/errors.ts';
import { withTtl } from '../base/expiry.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { Durability, Keyspace, PutOptions, Range, RangeView } from '../engine/keyspace-types.ts';
import { decodeValue } from '../engine/codecs/codec.ts';
import { RangeCursor } from '../engine/cursor.ts';
import type { Core } from '../engine/core.ts';
import { LargeCommit } from '../engine/ingest/large-commit.ts';
import { KeyspaceHandle } from '../engine/keyspace.ts';
import type { ReadPoint } from '../engine/read-point.ts';
import type { Isolation, Savepoint, Transaction } from '../engine/transaction-types.ts';
import type { Tree } from '../engine/tree.ts';
import { checkPutOptions } from '../engine/write-checks.ts';
import { checkWait, reach } from '../engine/write-wait.ts';
import type { LockOwner } from './lock-book.ts';
import { transactionConflict, checkSize } from './conflict.ts';
import { type Conflict, spanChangedSince } from './read-set.ts';
import { Savepoints } from './savepoint.ts';
import type { SetPair, TransactionEnv } from './transaction-env.ts';
import { transactionRange } from './transaction-range.ts';
import { ownMergedValue, ownValue } from './own-merge.ts';
import { givesValue, type OwnMerge } from './write-set.ts';

export class TransactionHandle implements Transaction, ReadPoint {
  readonly id: number;
  readonly isolation: Isolation;
  /** Somebody is told when it is lost (begun-transactions.ts). */
  isWatched = false;
  readonly #env: TransactionEnv;
  readonly #lockTimeoutMs: number;
  #sequence: number;
  #time: number;
  #sets: SetPair | undefined;
  #savepoints: Savepoints | undefined;
  /** Once it has asked for a lock. The table of locks holds it, and not the transaction: a lost one is to be found lost. */
  #owner: LockOwner | undefined;
  /** It has read at its point: the point can not move any more. */
  #hasRead = false;
  /** Tables are being written for its commit: nothing else goes any more. */
  #large: LargeCommit | undefined;
  #endedBy: 'commit' | 'rollback' | 'prepare' | undefined;

  constructor(env: TransactionEnv, id: number, isolation: Isolation, lockTimeoutMs: number) {
    const { core } = env;
    core.state.checkOpen();
    this.#env = env;
    this.id = id;
    this.isolation = isolation;
    this.#lockTimeoutMs = lockTimeoutMs;
    this.#sets = env.takeSets();
    this.#sequence = core.register.addVisible();
    this.#time = core.register.time;
  }

  get sequence(): number {
    return this.#sequence;
  }

  get time(): number {
    return this.#time;
  }

  get isOpen(): boolean {
    return this.#sets !== undefined && this.#large === undefined;
  }

  get hasEnded(): boolean {
    return this.#endedBy !== undefined;
  }

  get hasCommitted(): boolean {
    return this.#endedBy === 'commit';
  }

  get<K, V>(keyspace: Keyspace<K, V>, key: K): V | undefined {
    const { writes } = this.#open();
    const handle = this.#handle(keyspace);
    const bytes = handle.encodeKey(key);
    if (writes.count > 0) {
      const own = writes.find(handle.id, bytes);
      if (own >= 0) return this.#own(handle, own);
    }
    this.#noteKey(handle, bytes);
    return handle.getEncodedAt(bytes, this);
  }

  getMany<K, V>(keyspace: Keyspace<K, V>, keys: readonly K[]): (V | undefined)[] {
    const { writes } = this.#open();
    const handle = this.#handle(keyspace);
    const values = handle.getManyAt(keys, this);
    keys.forEach((key, i) => {
      const bytes = handle.encodeKey(key);
      const own = writes.find(handle.id, bytes);
      if (own >= 0) values[i] = this.#own(handle, own);
      else this.#noteKey(handle, bytes);
    });
    return values;
  }

  has<K, V>(keyspace: Keyspace<K, V>, key: K): boolean {
    const { writes } = this.#open();
    const handle = this.#handle(keyspace);
    const bytes = handle.encodeKey(key);
    const own = writes.find(handle.id, bytes);
    if (own >= 0) return givesValue(writes.kindOf(own));
    this.#noteKey(handle, bytes);
    return handle.hasEncodedAt(bytes, this);
  }

  range<K, V>(keyspace: Keyspace<K, V>, range: Range<K> = {}): RangeView<K, V> {
    this.#open();
    const handle = this.#handle(keyspace);
    const bounds = handle.bounds(range);
    const check = (): void => {
      this.#open();
      handle.check();
    };
    return transactionRange<K, V>(this.#env.core, handle.codecs, {
      bounds,
      open: () => {
        this.#hasRead = true;
        return new RangeCursor(this.#env.core, handle.tree, { ...bounds, limit: Infinity }, this, check);
      },
      overlay: () => this.#open().writes.overlay(handle.id, bounds.lower, bounds.upper),
      merged: (key, merge) => this.#merged(handle, key, merge),
      note: () => {
        if (this.isolation !== 'serializable') return undefined;
        const read = { tree: handle.tree, lower: bounds.lower, upper: bounds.upper, isNothing: false };
        this.#open().reads.addRange(read);
        return read;
      },
      check,
    });
  }

  async getForUpdate<K, V>(keyspace: Keyspace<K, V>, key: K): Promise<V | undefined> {
    this.#open();
    const handle = this.#handle(keyspace);
    const bytes = cloneOf(handle.encodeKey(key));
    const wait = this.#lock(handle.tree, bytes, undefined);
    if (wait !== undefined) await wait;
    this.#open();
    this.#catchUp(() => spanChangedSince(handle.tree, bytes, undefined, this.#sequence));
    return this.get(keyspace, key);
  }

  async lockRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): Promise<void> {
    this.#open();
    const handle = this.#handle(keyspace);
    const ends = handle.encodeDeleteRange(range);
    if (ends === undefined) return;
    const from = cloneOf(ends.from);
    const to = cloneOf(ends.to);
    const wait = this.#lock(handle.tree, from, to);
    if (wait !== undefined) await wait;
    this.#open();
    this.#catchUp(() => spanChangedSince(handle.tree, from, to, this.#sequence));
  }

  put<K, V>(keyspace: Keyspace<K, V>, key: K, value: V, options?: PutOptions): void {
    this.#open();
    const handle = this.#handle(keyspace);
    checkPutOptions(options, false);
    const k = handle.encodeKey(key);
    const v = handle.encodeValue(value);
    const ttlMs = handle.ttlOf(options);
    // Encoders are user code: they may have ended it.
    const { writes } = this.#open();
    if (ttlMs === undefined) writes.add(KIND_PUT, handle.id, k, v);
    else writes.add(KIND_PUT_EXPIRY, handle.id, k, withTtl(v, ttlMs));
  }

  delete<K, V>(keyspace: Keyspace<K, V>, key: K): void {
    const handle = this.#handle(keyspace);
    const bytes = handle.encodeKey(key);
    this.#open().writes.add(KIND_DELETE, handle.id, bytes, EMPTY);
  }

  deleteRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): void {
    this.#open();
    const handle = this.#handle(keyspace);
    const ends = handle.encodeDeleteRange(range);
    if (ends !== undefined) this.#open().writes.add(KIND_RANGE_DELETE, handle.id, ends.from, ends.to);
  }

  merge<K, V>(keyspace: Keyspace<K, V>, key: K, operand: V, options?: undefined): void {
    const handle = this.#handle(keyspace);
    const k = handle.encodeKey(key);
    const list = handle.encodeOperand(operand, options);
    this.#open().writes.add(KIND_MERGE, handle.id, k, list);
  }

  savepoint(): Savepoint {
    const { writes } = this.#open();
    this.#savepoints ??= new Savepoints(this);
    return this.#savepoints.make(writes.mark());
  }

  rollbackTo(savepoint: Savepoint): void {
    const { writes } = this.#open();
    this.#savepoints ??= new Savepoints(this);
    writes.rewind(this.#savepoints.backTo(savepoint));
  }

  commit(): number;
  commit(wait: { durability: Durability }): Promise<number>;
  commit(wait?: { durability: Durability }): number | Promise<number> {
    if (wait === undefined) return this.#commit();
    return this.#commitAwaited(wait);
  }

  async prepare(id: string, wait: { durability: Durability } = { durability: 'disk' }): Promise<number> {
    checkWait(wait);
    const { writes, reads } = this.#open();
    const { prepared, core } = this.#env;
    prepared.checkNew(id);
    let sequence: number;
    try {
      sequence = prepared.prepare(id, {
        owner: (this.#owner ??= { id: this.id }),
        batch: writes.batch,
        reads: () => (this.isolation === 'serializable' ? reads.spans() : []),
        validate: () => this.#validate(),
      });
    } catch (error) {
      this.rollback();
      throw error;
    }
    this.#end('prepare', 0);
    return reach(core, wait.durability, sequence);
  }

  rollback(): void {
    if (this.#large !== undefined) this.stop(this.#ended('rollback'));
    else if (this.#sets !== undefined) this.#end('rollback', 0);
  }

  /** Rolls back; who waits for its commit gets the error, unless it is committed by now. */
  stop(error: Error): void {
    if (this.#large === undefined) this.rollback();
    else this.#large.stop(error);
  }

  [Symbol.dispose](): void {
    this.rollback();
  }

  close(): void {
    this.rollback();
  }

  async #commitAwaited(wait: { durability: Durability }): Promise<number> {
    checkWait(wait);
    const sequence = await this.commitPaced();
    return reach(this.#env.core, wait.durability, sequence);
  }

  /** As `commit`, which under pressure waits its turn as other awaited writes do and does not hold the thread. */
  commitPaced(giveUp?: Promise<never>): number | Promise<number> {
    const { pressure, pipeline, owner } = this.#env.core;
    const { batch, count } = this.#open().writes;
    if (owner !== undefined && pipeline.isLarge(batch)) return this.#commitLarge(owner, giveUp);
    if (count === 0 || !pressure.isTight) return this.#commit();
    pipeline.checkWritable(batch.length);
    return pressure.paced(batch.length, giveUp, () => this.#commit());
  }

  #commit(): number {
    const { writes } = this.#open();
    const { core } = this.#env;
    if (writes.count === 0) {
      core.state.checkOpen();
      this.#end('commit', 0);
      return this.#sequence;
    }
    checkSize(core, writes.batch);
    let sequence: number;
    try {
      sequence = core.pipeline.commitIf(writes.batch, () => this.#validate());
    } catch (error) {
      // What a conflict or a full disk refused is not there: nothing of it is kept.
      this.rollback();
      throw error;
    }
    this.#end('commit', sequence);
    return sequence;
  }

  async #commitLarge(owner: Core, giveUp: Promise<never> | undefined): Promise<number> {
    const { batch } = this.#open().writes;
    const large = new LargeCommit(owner, batch, () => this.#validate());
    this.#large = large;
    let sequence = 0;
    try {
      sequence = await large.commit(giveUp);
      this.#env.wasLarge();
    } finally {
      this.#large = undefined;
      this.#end(sequence > 0 ? 'commit' : 'rollback', sequence);
    }
    return sequence;
  }

  /** With the write lock. @throws conflict `KEY_LOCKED`, `TRANSACTION_CONFLICT` */
  #validate(): void {
    const { state } = this.#env.core;
    const { sequence } = this;
    const { writes, reads } = this.#sets!;
    this.#env.locks.checkBatch(this.#owner, writes.batch);
    reads.checkTrees();
    if (state.visible !== sequence) {
      const conflict = writes.changedSince(state.trees, sequence) ?? reads.changedSince(sequence);
      if (conflict !== undefined) throw this.#conflict(conflict);
    }
    const expired = reads.mayExpire(state) ? reads.expiredSince(this, state.time.now()) : undefined;
    if (expired !== undefined) throw this.#conflict(expired);
  }

  /** After a lock was taken: nobody writes there any more, but somebody may have. Where nothing was read the point moves on. */
  #catchUp(changed: () => Conflict | undefined): void {
    const { core } = this.#env;
    if (core.state.visible === this.#sequence) return;
    const conflict = core.state.entered(changed);
    if (conflict === undefined) return;
    if (this.#hasRead) throw this.#conflict(conflict);
    const { register } = core;
    const { sequence, time } = this;
    this.#sequence = register.addVisible();
    this.#time = register.time;
    register.remove(sequence, time);
  }

  #conflict(conflict: Conflict): VarveError {
    this.#env.conflicted();
    return transactionConflict(this.id, conflict, this.#env.committedBy(conflict.sequence ?? -1));
  }

  #lock(tree: Tree, from: Uint8Array, to: Uint8Array | undefined): Promise<void> | undefined {
    this.#owner ??= { id: this.id };
    return this.#env.locks.lock(this.#owner, tree.id, from, to, this.#lockTimeoutMs);
  }

  #end(how: 'commit' | 'rollback' | 'prepare', sequence: number): void {
    const sets = this.#sets!;
    this.#sets = undefined;
    this.#endedBy = how;
    const { core, locks } = this.#env;
    if (!core.state.isClosed) core.register.remove(this.#sequence, this.#time);
    if (this.#owner !== undefined && how !== 'prepare') locks.releaseAll(this.#owner);
    this.#env.ended(this, sets, sequence);
  }

  #open(): SetPair {
    const sets = this.#sets;
    if (sets !== undefined && this.#large === undefined) return sets;
    this.#env.core.state.checkOpen();
    throw this.#ended(this.#endedBy ?? 'commit');
  }

  #ended(endedBy: string): VarveError {
    const message = `transaction ${this.id} has ended by ${endedBy}`;
    return invalid('TRANSACTION_ENDED', message, { transaction: this.id, endedBy });
  }

  #handle<K, V>(keyspace: Keyspace<K, V>): KeyspaceHandle<K, V> {
    return KeyspaceHandle.of(keyspace, this.#env.core);
  }

  /** It reads the key at its point. */
  #noteKey(handle: { readonly tree: Tree }, key: Uint8Array): void {
    this.#hasRead = true;
    if (this.isolation === 'serializable') this.#sets!.reads.addKey(handle.tree, key);
  }

  #merged(handle: { readonly tree: Tree }, key: Uint8Array, merge: OwnMerge): Uint8Array {
    return ownMergedValue(this.#env.core, handle.tree, key, merge, () => {
      this.#noteKey(handle, key);
      return this;
    });
  }

  #own<K, V>(handle: KeyspaceHandle<K, V>, operation: number): V | undefined {
    const { writes } = this.#sets!;
    const bytes = ownValue(writes, operation, (key, merge) => this.#merged(handle, key, merge));
    return bytes && decodeValue(handle.codecs.value, bytes, 0, bytes.length);
  }
}
