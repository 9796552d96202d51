/**
 * From encoded entries to tables on disk: fills chunks of shared memory on the owner's thread and has a job make tables of each
 * full one, some at a time. What it takes of memory is CHUNKS_MAX chunks, whatever is ingested; feeds that follow one another
 * share them.
 *
 * The tables belong to nobody until their ingestion is in the log: `abandon` removes them, and what a crash leaves of them the
 * next open removes. Owner's thread.
 */
import { cloneOf, cloneRange, copyRange } from '../../base/bytes.ts';
import { ChunkWriter, chunkBytesOf } from '../../compaction/entry-chunk.ts';
import type { IngestInput } from '../../compaction/ingest-job.ts';
import type { JobOutput } from '../../compaction/job.ts';
import { deepestLevelFor } from '../../compaction/placement.ts';
import { inDirectory, tableName } from '../../fs/file-names.ts';
import type { FileMeta } from '../../manifest/file-meta.ts';
import { LEVELS } from '../../manifest/version-edit.ts';
import { levelShape } from '../../compaction/picker-leveled.ts';
import { tableBytesAt } from '../../options/keyspace-settings.ts';
import type { RunningJob } from '../../workers/job-runner.ts';
import { leveledSettings } from '../../compaction/strategy.ts';
import { pickerSettings } from '../compactions/next-plan.ts';
import type { Core } from '../core.ts';
import { tableSettings } from '../job-input.ts';
import type { Tree } from '../tree.ts';

/** One is filled while two are written. */
const CHUNKS_MAX = 3;
/** A table has at most about as many bytes of entries. */
const CHUNK_BYTES_MAX = 16 * 1024 * 1024;

export class TableFeed {
  readonly #core: Core;
  readonly #tree: Tree;
  readonly #chunkBytes: number;
  #chunk: ChunkWriter | undefined;
  readonly #free: ChunkWriter[];
  #chunks: number;
  /** Of the chunk that is being filled. */
  #smallest: Uint8Array = new Uint8Array(0);
  readonly #jobs = new Set<RunningJob>();
  /** Of each chunk, in the order of the keys. */
  readonly #outputs: (JobOutput | undefined)[] = [];
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #last: Uint8Array = new Uint8Array(256);
  #lastLength = 0;
  entries = 0;

  /** @param chunks of a feed that is finished, which go on to the next one that way; filled and emptied from here on */
  constructor(core: Core, tree: Tree, chunks: ChunkWriter[] = []) {
    this.#core = core;
    this.#tree = tree;
    this.#free = chunks;
    this.#chunks = chunks.length;
    this.#chunkBytes = Math.min(tableBytesAt(tree.settings, LEVELS), CHUNK_BYTES_MAX);
  }

  /** The key added last, lent; of no length before the first. */
  get lastKey(): Uint8Array {
    return this.#last.subarray(0, this.#lastLength);
  }

  /**
   * Adds an entry whose key follows the last one and shares so many bytes with it. False, and nothing was added, when there is
   * no room: the caller awaits `room` with copies of both.
   */
  add(kind: number, key: Uint8Array, shared: number, value: Uint8Array): boolean {
    const chunk = this.#chunk;
    if (chunk === undefined || !chunk.fits(key.length, value.length)) return false;
    if (chunk.entries === 0) this.#smallest = cloneOf(key);
    chunk.add(kind, key, shared, value);
    if (key.length > this.#last.length) this.#last = new Uint8Array(2 * key.length);
    copyRange(key, 0, key.length, this.#last, 0);
    this.#lastLength = key.length;
    this.entries++;
    return true;
  }

  /** Resolves when an entry of these lengths can be added. @throws what ended a job */
  async room(keyLength: number, valueLength: number): Promise<void> {
    this.#send();
    while (this.#free.length === 0 && this.#chunks === CHUNKS_MAX) await this.#jobEnded();
    this.#check();
    const wanted = Math.max(this.#chunkBytes, chunkBytesOf(keyLength, valueLength));
    const free = this.#free.pop();
    if (free !== undefined && free.bytes.length >= wanted) this.#chunk = free;
    else {
      // One that is too small for a large value is let go.
      if (free === undefined) this.#chunks++;
      this.#chunk = new ChunkWriter(wanted);
    }
  }

  /** The tables, in key order, synced and with their names. @throws what ended a job */
  async finish(): Promise<FileMeta[]> {
    this.#send();
    while (this.#jobs.size > 0) await this.#jobEnded();
    this.#check();
    return this.#outputs.flatMap((output) => output!.files);
  }

  /** Removes everything that was made; resolves when that is done. */
  async abandon(): Promise<void> {
    const { runner, state } = this.#core;
    for (const job of this.#jobs) job.cancel();
    while (this.#jobs.size > 0) await this.#jobEnded();
    const files = this.#outputs.flatMap((output) => output?.files ?? []);
    if (files.length === 0) return;
    const paths = files.map(({ number }) => inDirectory(state.path, tableName(number)));
    await new Promise<void>((resolve) => {
      // What can not be removed is left to the next open.
      runner.start({ lane: 'care', name: 'remove', input: { paths } }, () => resolve());
    });
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #jobEnded(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Starts the job for the chunk that is being filled. */
  #send(): void {
    const chunk = this.#chunk;
    this.#chunk = undefined;
    if (chunk === undefined) return;
    if (chunk.entries === 0) {
      this.#free.push(chunk);
      return;
    }
    const { runner, state, fileNumbers, pipeline, clock } = this.#core;
    const input: IngestInput = {
      directory: state.path,
      chunk: chunk.bytes,
      used: chunk.used,
      table: this.#settings(),
      fileNumbers,
      newestTime: Math.max(0, Math.floor(pipeline.lastTime), Math.floor(clock.now())),
    };
    const at = this.#outputs.length;
    this.#outputs.push(undefined);
    const job = runner.start({ lane: 'scan', name: 'ingest', input }, (outcome) => {
      this.#jobs.delete(job);
      if (outcome.ok) this.#outputs[at] = outcome.output as JobOutput;
      else this.#failure ??= { error: outcome.error };
      chunk.clear();
      this.#free.push(chunk);
      const wake = this.#wake;
      this.#wake = undefined;
      wake?.();
    });
    this.#jobs.add(job);
  }

  /** As tables are written of the level that this one would come to now. */
  #settings(): IngestInput['table'] {
    const { version } = this.#tree.view;
    const span = {
      smallestKey: this.#smallest,
      largestKey: cloneRange(this.#last, 0, this.#lastLength),
      largestExclusive: false,
    };
    const running = this.#core.background.compactions.runningOf(this.#tree);
    const level = deepestLevelFor(version, running, span);
    const { baseLevel } = levelShape(version, leveledSettings(pickerSettings(this.#tree)));
    const settings = tableSettings(this.#tree, level === 0 ? 1 : Math.max(1, level - baseLevel + 1));
    // Values stay in the table: the record of an ingestion names no blob files. A compaction takes large ones out.
    return { ...settings, blobValueBytes: undefined };
  }
}
