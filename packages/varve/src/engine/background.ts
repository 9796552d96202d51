/**
 * Decides what runs behind the user's back: which memtables rotate, which trees flush, which compaction comes next, and
 * what happens with the outcome. The work itself is in jobs (compaction/), the decision which files in pickers (pure).
 *
 * A flush of one keyspace is installed by one edit; where many small ones wait, some hundreds share one. With an outside log
 * all keyspaces rotate and flush together and one edit carries all tables and the applied position, so that the position is
 * never ahead of or behind the data.
 * Nothing here awaits: outcomes arrive as calls on the owner's thread, between two operations of the user.
 */
import { blobName, tableName, inDirectory } from '../fs/file-names.ts';
import type { FlushInput } from '../compaction/flush-job.ts';
import type { JobOutput } from '../compaction/job.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import type { Version } from '../manifest/version.ts';
import { isDiskFull } from './durability.ts';
import type { BackgroundWork, Core } from './core.ts';
import { Care } from './compactions/care.ts';
import { CompactionRunner } from './compactions/compaction-runner.ts';
import { flushSettings } from './job-input.ts';
import { level0FilesMax } from './level0-files.ts';
import { WRITES_HELD } from './pressure.ts';
import type { Tree } from './tree.ts';

const FULL_RETRY_MS = 250;
/** Memtable memory that comes or goes between two looks at the memory budget. */
const LOOK_BYTES = 1024 * 1024;
/** Share of the write-buffer budget from which on a flush will come soon. */
const PREPARE_SHARE = 1 / 8;
/** Of more than so many trees that wait for their flush, small ones share an edit: installing one costs time for each keyspace. */
const FLUSHED_ALONE_MAX = 16;
const FLUSHED_TOGETHER_MAX = 256;
const SMALL_BYTES = 64 * 1024;
/** When the largest memtable is a smaller part of the budget than this, many are rotated at once. */
const LARGE_PART = 1 / 64;

interface FlushPart {
  readonly tree: Tree;
  readonly count: number;
  readonly through: number;
  output: JobOutput | undefined;
}

export class Background implements BackgroundWork {
  readonly #core: Core;
  readonly compactions: CompactionRunner;
  readonly care: Care;
  #retrying = false;
  #stopped = false;
  #flushed: (() => void)[] = [];
  #level0FilesMax = 0;
  #areWritesHeld = false;
  #poolBytesSeen = 0;
  #poolBytesLooked = 0;

  constructor(core: Core) {
    this.#core = core;
    this.care = new Care(core);
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
    if (this.#stopped || this.#core.poison.raised || this.#retrying || this.#core.options.readOnly) return;
    if (this.#core.log === undefined) this.#flushTogether();
    else this.#flushWaiting();
    this.compactions.schedule();
  }

  #flushWaiting(): void {
    const waiting: Tree[] = [];
    for (const tree of this.#core.state.trees.values())
      if (tree.view.immutables.length > 0 && tree.flushing === 0) waiting.push(tree);
    const small: Tree[] = [];
    for (const tree of waiting) {
      if (waiting.length > FLUSHED_ALONE_MAX && tree.memtableBytes <= SMALL_BYTES) small.push(tree);
      else this.#flush([tree], undefined);
    }
    for (let at = 0; at < small.length; at += FLUSHED_TOGETHER_MAX)
      this.#flush(small.slice(at, at + FLUSHED_TOGETHER_MAX), undefined);
  }

  /** Resolves when every write up to now is in tables. */
  async flush(): Promise<void> {
    const { state, runner } = this.#core;
    this.rotateAll();
    const through = state.visible;
    runner.hold();
    try {
      this.schedule();
      while (this.#unflushed(through)) {
        this.#core.poison.check();
        state.checkOpen();
        await new Promise<void>((resolve) => this.#flushed.push(resolve));
      }
    } finally {
      runner.unhold();
    }
  }

  stop(): void {
    this.#stopped = true;
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
    return rotated;
  }

  #flushTogether(): void {
    const trees = [...this.#core.state.trees.values()].filter((tree) => tree.view.immutables.length > 0);
    if (trees.length === 0 || trees.some((tree) => tree.flushing > 0)) return;
    this.#flush(trees, this.#core.external.takeForFlush());
  }

  #flush(trees: readonly Tree[], position: number | undefined): void {
    const core = this.#core;
    const started = core.clock.monotonic();
    const parts: FlushPart[] = [];
    let left = trees.length;
    let failure: unknown;
    for (const tree of trees) {
      const { memtables, through } = tree.takeForFlush();
      const part: FlushPart = { tree, count: memtables.length, through, output: undefined };
      parts.push(part);
      const { floor, registered, time } = core.register.forJob();
      const input: FlushInput = {
        directory: core.state.path,
        keyspace: tree.id,
        memtables: memtables.map((memtable) => memtable.handle()),
        table: flushSettings(tree),
        registered,
        historyFloor: floor,
        readerTime: time,
        nothingBelow: tree.view.version.levels.every((files) => files.length === 0),
        fileNumbers: core.fileNumbers,
        newestTime: core.state.time.now(),
      };
      core.runner.start({ lane: 'flush', name: 'flush', input }, (outcome) => {
        if (outcome.ok) part.output = outcome.output as JobOutput;
        else failure ??= outcome.error;
        if (--left === 0) this.#flushDone(parts, position, started, failure);
      });
    }
  }

  #flushDone(
    parts: readonly FlushPart[],
    position: number | undefined,
    started: number,
    failure: unknown,
  ): void {
    const core = this.#core;
    if (failure !== undefined || this.#stopped) {
      for (const part of parts) {
        part.tree.flushEnded();
        if (part.output !== undefined) this.#removeOutput(part.output);
      }
      if (!this.#stopped) this.#flushFailed(failure);
      return;
    }
    const live = parts.filter((part) => !part.tree.isDropped);
    for (const part of parts) {
      if (part.tree.isDropped) {
        part.tree.flushEnded();
        this.#removeOutput(part.output!);
      }
      core.counters.flush += part.output!.bytesWritten;
    }
    const flushed = new Map(live.map((part) => [part.tree, part.count]));
    const edit = (): VersionEdit => ({
      addedFiles: live.flatMap((part) =>
        part.output!.files.map((file) => ({ keyspace: part.tree.id, level: 0, file })),
      ),
      addedBlobs: live.flatMap((part) =>
        part.output!.blobs.map((blob) => ({ keyspace: part.tree.id, blob })),
      ),
      flushedSequence: live.map((part) => ({ keyspace: part.tree.id, sequence: part.through })),
      ...core.editFacts(flushed),
      ...(position === undefined ? {} : { appliedPosition: position }),
    });
    core.installer.install(edit, (error) => {
      if (error !== undefined) {
        this.wake();
        return;
      }
      for (const part of live) {
        if (part.tree.isDropped) {
          part.tree.flushEnded();
          continue;
        }
        part.tree.installFlush(part.count, core.installer.current.keyspaces.get(part.tree.id)!);
        const { files, bytesWritten, entriesOut } = part.output!;
        core.events.emit('flush', () => ({
          keyspace: part.tree.name,
          files: files.length,
          bytes: bytesWritten,
          entries: entriesOut,
          ms: core.clock.monotonic() - started,
        }));
      }
      this.#installed();
    });
  }

  #flushFailed(error: unknown): void {
    if (!isDiskFull(error)) {
      this.#core.poison.raise(error);
      return;
    }
    this.#retrying = true;
    this.#core.scheduler.after(FULL_RETRY_MS, () => {
      this.#retrying = false;
      this.schedule();
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
    return this.#areWritesHeld ? WRITES_HELD : this.#level0FilesMax;
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
    this.#level0FilesMax = level0FilesMax(version, this.#core.state.trees, (tree) =>
      this.compactions.failureOf(tree),
    );
  }

  #remove(tables: readonly number[], blobs: readonly number[]): void {
    const names = [...tables.map(tableName), ...blobs.map(blobName)];
    this.#core.removeFiles(names.map((name) => inDirectory(this.#core.state.path, name)));
  }

  /** What a job has written and nobody will name. */
  #removeOutput({ files, blobs }: JobOutput): void {
    this.#remove(
      files.map((file) => file.number),
      blobs.map((blob) => blob.number),
    );
  }
}
