/**
 * Decides what runs behind the user's back: which memtables rotate, which trees flush, which compaction comes next, and
 * what an installed version sets going. Flushes run in flushes.ts, compactions in compactions/.
 * Nothing here awaits: outcomes arrive as calls on the owner's thread, between two operations of the user.
 */
import { VarveError } from '../base/errors.ts';
import { blobName, tableName, inDirectory } from '../fs/file-names.ts';
import type { Version } from '../manifest/version.ts';
import type { BackgroundWork, Core } from './core.ts';
import { Care } from './compactions/care.ts';
import { CompactionRunner } from './compactions/compaction-runner.ts';
import { Flushes } from './flushes.ts';
import { renewPrepared } from './housekeeping.ts';
import { emptyLevel0, fullestLevel0, type FullLevel0 } from './level0-files.ts';
import { LEVEL0_WAITING_STOP, WRITES_HELD } from './pressure.ts';
import type { Tree } from './tree.ts';

/** Memtable memory that comes or goes between two looks at the memory budget. */
const LOOK_BYTES = 1024 * 1024;
/** Share of the write-buffer budget from which on a flush will come soon. */
const PREPARE_SHARE = 1 / 8;
/** When the largest memtable is a smaller part of the budget than this, many are rotated at once. */
const LARGE_PART = 1 / 64;

export class Background implements BackgroundWork {
  readonly #core: Core;
  readonly compactions: CompactionRunner;
  readonly care: Care;
  readonly #flushes: Flushes;
  #stopped = false;
  #flushed: (() => void)[] = [];
  #level0: FullLevel0 = emptyLevel0;
  #areWritesHeld = false;
  #isRenewing = false;
  #poolBytesSeen = 0;
  #poolBytesLooked = 0;

  constructor(core: Core) {
    this.#core = core;
    this.care = new Care(core);
    this.#flushes = new Flushes(
      core,
      () => this.#installed(),
      (tables, blobs) => this.#remove(tables, blobs),
    );
    this.compactions = new CompactionRunner(
      core,
      this.care,
      () => this.#installed(),
      (tables, blobs) => this.forget(tables, blobs),
    );
  }

  /** After each commit to `touched`: rotates what is over its size or over the common budget, and starts flushes. */
  committed(touched: readonly Tree[]): void {
    const { options, pool, log, runner } = this.#core;
    let rotated = false;
    for (const tree of touched) {
      if (tree.activeBytes < tree.flushBytes || this.#core.memory.mayGrow(tree)) continue;
      this.rotate(tree);
      rotated = true;
    }
    this.care.changed();
    // Memory moves in chunks: only when a chunk was taken can the budget be newly exceeded.
    if (pool.bytesUsed !== this.#poolBytesSeen) {
      this.#poolBytesSeen = pool.bytesUsed;
      const { memory } = this.#core;
      if (Math.abs(pool.bytesUsed - this.#poolBytesLooked) >= LOOK_BYTES) {
        this.#poolBytesLooked = pool.bytesUsed;
        memory.look();
      }
      // The first flush would start its thread just when the writes wait for it.
      if (pool.bytesUsed > memory.split.memtables * PREPARE_SHARE) runner.prepare('flush');
      rotated = this.#rotateLargest(memory.split.memtables) || rotated;
      if (log !== undefined && log.bytes > options.logBytesMax) rotated = this.#releaseLog() || rotated;
    }
    if (rotated) this.schedule();
  }

  /** Another thread has filled a memtable, the memory or the log: rotates what is over its size, and starts flushes. */
  asked(): void {
    const { state, log, options, memory } = this.#core;
    memory.look();
    this.care.changed();
    state.exclusive(() => {
      for (const tree of state.trees.values()) {
        if (tree.activeBytes >= tree.flushBytes && !memory.mayGrow(tree)) this.rotate(tree);
      }
      this.#rotateLargest(memory.split.memtables);
      log?.rotateIfFull();
      if (log !== undefined && log.bytes > options.logBytesMax) this.#releaseLog();
    });
    this.schedule();
  }

  /** The tree's memtable becomes immutable; with an outside log those of all trees do, at the same position. */
  rotate(tree: Tree): void {
    if (this.#core.log === undefined) this.rotateAll();
    else tree.rotate();
  }

  rotateAll(): void {
    for (const tree of this.#core.state.trees.values()) tree.rotate();
    this.#core.external.rotated();
  }

  /** Starts every flush and compaction that is due. */
  schedule(): void {
    const { poison, options } = this.#core;
    if (this.#stopped || poison.raised || this.#flushes.isRetrying || options.readOnly) return;
    this.#flushes.schedule();
    this.compactions.schedule();
  }

  /** Resolves when every write up to now is in tables. `check` throws when nobody waits for it any more; it is asked at each wake. */
  async flush(check?: () => void): Promise<void> {
    const { state, runner } = this.#core;
    this.rotateAll();
    const through = state.visible;
    runner.hold();
    try {
      this.schedule();
      while (this.#unflushed(through)) {
        this.#core.poison.check();
        state.checkOpen();
        check?.();
        await new Promise<void>((resolve) => this.#flushed.push(resolve));
      }
    } finally {
      runner.unhold();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#flushes.stop();
    this.care.stop();
    this.compactions.stop();
    this.wake();
  }

  /** Whoever waits for a flush looks again. */
  wake(): void {
    for (const resolve of this.#flushed.splice(0)) resolve();
    this.compactions.wake();
  }

  get flushPending(): boolean {
    for (const tree of this.#core.state.trees.values()) if (tree.view.immutables.length > 0) return true;
    return false;
  }

  #unflushed(through: number): boolean {
    for (const tree of this.#core.state.trees.values()) {
      const oldest = tree.view.immutables.at(-1);
      if (oldest !== undefined && oldest.firstSequence <= through) return true;
    }
    return false;
  }

  /** A write meets the limit of the write-buffer budget, or it is to be `budget`: what is active and could be flushed is. */
  makeRoom(budget: number = this.#core.memory.split.memtables): void {
    if (this.#rotateLargest(budget)) this.schedule();
  }

  /**
   * Active memtables may take half of the write-buffer budget: past that the largest makes room. Where all are small, one
   * frees next to nothing, and the next write would ask again: then the largest go that make up a quarter of them all.
   */
  #rotateLargest(budget: number): boolean {
    if (this.#core.pool.bytesUsed < budget / 2) return false;
    let active = 0;
    let largest: Tree | undefined;
    for (const tree of this.#core.state.trees.values()) {
      const bytes = tree.activeBytes;
      active += bytes;
      if (largest === undefined || bytes > largest.activeBytes) largest = tree;
    }
    if (largest === undefined || active < budget / 2) return false;
    if (largest.activeBytes >= budget * LARGE_PART) this.rotate(largest);
    else this.#rotateSmall(active / 4);
    return true;
  }

  /** The largest memtables of `bytes` together become immutable. */
  #rotateSmall(bytes: number): void {
    const trees = [...this.#core.state.trees.values()].sort((a, b) => b.activeBytes - a.activeBytes);
    let left = bytes;
    for (const tree of trees) {
      if (left <= 0) return;
      left -= tree.activeBytes;
      this.rotate(tree);
    }
  }

  /** The log is over its size: the trees that hold its oldest segment are flushed, however small. */
  #releaseLog(): boolean {
    const oldest = this.#core.log!.oldest;
    if (oldest === undefined) return false;
    let rotated = false;
    for (const tree of this.#core.state.trees.values()) {
      const unflushed = tree.oldestUnflushed();
      if (unflushed !== undefined && unflushed <= oldest.lastSequence) rotated = tree.rotate() || rotated;
    }
    this.#renewPrepared(oldest.lastSequence);
    return rotated;
  }

  /** Later: this may be the end of a commit. What can not be written now is tried again with the next one. */
  #renewPrepared(through: number): void {
    const { state, scheduler } = this.#core;
    const isDue = [...state.prepared.values()].some(({ sequence }) => sequence <= through);
    if (!isDue || this.#isRenewing) return;
    this.#isRenewing = true;
    scheduler.soon(() => {
      this.#isRenewing = false;
      try {
        renewPrepared(this.#core, through);
      } catch (error) {
        if (!(error instanceof VarveError) || error.kind !== 'busy') this.#core.poison.raise(error);
      }
    });
  }

  /** A new version is in force: what it made free is given back, what waited goes on. */
  #installed(): void {
    this.#core.releaseLog();
    this.#core.ingestions.look();
    this.#core.pressure.relieved();
    this.#core.state.sharing?.progress();
    this.schedule();
    this.care.changed();
    this.wake();
    this.#core.memory.look();
  }

  /** Files that no version names any more: their readers are closed, their blocks leave the cache, they are removed. */
  forget(tables: readonly number[], blobs: readonly number[] = []): void {
    const forget = (): void => {
      for (const number of [...tables, ...blobs]) this.#core.tables.evict(number);
      this.care.live.forget(tables);
      this.#remove(tables, blobs);
    };
    const { sharing } = this.#core.state;
    if (sharing === undefined) forget();
    else sharing.retire(forget);
  }

  /** Most files in level 0 over all keyspaces, not counting what a keyspace is set to gather there beyond the default. */
  get level0FilesMax(): number {
    return this.#areWritesHeld ? WRITES_HELD : this.#level0.files;
  }

  /** Of them, those that no running compaction takes away. */
  get level0Waiting(): number {
    return this.#level0.waiting;
  }

  /** Bytes that can be written until LEVEL0_WAITING_STOP wait, about: what is in memtables will be files as well. */
  get level0Room(): number {
    const { waiting, tree } = this.#level0;
    const fileBytes = tree?.flushBytes ?? this.#core.options.keyspaceDefaults.memtableBytes;
    return (LEVEL0_WAITING_STOP - waiting) * fileBytes - (tree?.memtableBytes ?? 0);
  }

  holdWrites(isHeld: boolean): void {
    this.#areWritesHeld = isHeld;
    this.#core.state.sharing?.level0FilesChanged();
    if (!isHeld) this.#core.pressure.relieved();
    this.#core.state.sharing?.progress();
  }

  /** A new version is current: the views follow it. */
  versionInstalled(version: Version): void {
    this.care.expired.versionInstalled(version);
    this.#lookAtLevel0(version);
  }

  named(tree: Tree): void {
    const { levels } = tree.view.version;
    // With ten thousand keyspaces to name, not all are counted for each.
    if (levels[0]!.length > this.#level0.waiting) this.#lookAtLevel0(this.#core.installer.current);
    if (levels.some((files) => files.length > 0)) this.care.changed();
  }

  /** Compactions have taken files, or given them back. */
  compactionsChanged(): void {
    const { waiting } = this.#level0;
    this.#lookAtLevel0(this.#core.installer.current);
    if (this.#level0.waiting < waiting) this.#core.pressure.relieved();
  }

  #lookAtLevel0(version: Version): void {
    this.#level0 = fullestLevel0(version, this.#core.state.trees, this.compactions);
  }

  #remove(tables: readonly number[], blobs: readonly number[]): void {
    const names = [...tables.map(tableName), ...blobs.map(blobName)];
    this.#core.removeFiles(names.map((name) => inDirectory(this.#core.state.path, name)));
  }
}
