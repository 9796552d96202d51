/**
 * Compaction: tables of one or two levels become tables of the output level. Runs in a worker thread or in slices on the
 * owner's thread, with table readers of its own that bypass the block cache: what it reads once must not push out what
 * users read often.
 *
 * References to values in blob files are passed on as they are; the values are read for files that are to be emptied only.
 *
 * What the picker promises and this relies on: the inputs hold, for every key they touch, all versions and range tombstones
 * from their highest level down to the output level (so nothing older lies between them), and `below` names every file in
 * deeper levels that may hold an older one.
 */
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import type { EntryIterator } from '../base/entry.ts';
import { inDirectory, tableName } from '../fs/file-names.ts';
import { ConcatIterator, type KeyBounds } from '../iterator/concat.ts';
import { OrderedMerge } from '../iterator/ordered-merge.ts';
import type { BlobMeta } from '../manifest/blob-meta.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { RateLimiter } from '../runtime/rate-limiter.ts';
import { TableReader } from '../sstable/reader.ts';
import { Readers } from './drop.ts';
import { checkCancelled, type JobCode, type JobEnv, type JobOutput, type TableSettings } from './job.ts';
import { JobProgress } from './job-progress.ts';
import { KeyRanges, type SizedBounds } from './key-ranges.ts';
import { rewrite } from './rewrite.ts';
import { UserValues } from './user-values.ts';

/** Files of one level that are to be merged; sorted by key unless the level is 0. */
export interface CompactionFiles {
  readonly level: number;
  readonly files: readonly FileMeta[];
}

/** Plain data. */
export interface CompactionInput {
  readonly directory: string;
  readonly keyspace: number;
  readonly inputs: readonly CompactionFiles[];
  readonly outputLevel: number;
  /** For the output level. */
  readonly table: TableSettings;
  /** Sequences of the registered snapshots, ascending, read after `historyFloor` was published. */
  readonly registered: readonly number[];
  /** States at or above it may be read; at most the latest visible sequence. */
  readonly historyFloor: number;
  /** No reader judges what has expired by an earlier time of the stored clock; read before the register was. */
  readonly readerTime: number;
  /** So many versions of every key that is there stay, whoever reads. */
  readonly versions: number;
  /** Bounds of the files in levels below the output level, in any order. */
  readonly below: readonly KeyBounds[];
  /** Files of the level after the output level, sorted: outputs end before they overlap too many of them. */
  readonly grandparents: readonly SizedBounds[];
  /** Blob files of which too little is live: values that the inputs refer to in them are copied, so that they can go. */
  readonly emptied?: readonly BlobMeta[];
  /** The database's next file number. */
  readonly fileNumbers: SharedArrayBuffer;
  /** Only keys in [from, to): a part of a large compaction, whose other parts run beside it. */
  readonly part?: JobPart;
  /** The keyspace has a merge operator or a filter. */
  readonly code?: JobCode | undefined;
  /** Of job-progress.ts. */
  readonly progress?: SharedArrayBuffer;
  /** Of the rate limiter that all compactions of the database share. */
  readonly pace?: SharedArrayBuffer;
}

export interface JobPart {
  /** Undefined: from the first key. */
  readonly from: Uint8Array | undefined;
  /** Undefined: to the last. */
  readonly to: Uint8Array | undefined;
}

export function* compactionJob(input: CompactionInput, env: JobEnv): Generator<void, JobOutput> {
  const files = input.inputs.flatMap((level) => level.files);
  const { part } = input;
  const progress = input.progress === undefined ? undefined : new JobProgress(input.progress);
  const readers = new OpenTables(input.directory, env);
  try {
    const tombstones: FragmentedTombstones[] = [];
    for (const file of files) {
      if (file.rangeTombstones === 0) continue;
      tombstones.push(readers.tombstonesOf(file));
      yield;
      checkCancelled(env);
    }
    const oldest = files.reduce((least, file) => Math.min(least, file.smallestSequence), Infinity);
    const result = yield* rewrite(
      {
        source: new OrderedMerge(input.inputs.flatMap((level) => sourcesOf(level, readers))),
        from: part?.from,
        to: part?.to,
        entries: part === undefined ? files.reduce((sum, file) => sum + file.entries, 0) : undefined,
        tombstones: FragmentedTombstones.merge(tombstones).clip(part?.from, part?.to),
        readers: new Readers(input.registered, input.historyFloor, oldest, input.readerTime),
        versions: input.versions,
        below: new KeyRanges(input.below),
        user: new UserValues(input.code, input.outputLevel, input.directory, env),
        output: {
          directory: input.directory,
          table: input.table,
          fileNumbers: input.fileNumbers,
          grandparents: input.grandparents,
          newestTime: newestTimeOf(files),
          progress,
          emptied: input.emptied,
        },
        progress,
        pace: input.pace === undefined ? undefined : new RateLimiter(input.pace),
      },
      env,
    );
    return { ...result, bytesRead: files.reduce((sum, file) => sum + file.bytes, 0) };
  } finally {
    readers.closeAll();
  }
}

/** Undefined when that of any is not known. */
function newestTimeOf(files: readonly FileMeta[]): number | undefined {
  let newest = 0;
  for (const { newestTime } of files) {
    if (newestTime === undefined) return undefined;
    newest = Math.max(newest, newestTime);
  }
  return newest;
}

/** Every block is needed, once. */
const WALK = { fillCache: false, eager: true };

/** Level 0 files overlap, so each is a source of its own; a deeper level is one run with one open file at a time. */
function sourcesOf({ level, files }: CompactionFiles, tables: OpenTables): EntryIterator[] {
  if (level === 0) return files.map((file) => tables.open(file).iterator(WALK));
  if (files.length === 0) return [];
  let current: TableReader | undefined;
  const open = (index: number): EntryIterator => {
    if (current !== undefined) tables.close(current);
    current = tables.open(files[index]!);
    return current.iterator(WALK);
  };
  return [new ConcatIterator(files, open)];
}

/** The job's own open tables. */
class OpenTables {
  readonly #directory: string;
  readonly #env: JobEnv;
  readonly #open = new Set<TableReader>();

  constructor(directory: string, env: JobEnv) {
    this.#directory = directory;
    this.#env = env;
  }

  open(file: FileMeta): TableReader {
    const { number: fileNumber, uniqueId, bytes, sequenceOverride } = file;
    const path = inDirectory(this.#directory, tableName(fileNumber));
    const reader = TableReader.open({
      fs: this.#env.fs,
      path,
      fileNumber,
      uniqueId,
      bytes,
      sequenceOverride,
    });
    this.#open.add(reader);
    return reader;
  }

  close(reader: TableReader): void {
    this.#open.delete(reader);
    reader.close();
  }

  tombstonesOf(file: FileMeta): FragmentedTombstones {
    const reader = this.open(file);
    const { rangeTombstones } = reader;
    this.close(reader);
    return rangeTombstones ?? FragmentedTombstones.none;
  }

  closeAll(): void {
    for (const reader of this.#open) reader.close();
    this.#open.clear();
  }
}
