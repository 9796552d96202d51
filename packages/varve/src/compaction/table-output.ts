/**
 * The tables that a job writes: opened when the first entry comes, ended between two user keys when they are large enough,
 * and taken back when the job fails.
 *
 * Range tombstones are handed out whole at the start and cut at the same keys as the points: table i holds what lies in
 * [its cut, the next cut), so tables of one job never overlap, not even by their tombstones, and the bounds of each file
 * include its tombstones. Tombstones without any point still make a table.
 *
 * Large values go to blob files beside the tables (value-output.ts).
 *
 * Invariants: (1) no user key is in two tables. (2) `finish` returns only files whose bytes and names are synced.
 * (3) After `abandon` nothing that was created is left. Used by one job on one thread.
 */
import type { WrittenEntry } from '../base/entry.ts';
import { cloneRange } from '../base/bytes.ts';
import { KIND_BLOB, KIND_DELETE } from '../base/kinds.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { inDirectory, tableName } from '../fs/file-names.ts';
import type { FileHandle } from '../fs/file-system.ts';
import type { BlobMeta } from '../manifest/blob-meta.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { type TableSummary, TableWriter } from '../sstable/writer.ts';
import { attempt, type JobEnv, newUniqueId } from './job.ts';
import { OverlapMeter, type SizedBounds } from './key-ranges.ts';
import { ValueOutput, type ValueTask } from './value-output.ts';

/** An output may overlap this many times its own size of the level after the next. */
const OVERLAP_FACTOR = 10;

export interface OutputTask extends ValueTask {
  /** Files of the level after the output level, sorted. */
  readonly grandparents: readonly SizedBounds[];
  /** Nothing in the inputs was written later; milliseconds since 1970. */
  readonly newestTime: number | undefined;
}

export class TableOutput {
  readonly #env: JobEnv;
  readonly #task: OutputTask;
  readonly #tombstones: FragmentedTombstones;
  readonly #measureBytes: number;
  readonly #meter: OverlapMeter | undefined;
  readonly #values: ValueOutput;
  readonly #files: FileMeta[] = [];
  /** Paths of all files that were created. */
  readonly #created: string[] = [];
  /** The table being written. */
  #writer: TableWriter | undefined;
  #file: FileHandle | undefined;
  #number = 0;
  /** Bytes handed to the table since its size was asked for. */
  #unmeasured = 0;
  /** Key at which the last table was ended: tombstones from here on belong to the next. */
  #lower: Uint8Array | undefined;

  /** @param tombstones the range tombstones to write, over all tables together */
  constructor(env: JobEnv, task: OutputTask, tombstones: FragmentedTombstones) {
    this.#env = env;
    this.#task = task;
    this.#tombstones = tombstones;
    this.#values = new ValueOutput(env, task);
    this.#measureBytes = Math.min(4096, task.table.tableBytesMax / 16);
    if (task.grandparents.length > 0) {
      this.#meter = new OverlapMeter(task.grandparents, OVERLAP_FACTOR * task.table.tableBytesMax);
    }
  }

  /**
   * Adds the entry that the iterator stands at, as one of `kind`: a delete has no value. `isNewKey` when no version of its key
   * was added before, `shared` as many bytes as its key has in common with the one added last.
   */
  add(entry: WrittenEntry, kind: number, isNewKey: boolean, shared: number): void {
    if (isNewKey) {
      const overlapsMuch = this.#meter?.cutsBefore(entry.key, entry.keyStart, entry.keyEnd) ?? false;
      if (this.#writer !== undefined && (overlapsMuch || this.#isFull())) {
        this.#end(cloneRange(entry.key, entry.keyStart, entry.keyEnd));
      }
    }
    const writer = this.#writer ?? this.#begin();
    const { key, keyStart, keyEnd, sequence } = entry;
    const values = this.#values;
    let { value, valueStart, valueEnd } = entry;
    let stored = kind;
    if (kind === KIND_DELETE) valueEnd = valueStart;
    else if (values.takes(kind, valueEnd - valueStart)) {
      values.place(entry);
      stored = KIND_BLOB;
      value = values.reference;
      valueStart = 0;
      valueEnd = values.referenceEnd;
    }
    this.#unmeasured += keyEnd - keyStart + valueEnd - valueStart;
    writer.add(key, keyStart, keyEnd, sequence, stored, value, valueStart, valueEnd, shared);
  }

  /** Ends the last table and makes the names durable. */
  finish(): FileMeta[] {
    // Tombstones behind the last cut always have a table there: the cut was made for an entry that followed.
    if (this.#writer === undefined && !this.#tombstones.isEmpty) this.#begin();
    if (this.#writer !== undefined) this.#end(undefined);
    this.#values.finish();
    if (this.#files.length > 0) this.#env.fs.syncDirectory(this.#task.directory);
    return this.#files;
  }

  /** The blob files that the tables refer to, once they are finished. */
  get blobs(): BlobMeta[] {
    return this.#values.blobs;
  }

  /** Bytes of values that were copied from other blob files since the last call. */
  takeMovedBytes(): number {
    const bytes = this.#values.movedBytes;
    this.#values.movedBytes = 0;
    return bytes;
  }

  get unreadBlobs(): number[] {
    return this.#values.unread;
  }

  /** Closes and removes everything that was created. What can not be removed is left to the next open of the database. */
  abandon(): void {
    attempt(() => this.#writer?.abandon());
    attempt(() => this.#file?.close());
    this.#writer = undefined;
    this.#file = undefined;
    this.#values.abandon();
    for (const path of this.#created) attempt(() => this.#env.fs.remove(path));
  }

  /** Has the table reached its size? Looked at once in a while: an exact size is not worth a question per entry. */
  #isFull(): boolean {
    if (this.#unmeasured < this.#measureBytes) return false;
    this.#unmeasured = 0;
    return this.#writer!.estimatedBytes >= this.#task.table.tableBytesMax;
  }

  #begin(): TableWriter {
    const { table, fileNumbers } = this.#task;
    this.#number = Number(Atomics.add(new BigInt64Array(fileNumbers), 0, 1n));
    const path = inDirectory(this.#task.directory, tableName(this.#number));
    this.#task.progress?.creates(this.#number);
    const file = this.#env.fs.open(path, 'create');
    this.#created.push(path);
    this.#file = file;
    const { blockBytes, filterBitsPerKey, filterPrefixBytes, compression } = table;
    this.#writer = new TableWriter({
      file,
      uniqueId: newUniqueId(this.#env),
      blockBytes,
      filterBitsPerKey,
      filterPrefixBytes,
      compression,
    });
    return this.#writer;
  }

  /** Ends the current table; it gets the tombstones up to `upper`. */
  #end(upper: Uint8Array | undefined): void {
    const writer = this.#writer!;
    const tombstones = this.#tombstones.clip(this.#lower, upper);
    if (!tombstones.isEmpty) writer.addRangeTombstones(tombstones);
    const summary = writer.finish();
    const blobs = this.#values.takeUses();
    const file = fileMetaOf(this.#number, summary, this.#task.newestTime);
    this.#files.push(blobs.length === 0 ? file : { ...file, blobs });
    this.#writer = undefined;
    this.#file = undefined;
    this.#lower = upper;
    this.#meter?.reset();
  }
}

/** What the manifest keeps of a new table. */
function fileMetaOf(number: number, summary: TableSummary, newestTime: number | undefined): FileMeta {
  const { expiry } = summary;
  return {
    number,
    bytes: summary.bytes,
    entries: summary.entries,
    tombstones: summary.tombstones,
    rangeTombstones: summary.rangeTombstones,
    smallestKey: summary.smallestKey,
    largestKey: summary.largestKey,
    largestExclusive: summary.largestExclusive,
    smallestSequence: summary.smallestSequence,
    largestSequence: summary.largestSequence,
    uniqueId: summary.uniqueId,
    ...(newestTime !== undefined && { newestTime }),
    ...(expiry !== undefined && { expiry }),
  };
}
