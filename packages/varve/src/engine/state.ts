/**
 * The words of an open database that every part reads: how far readers may see, which views are current, is it open.
 * One object a thread; in a database that is shared `visible` stands in shared memory and `access` is the way in.
 *
 *   visible     written by the commit pipeline alone, after a batch is in the memtables; read by every reader
 *   generation  raised whenever a read view of this thread is replaced; cursors compare it before they move
 *   versions    raised whenever a keyspace gets other tables
 */
import { type Clock, systemClock } from '../base/clock.ts';
import { closed } from '../base/errors.ts';
import type { LockedKeys } from '../record/prepared.ts';
import type { ThreadStats } from './api-types.ts';
import { VISIBLE } from './sharing/control-words.ts';
import { storeSequence } from './sharing/sequence-words.ts';
import type { ThreadAccess } from './sharing/thread-access.ts';
import { StoredClock } from './stored-clock.ts';
import type { Tree } from './tree.ts';

/** What other threads find of an ingestion that goes ahead of the manifest (sharing/shared-ahead.ts). With the write lock. */
export interface AheadOfManifest {
  /** Makes ready what they find of it; `show` or `forget` comes next. @throws busy `BUSY` */
  prepare(body: Uint8Array, sequence: number): void;
  show(): void;
  forget(): void;
}

/** A transaction that is prepared: its record stands in the log at `sequence`, and has to stay there. */
export interface PreparedState {
  readonly sequence: number;
  /** When it was prepared, milliseconds since 1970; 0 without timestamps. */
  readonly time: number;
  readonly locks: readonly LockedKeys[];
  /** In the form of the log (record/batch.ts). */
  readonly batch: Uint8Array;
}

/** What the parts of the owner's engine tell the threads that have attached its database (sharing/owner.ts). */
export interface OwnerSharing {
  readonly handle: unknown;
  addTree(tree: Tree): void;
  flushSizeChanged(tree: Tree): void;
  ttlChanged(tree: Tree): void;
  memtableLimitChanged(bytes: number): void;
  installed(): void;
  /** How many files in level 0 stop writes, or that writes are held. */
  level0FilesChanged(): void;
  readonly ahead: AheadOfManifest;
  progress(): void;
  /** A change feed waits: other threads tell when more of the log is handed over. */
  feedWaits(): void;
  poisoned(cause: unknown): void;
  retire(free: () => void): void;
  serve(): void;
  threads(): ThreadStats[];
  closing(): void;
  close(): void;
}

export class EngineState {
  readonly path: string;
  /** What expires is judged by it. */
  readonly time: StoredClock;
  #visible = 0;
  #control: Int32Array | undefined;
  #access: ThreadAccess | undefined;
  /** In the owner's thread of a shared database. */
  sharing: OwnerSharing | undefined;
  generation = 0;
  /** How many versions of keyspaces there were since the open: gives each its id. */
  versions = 0;
  isClosed = false;
  /** This thread has met writes that expire, in the log or since. */
  hasExpiring = false;
  /** What ended it, where that was not a call of `close` here. */
  endedBy: Error | undefined;
  /** Open keyspaces by id. */
  readonly trees: Map<number, Tree> = new Map();
  /** Trees that were dropped and whose memtables a running flush still reads. */
  readonly leaving: Set<Tree> = new Set();
  /** Prepared transactions by id. */
  readonly prepared: Map<string, PreparedState> = new Map();
  /** Sequences of keyspace changes that are in the log and not in the manifest yet: replay needs them. */
  readonly pendingChanges: Set<number> = new Set();

  constructor(path: string, clock: Clock = systemClock) {
    this.path = path;
    this.time = new StoredClock(clock);
  }

  get visible(): number {
    return this.#access === undefined ? this.#visible : this.#access.visible;
  }

  set visible(sequence: number) {
    if (this.#control === undefined) this.#visible = sequence;
    else storeSequence(this.#control, VISIBLE, sequence);
  }

  /** Undefined: one thread has the database to itself. */
  get access(): ThreadAccess | undefined {
    return this.#access;
  }

  /** Other threads read and raise `visible` from now on. */
  share(access: ThreadAccess): void {
    this.#access = access;
    this.#control = access.control;
  }

  /** Runs `step` while no other thread changes anything. @throws busy `BUSY` when one does for `waitMs` */
  exclusive<T>(step: () => T, waitMs?: number): T {
    return this.#access === undefined ? step() : this.#access.exclusive(step, waitMs);
  }

  /** Runs a read while nothing that it meets goes away. */
  entered<T>(read: () => T): T {
    const access = this.#access;
    if (access === undefined) return read();
    access.enter();
    try {
      return read();
    } finally {
      access.leave();
    }
  }

  checkOpen(): void {
    if (this.isClosed) throw this.endedBy ?? closed('the database', { path: this.path });
  }
}
