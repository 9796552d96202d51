/**
 * What everything has in common that makes tables of entries on the owner's thread and has them committed (ingest.ts,
 * large-commit.ts): it works in slices between turns of the event loop, can be stopped where it waits, and leaves nothing
 * behind unless it is committed.
 */
import { asError, busy } from '../../base/errors.ts';
import { Deferred } from '../../runtime/deferred.ts';
import type { Core } from '../core.ts';
import { isDiskFull } from '../durability.ts';
import type { CommitRequest, Ingesting, NewTables } from './commit-request.ts';
import type { TableFeed } from './table-feed.ts';

/** Work between two turns of the event loop, at most: milliseconds, looked at every so many steps ... */
const SLICE_MS = 0.5;
const LOOK_STEPS = 32;
/** ... or steps, or bytes, where the clock does not say. */
const SLICE_STEPS = 4096;
const SLICE_BYTES = 1024 * 1024;

export class TablesRun implements Ingesting {
  readonly #core: Core;
  readonly #started: number;
  readonly #ended = new Deferred<void>();
  readonly #feeds: TableFeed[] = [];
  /** Rejects what the run waits for. */
  #interrupt: ((error: Error) => void) | undefined;
  #stopped: Error | undefined;
  #request: CommitRequest | undefined;
  #sliceEnd = 0;
  #sliceSteps = 0;
  #sliceBytes = 0;

  constructor(core: Core) {
    this.#core = core;
    this.#started = core.clock.monotonic();
  }

  /** Resolves when nothing of the run is going on any more. */
  get done(): Promise<void> {
    return this.#ended.promise;
  }

  get isCommitted(): boolean {
    return this.#request !== undefined && this.#request.sequence > 0;
  }

  /** The run ends with `error`; what is committed stays so, and only the waiting ends. */
  stop(error: Error): void {
    this.withdraw();
    this.#stopped ??= error;
    this.#interrupt?.(error);
  }

  /** It is committed by now, or not any more. */
  withdraw(): void {
    if (this.#request !== undefined) this.#core.ingestions.withdraw(this.#request);
  }

  /** @throws what it was stopped with */
  check(): void {
    if (this.#stopped !== undefined) throw this.#stopped;
  }

  /** A feed whose tables go unless they are committed. */
  adds(feed: TableFeed): TableFeed {
    this.#feeds.push(feed);
    return feed;
  }

  /** Runs `step`, which is all of it; `nothing` says of a full disk what is not there. */
  async within<T>(nothing: string, step: () => Promise<T>): Promise<T> {
    const { ingestions } = this.#core;
    ingestions.began(this);
    try {
      return await step();
    } catch (error) {
      this.withdraw();
      // What the log may name is left to the next open, which knows.
      if (!this.isCommitted && this.#request?.mayBeInLog !== true) {
        for (const feed of this.#feeds) await feed.abandon();
      }
      if (isDiskFull(error)) {
        throw busy('DISK_FULL', `the disk is full; ${nothing}`, { reason: 'disk-full' }, error);
      }
      throw asError(error);
    } finally {
      ingestions.ended(this);
      this.#ended.resolve();
    }
  }

  /** Has the tables committed; returns their sequence. `validate` may refuse that in the same step. */
  async commit(tables: readonly NewTables[], validate?: () => void): Promise<number> {
    // Stopped since it was last waited for.
    this.check();
    const request = this.#core.ingestions.request(tables, this.#started, validate);
    this.#request = request;
    try {
      await this.orStopped(request.committed);
    } catch (error) {
      // What is committed is so, whoever stops it.
      if (request.sequence === 0) throw error;
    }
    return request.sequence;
  }

  /** `promise`, unless the run is stopped before. */
  async orStopped<T>(promise: Promise<T>): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#interrupt = reject;
        if (this.#stopped !== undefined) reject(this.#stopped);
        // Also then: nobody else takes what it may reject with.
        promise.then(resolve, reject);
      });
    } finally {
      this.#interrupt = undefined;
    }
  }

  beginSlice(): void {
    this.#sliceEnd = this.#core.clock.monotonic() + SLICE_MS;
    this.#sliceSteps = 0;
    this.#sliceBytes = 0;
  }

  /** Another step of so many bytes was done. */
  worked(bytes: number): void {
    this.#sliceSteps++;
    this.#sliceBytes += bytes;
  }

  /** A promise for a turn of the event loop when the slice is used up. */
  pause(): Promise<void> | undefined {
    const isOver =
      this.#sliceSteps >= SLICE_STEPS ||
      this.#sliceBytes >= SLICE_BYTES ||
      (this.#sliceSteps % LOOK_STEPS === 0 && this.#core.clock.monotonic() >= this.#sliceEnd);
    return isOver ? this.#turn() : undefined;
  }

  async #turn(): Promise<void> {
    await new Promise<void>((resolve) => this.#core.scheduler.soon(resolve));
    this.check();
    this.beginSlice();
  }
}
