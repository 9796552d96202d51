/**
 * The life of a transaction: it begins at a registered point, takes locks, and ends by commit, rollback or prepare. What it reads
 * and writes in between is transaction.ts.
 *
 * It commits its writes as one batch if nothing that it relies on was written meanwhile. What that is depends on the isolation.
 * `snapshot`: the keys that it writes (the first who commits wins). `serializable`: all keys and ranges that it has read as well.
 * When nobody has committed since it began there is nothing to look at, and that is most commits. Locks (locks.ts) keep
 * others from writing; they do not replace the look at what was written before they were taken. What is larger than a batch
 * is committed by tables (engine/ingest/large-commit.ts), if it is awaited.
 *
 * Invariants: (1) between the look and the write nothing is written (`commitIf`). (2) Its sequence is registered from the
 * beginning to the end, which `changed-since` relies on. (3) After its end it holds nothing: no sequence, no locks, no writes.
 */
import { invalid, type VarveError } from '../base/errors.ts';
import type { Core } from '../engine/core.ts';
import { LargeCommit } from '../engine/ingest/large-commit.ts';
import type { Durability } from '../engine/keyspace-types.ts';
import type { ReadPoint } from '../engine/read-point.ts';
import type { Isolation, Savepoint } from '../engine/transaction-types.ts';
import type { Tree } from '../engine/tree.ts';
import { checkDurability, reach } from '../engine/write-wait.ts';
import type { LockOwner } from './lock-book.ts';
import { checkSize, transactionConflict } from './conflict.ts';
import type { Conflict } from './read-set.ts';
import { Savepoints } from './savepoint.ts';
import type { EndedTransaction, SetPair, TransactionEnv } from './transaction-env.ts';

export abstract class TransactionLife implements ReadPoint, EndedTransaction {
  readonly id: number;
  readonly isolation: Isolation;
  /** Somebody is told when it is lost (begun-transactions.ts). */
  isWatched = false;
  protected readonly env: TransactionEnv;
  /** It has read at its point: the point can not move any more. */
  protected hasRead = false;
  readonly #lockTimeoutMs: number;
  #sequence: number;
  #time: number;
  #sets: SetPair | undefined;
  #savepoints: Savepoints | undefined;
  /** Once it has asked for a lock. The table of locks holds it, and not the transaction: a lost one is to be found lost. */
  #owner: LockOwner | undefined;
  /** Its commit waits for its turn: nothing else goes any more. */
  #isWaiting = false;
  /** Tables are being written for its commit: the same. */
  #large: LargeCommit | undefined;
  #endedBy: 'commit' | 'rollback' | 'prepare' | undefined;
  #committedAt = 0;

  constructor(env: TransactionEnv, id: number, isolation: Isolation, lockTimeoutMs: number) {
    const { core } = env;
    core.state.checkOpen();
    this.env = env;
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
    return this.#sets !== undefined && !this.#isCommitting;
  }

  get endedBy(): 'commit' | 'rollback' | 'prepare' | undefined {
    return this.#endedBy;
  }

  /** What `commit` has given; 0 when it has not committed. */
  get committedAt(): number {
    return this.#committedAt;
  }

  savepoint(): Savepoint {
    const { writes } = this.open();
    this.#savepoints ??= new Savepoints(this);
    return this.#savepoints.make(writes.mark());
  }

  rollbackTo(savepoint: Savepoint): void {
    const { writes } = this.open();
    this.#savepoints ??= new Savepoints(this);
    writes.rewind(this.#savepoints.backTo(savepoint));
  }

  commit(): number;
  commit(wait: { durability: Durability }): Promise<number>;
  commit(wait?: { durability: Durability }): number | Promise<number> {
    if (wait === undefined) return this.#commit(this.open());
    return this.#commitAwaited(wait);
  }

  async prepare(id: string, wait: { durability: Durability } = { durability: 'disk' }): Promise<number> {
    checkDurability('prepare', wait);
    const { writes, reads } = this.open();
    const { prepared, core } = this.env;
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

  /** Also one whose commit waits or writes tables, unless it is committed by then: whoever waits for the commit is told. */
  rollback(): void {
    if (this.#large !== undefined) this.stop(this.#ended('rollback'));
    else if (this.#sets !== undefined) this.#end('rollback', 0);
  }

  /** Rolls back; who waits for its commit gets the error, unless it is committed by now. */
  stop(error: Error): void {
    if (this.#large === undefined) this.rollback();
    else this.#large.stop(error);
  }

  close(): void {
    this.rollback();
  }

  /** Ends what was left open; a commit that is under way was not. */
  [Symbol.dispose](): void {
    if (!this.#isCommitting) this.rollback();
  }

  async #commitAwaited(wait: { durability: Durability }): Promise<number> {
    checkDurability('commit', wait);
    const sequence = await this.commitPaced();
    return reach(this.env.core, wait.durability, sequence);
  }

  /** As `commit`, which under pressure waits its turn as other awaited writes do and does not hold the thread. */
  commitPaced(giveUp?: Promise<never>): number | Promise<number> {
    const { pressure, pipeline, owner } = this.env.core;
    const sets = this.open();
    const { batch, count } = sets.writes;
    if (owner !== undefined && pipeline.isLarge(batch)) return this.#commitLarge(owner, giveUp);
    if (count === 0 || !pressure.isTight) return this.#commit(sets);
    pipeline.checkWritable(batch.length);
    return this.#commitInTurn(sets, giveUp);
  }

  async #commitInTurn(sets: SetPair, giveUp: Promise<never> | undefined): Promise<number> {
    this.#isWaiting = true;
    try {
      return await this.env.core.pressure.paced(sets.writes.batch.length, giveUp, () => {
        if (this.#sets === undefined) throw this.#ended('rollback');
        return this.#commit(sets);
      });
    } catch (error) {
      this.rollback();
      throw error;
    } finally {
      this.#isWaiting = false;
    }
  }

  #commit({ writes }: SetPair): number {
    const { core } = this.env;
    if (writes.count === 0) {
      core.state.checkOpen();
      this.#committedAt = this.#sequence;
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
    this.#committedAt = sequence;
    this.#end('commit', sequence);
    return sequence;
  }

  async #commitLarge(owner: Core, giveUp: Promise<never> | undefined): Promise<number> {
    const { batch } = this.open().writes;
    const large = new LargeCommit(owner, batch, () => this.#validate());
    this.#large = large;
    let sequence = 0;
    try {
      sequence = await large.commit(giveUp);
      this.env.wasLarge();
    } finally {
      this.#large = undefined;
      this.#committedAt = sequence;
      this.#end(sequence > 0 ? 'commit' : 'rollback', sequence);
    }
    return sequence;
  }

  /** With the write lock. @throws conflict `KEY_LOCKED`, `TRANSACTION_CONFLICT` */
  #validate(): void {
    const { state } = this.env.core;
    const { sequence } = this;
    const { writes, reads } = this.#sets!;
    this.env.locks.checkBatch(this.#owner, writes.batch);
    reads.checkTrees();
    if (state.visible !== sequence) {
      const conflict = writes.changedSince(state.trees, sequence) ?? reads.changedSince(sequence);
      if (conflict !== undefined) throw this.#conflict(conflict);
    }
    const expired = reads.mayExpire(state) ? reads.expiredSince(this, state.time.now()) : undefined;
    if (expired !== undefined) throw this.#conflict(expired);
  }

  /** After a lock was taken: nobody writes there any more, but somebody may have. Where nothing was read the point moves on. */
  protected catchUp(changed: () => Conflict | undefined): void {
    const { core } = this.env;
    if (core.state.visible === this.#sequence) return;
    const conflict = core.state.entered(changed);
    if (conflict === undefined) return;
    if (this.hasRead) throw this.#conflict(conflict);
    const { register } = core;
    const { sequence, time } = this;
    this.#sequence = register.addVisible();
    this.#time = register.time;
    register.remove(sequence, time);
  }

  protected lock(tree: Tree, from: Uint8Array, to: Uint8Array | undefined): Promise<void> | undefined {
    this.#owner ??= { id: this.id };
    return this.env.locks.lock(this.#owner, tree.id, from, to, this.#lockTimeoutMs);
  }

  /** What it has read and written, while it is open. @throws invalid `TRANSACTION_ENDED` */
  protected open(): SetPair {
    const sets = this.#sets;
    if (sets !== undefined && !this.#isCommitting) return sets;
    this.env.core.state.checkOpen();
    throw this.#ended(this.#endedBy ?? 'commit');
  }

  get #isCommitting(): boolean {
    return this.#isWaiting || this.#large !== undefined;
  }

  #conflict(conflict: Conflict): VarveError {
    this.env.conflicted();
    return transactionConflict(this.id, conflict, this.env.committedBy(conflict.sequence ?? -1));
  }

  #end(how: 'commit' | 'rollback' | 'prepare', sequence: number): void {
    const sets = this.#sets!;
    this.#sets = undefined;
    this.#endedBy = how;
    const { core, locks } = this.env;
    if (!core.state.isClosed) core.register.remove(this.#sequence, this.#time);
    if (this.#owner !== undefined && how !== 'prepare') locks.releaseAll(this.#owner);
    this.env.ended(this, sets, sequence);
  }

  #ended(endedBy: string): VarveError {
    const message = `transaction ${this.id} has ended by ${endedBy}`;
    return invalid('TRANSACTION_ENDED', message, { transaction: this.id, endedBy });
  }
}
