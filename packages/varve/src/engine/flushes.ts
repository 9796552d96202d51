/**
 * Flushes: gives waiting memtables to jobs and installs the tables that come of them.
 *
 * A flush of one keyspace is installed by one edit; where many small ones wait, some hundreds share one. With an outside log
 * all keyspaces rotate and flush together and one edit carries all tables and the applied position, so that the position is
 * never ahead of or behind the data. The memtables stay until their tables are installed: what ends with a full disk or a
 * lost thread is tried again. Owner's thread.
 */
import type { FlushInput } from '../compaction/flush-job.ts';
import type { JobOutput } from '../compaction/job.ts';
import { JobProgress } from '../compaction/job-progress.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import { isLost, LOST_MAX } from './compactions/failures.ts';
import type { Core } from './core.ts';
import { isDiskFull } from './durability.ts';
import { flushSettings } from './job-input.ts';
import { modulesOf } from './merging/code-modules.ts';
import { jobCode, tellProblems } from './merging/job-code.ts';
import type { Tree } from './tree.ts';

const RETRY_MS = 250;
/** Of more than so many trees that wait for their flush, small ones share an edit: installing one costs time for each keyspace. */
const FLUSHED_ALONE_MAX = 16;
const FLUSHED_TOGETHER_MAX = 256;
const SMALL_BYTES = 64 * 1024;

interface FlushPart {
  readonly tree: Tree;
  readonly count: number;
  readonly through: number;
  /** Versions of a key that it was to keep. */
  readonly versions: number;
  output: JobOutput | undefined;
}

export class Flushes {
  readonly #core: Core;
  readonly #installed: () => void;
  readonly #remove: (tables: readonly number[], blobs: readonly number[]) => void;
  #isStopped = false;
  #isRetrying = false;
  /** Threads that were lost in a row. */
  #lost = 0;

  /** @param remove removes tables and blob files that nobody will name */
  constructor(
    core: Core,
    installed: () => void,
    remove: (tables: readonly number[], blobs: readonly number[]) => void,
  ) {
    this.#core = core;
    this.#installed = installed;
    this.#remove = remove;
  }

  /** The last one failed and is tried again after a while. */
  get isRetrying(): boolean {
    return this.#isRetrying;
  }

  /** Starts all that are due. */
  schedule(): void {
    if (this.#core.log === undefined) this.#flushTogether();
    else this.#flushWaiting();
  }

  stop(): void {
    this.#isStopped = true;
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
      const { floor, registered, time, versions } = core.history.readersFor(tree);
      const part: FlushPart = { tree, count: memtables.length, through, versions, output: undefined };
      parts.push(part);
      const progress = JobProgress.memory();
      const input: FlushInput = {
        directory: core.state.path,
        keyspace: tree.id,
        memtables: memtables.map((memtable) => memtable.handle()),
        table: flushSettings(tree),
        registered,
        historyFloor: floor,
        readerTime: time,
        versions,
        nothingBelow: tree.view.version.levels.every((files) => files.length === 0),
        fileNumbers: core.fileNumbers,
        newestTime: core.state.time.now(),
        code: jobCode(core, tree, false),
        progress,
      };
      const request = { lane: 'flush' as const, name: 'flush', input, ...modulesOf(input.code) };
      core.runner.start(request, (outcome) => {
        if (outcome.ok) part.output = outcome.output as JobOutput;
        else failure ??= outcome.error;
        if (!outcome.ok && isLost(outcome.error)) {
          // Of which kind each is, only the thread knew.
          const created = new JobProgress(progress).created();
          this.#remove(created, created);
        }
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
    // Meanwhile a keyspace is to keep more than a job has kept: it is made again.
    const isTooLittle = parts.some(({ tree, versions }) => core.history.versionsOf(tree.id) > versions);
    if (failure !== undefined || isTooLittle || this.#isStopped) {
      for (const part of parts) {
        part.tree.flushEnded();
        if (part.output !== undefined) this.#removeOutput(part.output);
      }
      if (this.#isStopped) return;
      if (failure === undefined) core.background.schedule();
      else this.#flushFailed(failure);
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
    this.#lost = 0;
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
        core.background.wake();
        return;
      }
      for (const part of live) {
        if (part.tree.isDropped) {
          part.tree.flushEnded();
          continue;
        }
        part.tree.installFlush(part.count, core.installer.current.keyspaces.get(part.tree.id)!);
        const { files, bytesWritten, entriesOut, problems } = part.output!;
        tellProblems(core.events, part.tree, problems);
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

  /** The memtables are still there: what ended with the disk or with its thread is tried again. */
  #flushFailed(error: unknown): void {
    const isAgain = isDiskFull(error) || (isLost(error) && ++this.#lost < LOST_MAX);
    if (!isAgain) {
      this.#core.poison.raise(error);
      return;
    }
    this.#isRetrying = true;
    this.#core.scheduler.after(RETRY_MS, () => {
      this.#isRetrying = false;
      this.#core.background.schedule();
    });
  }

  #removeOutput({ files, blobs }: JobOutput): void {
    this.#remove(
      files.map((file) => file.number),
      blobs.map((blob) => blob.number),
    );
  }
}
