/**
 * The owner's side of a shared database: moves what threads share into shared memory, answers what they ask, publishes new
 * versions, and clears up after threads that are gone.
 *
 * Made by the first `db.share()`; before that nothing of sharing exists. The owner goes on as before, through the same code:
 * it opens the database for itself as slot 0, and the state, the log, the trees, the register and the cache each take their
 * shared form (their `share` methods). Owner's thread only.
 */
import { randomUUID } from 'node:crypto';
import { threadId } from 'node:worker_threads';
import { invalid, VarveError } from '../../base/errors.ts';
import type { Timer } from '../../runtime/scheduler.ts';
import { encodeIngestion } from '../../manifest/ingestion.ts';
import { packError, reviveError, type TransferredError } from '../../workers/error-transfer.ts';
import { SharedTail } from '../../wal/shared-tail.ts';
import type { OpenReport, ThreadStats } from '../api-types.ts';
import type { Core } from '../core.ts';
import type { OwnerSharing } from '../state.ts';
import type { Tree } from '../tree.ts';
import { CacheAccess } from './cache-access.ts';
import {
  ASKED,
  CACHE_LOCK,
  CONTROL_WORDS,
  EPOCH,
  FEED_WAITS,
  FLAG_CLOSED,
  FLAG_POISONED,
  FLAGS,
  LEVEL0_FILES,
  MANIFEST_BYTES,
  MEMTABLE_KIB_MAX,
  PROGRESS,
  SLOT_PIN,
  SLOT_WAITS,
  slotAt,
  SWEEP_DUE,
  WRITE_LOCK,
} from './control-words.ts';
import { KEYSPACE_WORDS, KeyspaceWords } from './keyspace-words.ts';
import { LOCK_WORDS, LockRecords, repairLocks } from './lock-records.ts';
import { redo } from './redo.ts';
import { type Asker, RequestServer } from './requests.ts';
import { Retired } from './retired.ts';
import { storeSequence } from './sequence-words.ts';
import { type ShareData, shareData, sharedOptions } from './share-handle.ts';
import { checkShareable } from './shareable.ts';
import { SharedAhead } from './shared-ahead.ts';
import { SharedLock } from './shared-lock.ts';
import { clearRegister, REGISTER_WORDS, SharedRegister } from './shared-register.ts';
import { CLOCK_BYTES } from '../stored-clock.ts';
import { SharedViews } from './shared-views.ts';
import { ThreadAccess } from './thread-access.ts';
import {
  claimSlot,
  freeSlot,
  generationOf,
  isLeft,
  isSlotDead,
  openFilesShare,
  OWNER_SLOT,
  takenSlots,
} from './thread-slots.ts';

/** How often the owner looks for threads that are gone; of THOROUGH_LOOKS one also notices a number that was given to another. */
const REAP_MS = 100;
const THOROUGH_LOOKS = 10;

/** What attached threads ask for; the names are those of the requests. */
export type OwnerRequests = Readonly<Record<string, (input: never, from: Asker) => unknown>>;

export interface OwnerParts {
  readonly path: string;
  readonly recovered: OpenReport;
  readonly requests: OwnerRequests;
  /** A thread is gone that has the slot still. */
  gone(slot: number): void;
  /** A thread that has asked for something has no slot any more (`Asker.thread`): it is gone, or has closed the database. */
  left(thread: string): void;
}

export class SharedOwner implements OwnerSharing {
  readonly #core: Core;
  readonly #control: Int32Array;
  readonly #register: Int32Array;
  readonly #rows: KeyspaceWords;
  readonly #tail: SharedTail;
  readonly #access: ThreadAccess;
  readonly #views: SharedViews;
  readonly #retired: Retired;
  readonly ahead: SharedAhead;
  readonly #server: RequestServer;
  readonly #parts: OwnerParts;
  readonly handle: ShareData;
  readonly locks: LockRecords;
  #timer: Timer | undefined;
  #looks = 0;
  /** When, by the monotonic clock. */
  #lookedAt = 0;
  #isClosed = false;

  constructor(core: Core, parts: OwnerParts) {
    checkShareable(core);
    this.#core = core;
    this.#parts = parts;
    const memory = (words: number): SharedArrayBuffer => new SharedArrayBuffer(4 * words);
    const control = memory(CONTROL_WORDS);
    const register = memory(REGISTER_WORDS);
    const rows = memory(KEYSPACE_WORDS);
    const locks = memory(LOCK_WORDS);
    this.#control = new Int32Array(control);
    this.#register = new Int32Array(register);
    this.#rows = new KeyspaceWords(this.#control, new Int32Array(rows));
    this.#tail = new SharedTail();
    Atomics.store(this.#control, EPOCH, 1);
    this.feedWaits(); // Also for one that waits already.
    claimSlot(this.#control, threadId);
    this.locks = new LockRecords(this.#control, locks, OWNER_SLOT);
    const log = core.log!;
    // Before anything is shared: what can fail is this.
    log.begin();
    log.syncNow();
    const id = randomUUID();
    this.#access = new ThreadAccess(this.#control, OWNER_SLOT, {
      flagged: (flags) => this.#flagged(flags),
      follow: () => this.#follow(),
      load: () => log.load(),
      repair: () => this.#repair(),
    });
    this.#retired = new Retired(this.#control, core.scheduler, () => this.#hasRetired());
    this.#views = new SharedViews(core.pool, this.#rows, this.#access, (free) => this.#retired.add(free));
    this.ahead = new SharedAhead(this.#access, core.pool, (free) =>
      this.#retired.add(() => this.#access.exclusive(free)),
    );
    const { ahead } = core.installer;
    if (ahead !== undefined) {
      this.ahead.prepare(encodeIngestion(ahead), ahead.ingestedSequence[0]!.sequence);
      this.ahead.show();
    }
    storeSequence(this.#control, MANIFEST_BYTES, core.installer.manifestBytes);
    Atomics.store(this.#control, LEVEL0_FILES, core.background.level0FilesMax);
    this.memtableLimitChanged(core.memory.split.memtables);
    const { visible } = core.state;
    log.writer.lastTime = Math.max(log.writer.lastTime, core.pipeline.lastTime);
    log.share(this.#tail);
    core.state.share(this.#access);
    const time = new SharedArrayBuffer(CLOCK_BYTES);
    core.state.time.share(time);
    core.tables.openFilesMax = () => openFilesShare(this.#control, core.options.openFilesMax);
    core.state.visible = visible;
    core.register.share(new SharedRegister(this.#control, this.#register, OWNER_SLOT, core.state.time));
    core.cache.share(new CacheAccess(this.#control, OWNER_SLOT));
    for (const tree of core.state.trees.values()) this.addTree(tree);
    this.#server = new RequestServer(id, this.#control, (...asked) => this.#answer(...asked));
    this.handle = shareData({
      id,
      process: process.pid,
      ownerThread: threadId,
      path: parts.path,
      directory: core.state.path,
      control,
      register,
      rows,
      locks,
      time,
      pool: core.pool.handle(),
      cache: core.cache.handle(),
      log: log.handle(this.#tail),
      fileNumbers: core.fileNumbers,
      manifest: core.installer.manifestNumber,
      options: sharedOptions(core.options),
      recovered: parts.recovered,
    });
    core.events.forward = (name, detail) => this.#tellAll('event', { name, detail });
    this.#lookLater();
  }

  #hasRetired(): void {
    this.#core.pressure.relieved();
    this.progress();
  }

  /** Who has the database open, the owner first, and what each keeps from being given back. */
  threads(): ThreadStats[] {
    return this.#core.register.shared!.heldByThreads().map(({ slot, ...held }) => ({
      ...held,
      isOwner: slot === OWNER_SLOT,
      isReading: Atomics.load(this.#control, slotAt(slot) + SLOT_PIN) !== 0,
    }));
  }

  /** A keyspace that other threads are to find. */
  addTree(tree: Tree): void {
    this.#core.state.exclusive(() => tree.share(this.#views));
    this.flushSizeChanged(tree);
    this.ttlChanged(tree);
  }

  /** At how many bytes a memtable is to be rotated. */
  flushSizeChanged(tree: Tree): void {
    this.#rows.setMemtableBytes(tree.id, tree.flushBytes);
  }

  /** How long puts live that do not say it themselves. */
  ttlChanged(tree: Tree): void {
    this.#rows.setTtl(tree.id, tree.settings.ttlMs);
  }

  /** How many bytes all memtables together may have. */
  memtableLimitChanged(bytes: number): void {
    Atomics.store(this.#control, MEMTABLE_KIB_MAX, Math.floor(bytes / 1024));
  }

  /** A new version is durable and current: the others find it in the manifest, up to where it is written now. */
  installed(): void {
    const { installer } = this.#core;
    this.level0FilesChanged();
    this.#access.exclusive(() =>
      this.#access.changeViews(() => {
        storeSequence(this.#control, MANIFEST_BYTES, installer.manifestBytes);
        if (installer.ahead === undefined) this.ahead.hide();
      }),
    );
  }

  level0FilesChanged(): void {
    Atomics.store(this.#control, LEVEL0_FILES, this.#core.background.level0FilesMax);
  }

  /** Runs `free` once no thread can be reading what it gives back. */
  retire(free: () => void): void {
    this.#retired.add(free);
  }

  /** Memory came free, or something ended that writes wait for. */
  progress(): void {
    Atomics.add(this.#control, PROGRESS, 1);
    Atomics.notify(this.#control, PROGRESS);
    for (const slot of takenSlots(this.#control)) {
      if (Atomics.exchange(this.#control, slotAt(slot) + SLOT_WAITS, 0) === 0) continue;
      this.#server.notify(slot, generationOf(this.#control, slot), 'progress', undefined);
    }
  }

  feedWaits(): void {
    Atomics.store(this.#control, FEED_WAITS, 1);
  }

  /** Answers what was asked, in the middle of the owner's own work: nobody waits for a turn of its event loop. */
  serve(): void {
    this.#server.serve();
    // Also of a thread that died before it could send its request.
    if (Atomics.load(this.#control, ASKED) !== 0) this.#asked();
    if (this.#retired.isEmpty) return;
    if (this.#retired.collect()) this.#hasRetired();
    else if (this.#core.clock.monotonic() - this.#lookedAt > REAP_MS) this.#look();
  }

  /** The database accepts no writes any more, for this cause. */
  poisoned(cause: unknown): void {
    Atomics.or(this.#control, FLAGS, FLAG_POISONED);
    this.#tellAll('poisoned', packError(cause));
  }

  /** From here on the others' calls throw `CLOSED`. What they have begun under the lock is finished when this returns. */
  closing(): void {
    Atomics.or(this.#control, FLAGS, FLAG_CLOSED);
    this.#tellAll('closed', undefined);
    this.progress();
    this.#access.exclusive(() => undefined);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#retired.close();
    this.#server.close();
  }

  #answer(name: string, input: unknown, from: Asker): unknown {
    if (name === 'asked') return this.#asked();
    if (name === 'log-progress') return this.#core.durability!.progressed();
    if (name === 'failed') return this.#core.poison.raise(reviveError(input as TransferredError));
    const request = this.#parts.requests[name];
    if (request === undefined) throw invalid('REQUEST_UNKNOWN', `no request named '${name}'`, { name });
    // Whoever is interrupted by it, and follows what he writes, has not written this.
    return this.#core.pipeline.following(() => request(input as never, from), true);
  }

  /** An attached thread has filled a memtable, the memory or the log. */
  #asked(): void {
    Atomics.store(this.#control, ASKED, 0);
    if (!this.#isClosed) this.#core.background.asked();
  }

  #flagged(flags: number): void {
    const { poison } = this.#core;
    if ((flags & FLAG_POISONED) !== 0 && !poison.raised) {
      poison.raise(new Error('another thread that has the database open could not write the log'));
    }
  }

  /** Attached threads begin memtables for keyspaces that have none; all else the owner does itself. */
  #follow(): boolean {
    for (const tree of this.#core.state.trees.values()) {
      if (!this.#rows.has(tree.id)) continue;
      const active = this.#rows.active(tree.id);
      const { memtable, immutables, version } = tree.view;
      if ((memtable?.descriptor ?? 0) === active) continue;
      tree.show(active === 0 ? undefined : this.#views.attach(active), immutables, version);
    }
    return true;
  }

  /** A writer died in the middle. */
  #repair(): void {
    const log = this.#core.log!;
    log.load();
    this.#access.endChange();
    redo({
      control: this.#control,
      rows: this.#rows,
      pool: this.#core.pool,
      writer: log.writer,
      tail: this.#tail.load(),
    });
    repairLocks(this.handle.locks);
  }

  /** Memory that a dead writer had taken and not used is nobody's: what no memtable holds is free. */
  #sweep(): void {
    this.#access.exclusive(() => {
      this.#retired.collect();
      // What is retired still holds memory that no tree names.
      if (!this.#retired.isEmpty) return;
      Atomics.store(this.#control, SWEEP_DUE, 0);
      const { trees: live, leaving } = this.#core.state;
      const trees = [...live.values(), ...leaving];
      this.#core.pool.sweep([...trees.flatMap((tree) => tree.runs()), ...this.ahead.runs()]);
    });
  }

  #lookLater(): void {
    this.#timer = this.#core.scheduler.after(REAP_MS, () => {
      if (this.#isClosed) return;
      try {
        this.#look();
      } catch (error) {
        // What a dead thread holds could not be taken over just now (no memory for its batch): the next look tries again.
        if (!(error instanceof VarveError) || error.kind !== 'busy') this.#core.poison.raise(error);
      }
      this.#lookLater();
    });
  }

  #look(): void {
    this.#lookedAt = this.#core.clock.monotonic();
    this.#core.history.note();
    // Who set the word may have died before it told.
    if (Atomics.load(this.#control, ASKED) !== 0) this.#asked();
    const left = this.#server.forgetGone((slot, generation) => !isLeft(this.#control, slot, generation));
    for (const thread of left) this.#parts.left(thread);
    const isThorough = ++this.#looks % THOROUGH_LOOKS === 0;
    for (const slot of takenSlots(this.#control)) {
      if (slot !== OWNER_SLOT && isSlotDead(this.#control, slot, isThorough)) this.#reap(slot);
    }
    if (Atomics.load(this.#control, SWEEP_DUE) !== 0) this.#sweep();
  }

  /** A thread is gone: what it held is given up. */
  #reap(slot: number): void {
    // A lock that it holds is taken over, so that no later thread in this slot is taken for its holder.
    if (new SharedLock(this.#control, WRITE_LOCK, OWNER_SLOT).holder === slot) {
      this.#access.exclusive(() => undefined);
    }
    const cacheLock = new SharedLock(this.#control, CACHE_LOCK, OWNER_SLOT);
    if (cacheLock.holder === slot) {
      // Another thread may have inherited it, and given it back, just now.
      const acquired = cacheLock.tryInherit();
      if (acquired === 'inherited') this.#core.cache.startOver();
      if (acquired !== 'busy') cacheLock.release();
    }
    this.#parts.gone(slot);
    clearRegister(this.#control, this.#register, slot);
    freeSlot(this.#control, slot);
    // What it had put into the log's buffer is on no other thread's way to the system.
    this.#core.durability?.handOver();
    if (this.#retired.collect()) {
      this.#core.pressure.relieved();
      this.progress();
    }
  }

  #tellAll(notice: string, detail: unknown): void {
    for (const slot of takenSlots(this.#control)) {
      if (slot === OWNER_SLOT || (notice === 'event' && !this.#server.hears(slot))) continue;
      this.#server.notify(slot, generationOf(this.#control, slot), notice, detail);
    }
  }
}
