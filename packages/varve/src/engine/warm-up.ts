/**
 * Keeps the block cache's working set over a restart: remembers in `CACHE-n` what was in use, at close and at most once a
 * minute meanwhile, and reads those blocks again after the next open, in the background.
 *
 * Reading is done in slices between which the event loop turns, stops after a quarter of a second of work, at three
 * quarters of the cache, and at close. It only ever does what a read would have done: damage that it meets is left for the
 * read that needs the block. While nothing enters the cache no timer runs. Owner's thread.
 */
import { VarveError } from '../base/errors.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { Timer } from '../runtime/scheduler.ts';
import type { CacheWarmUp, Core } from './core.ts';
import {
  blockKey,
  readWorkingSet,
  type RememberInput,
  WORKING_SET_MAX,
  writeWorkingSet,
} from './working-set-file.ts';

const REMEMBER_AFTER_MS = 60_000;
/** What warming may take in all, not counting the pauses. */
const WORK_MS_MAX = 250;
const SLICE_MS = 1;
/** Where the clock stands still, as in a simulation. */
const SLICE_BLOCKS_MAX = 64;
const PAUSE_MS = 1;
const FILLED_MAX = 0.75;

export class WarmUp implements CacheWarmUp {
  readonly #core: Core;
  readonly #isOn: boolean;
  /** Numbers of the files that are there. */
  #files: readonly number[];
  /** What the last open left, as pairs; read up to `#warmed` pairs. */
  #blocks: Uint32Array = new Uint32Array(0);
  #isLoaded = false;
  #warmed = 0;
  #workMs = 0;
  #timer: Timer | undefined;

  constructor(core: Core, files: readonly number[]) {
    this.#core = core;
    this.#files = files;
    // What lies in memory needs no warming; what is never flushed has no blocks.
    this.#isOn = core.fs.name !== 'memory' && core.cache.memory.length > 0;
  }

  /** Begins to read what was in use, later; from then on remembers what is. */
  start(): void {
    if (this.#isOn) this.#after(0, () => this.#begin());
  }

  /** Stops, and remembers for the next open. */
  close(): void {
    this.#timer?.cancel();
    this.#core.cache.onInsert = undefined;
    if (!this.#isOn || this.#core.options.readOnly || this.#core.poison.raised) return;
    const input = this.#remembering();
    if (input === undefined) return;
    try {
      writeWorkingSet(this.#core.fs, input);
    } catch (error) {
      this.#failed(error);
    }
  }

  #after(ms: number, task: () => void): void {
    this.#timer = this.#core.scheduler.after(ms, () => {
      this.#timer = undefined;
      if (!this.#core.state.isClosed) task();
    });
  }

  #begin(): void {
    this.#load();
    this.#slice(this.#warmAll());
  }

  /** Reads what the last open left, once. */
  #load(): void {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    this.#blocks = readWorkingSet(this.#core.fs, this.#core.state.path, this.#files);
  }

  #slice(steps: Generator<void, void>): void {
    const { clock, cache, options, state } = this.#core;
    const started = clock.monotonic();
    let isDone = this.#workMs >= WORK_MS_MAX;
    for (
      let blocks = 0;
      !isDone && blocks < SLICE_BLOCKS_MAX && clock.monotonic() - started < SLICE_MS;
      blocks++
    ) {
      const isFull = cache.bytesUsed >= cache.bytesMax * FILLED_MAX;
      isDone = isFull || state.entered(() => steps.next().done === true);
    }
    this.#workMs += clock.monotonic() - started;
    if (!isDone) this.#after(PAUSE_MS, () => this.#slice(steps));
    else if (!options.readOnly) this.#watch(cache);
  }

  /** Reads all blocks of the file in its order, table by table. */
  *#warmAll(): Generator<void, void> {
    const blocks = this.#blocks;
    for (let at = 0; at < blocks.length; ) {
      const table = blocks[at]!;
      const offsets: number[] = [];
      for (; at < blocks.length && blocks[at]! === table; at += 2) offsets.push(blocks[at + 1]!);
      yield* this.#warmTable(table, offsets);
      this.#warmed += offsets.length;
    }
  }

  /** If the table still lives. It may go while its blocks are read: a closed one can not be read, and enters nothing. */
  *#warmTable(number: number, offsets: readonly number[]): Generator<void, void> {
    const file = liveTables(this.#core).get(number);
    if (file === undefined) return;
    try {
      yield* this.#core.tables.get(file).warm(offsets);
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
    }
  }

  /** A minute after the next block that enters the cache, remembers. */
  #watch(cache: BlockCache): void {
    cache.onInsert = () => {
      cache.onInsert = undefined;
      this.#after(REMEMBER_AFTER_MS, () => this.#remember());
    };
  }

  #remember(): void {
    const { runner, poison, cache, state } = this.#core;
    const input = poison.raised ? undefined : this.#remembering();
    if (input === undefined) return;
    runner.start({ lane: 'care', name: 'remember', input }, (outcome) => {
      if (state.isClosed) return;
      if (!outcome.ok) this.#failed(outcome.error);
      this.#watch(cache);
    });
  }

  /** What to remember, under a fresh number; undefined when nothing was in use. */
  #remembering(): RememberInput | undefined {
    const { cache, state, fileNumbers } = this.#core;
    const blocks = new Uint32Array(WORKING_SET_MAX * 2);
    const used = cache.workingSet(blocks);
    if (used === 0) return undefined;
    this.#load();
    const count = this.#addUnwarmed(blocks, used);
    const number = Number(Atomics.add(new BigInt64Array(fileNumbers), 0, 1n));
    const older = this.#files;
    this.#files = [...older, number];
    return { directory: state.path, number, blocks: blocks.slice(0, count * 2), older };
  }

  /** A database that is open for a moment only must not forget what it had no time to read. */
  #addUnwarmed(blocks: Uint32Array, used: number): number {
    const known = new Set<number>();
    for (let i = 0; i < used; i++) known.add(blockKey(blocks, i));
    const live = liveTables(this.#core);
    let count = used;
    for (let i = this.#warmed; i * 2 < this.#blocks.length && count < WORKING_SET_MAX; i++) {
      if (known.has(blockKey(this.#blocks, i)) || !live.has(this.#blocks[i * 2]!)) continue;
      blocks[count * 2] = this.#blocks[i * 2]!;
      blocks[count * 2 + 1] = this.#blocks[i * 2 + 1]!;
      count++;
    }
    return count;
  }

  #failed(error: unknown): void {
    if (!(error instanceof VarveError)) throw error;
    this.#core.events.emit('warning', () => ({ code: 'CACHE_NOT_REMEMBERED', message: String(error) }));
  }
}

function liveTables(core: Core): Map<number, FileMeta> {
  const live = new Map<number, FileMeta>();
  for (const tree of core.state.trees.values()) {
    for (const files of tree.view.version.levels) for (const file of files) live.set(file.number, file);
  }
  return live;
}
