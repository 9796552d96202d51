/**
 * How much of a table is live: entries that a read of the latest state would show. A sample, because to know it exactly is to
 * compact: at random places of the table a few neighbours each are looked up in the tables that are newer, by their filters
 * first. Runs in a worker thread as care, with readers of its own that bypass the block cache.
 *
 * The error that is stated is two standard errors of the mean over the places (neighbours tend to share their fate, so they
 * count as one), plus what a place that was not met can hide. A table with few entries is looked at as a whole: error 0.
 * What memtables replace is not seen.
 */
import { PointResult, SEQUENCE_MAX } from '../base/entry.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { KIND_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { inDirectory, tableName } from '../fs/file-names.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { TableReader } from '../sstable/reader.ts';
import type { TableIterator } from '../sstable/table-iterator.ts';
import { checkCancelled, type JobEnv } from './job.ts';

/** Plain data. */
export interface LiveSampleInput {
  readonly directory: string;
  readonly file: FileMeta;
  /** Files in newer places that overlap it. */
  readonly newer: readonly FileMeta[];
  readonly seed: number;
}

export interface LiveEstimate {
  /** Live bytes over all, 0 to 1. */
  readonly live: number;
  /** The truth is within this of `live`, 19 times of 20. */
  readonly error: number;
}

const PLACES = 48;
const NEIGHBOURS = 8;
/** Tables with at most so many entries are looked at as a whole. */
const WHOLE_ENTRIES_MAX = 2 * PLACES * NEIGHBOURS;

export function* liveSampleJob(input: LiveSampleInput, env: JobEnv): Generator<void, LiveEstimate> {
  const open = (file: FileMeta): TableReader =>
    TableReader.open({
      fs: env.fs,
      path: inDirectory(input.directory, tableName(file.number)),
      fileNumber: file.number,
      uniqueId: file.uniqueId,
      bytes: file.bytes,
    });
  const readers: TableReader[] = [];
  try {
    const table = open(input.file);
    readers.push(table);
    for (const file of input.newer) {
      readers.push(open(file));
      yield;
      checkCancelled(env);
    }
    if (table.properties.entries === 0) return { live: 0, error: 0 };
    const judge = new Judge(table.iterator({ fillCache: false }), readers);
    const isWhole = table.properties.entries <= WHOLE_ENTRIES_MAX;
    const shares = isWhole ? yield* judgeAll(judge, env) : yield* judgePlaces(judge, table, input.seed, env);
    const error = isWhole ? 0 : errorOf(shares);
    return { live: judge.liveBytes / judge.bytes, error };
  } finally {
    for (const reader of readers) reader.close();
  }
}

function* judgeAll(judge: Judge, env: JobEnv): Generator<void, readonly number[]> {
  judge.walk.first();
  while (judge.walk.valid) {
    judge.neighbours(NEIGHBOURS);
    yield;
    checkCancelled(env);
  }
  return [];
}

/** The live share at each of the places. */
function* judgePlaces(
  judge: Judge,
  table: TableReader,
  seed: number,
  env: JobEnv,
): Generator<void, readonly number[]> {
  const random = new Random(seed);
  const { index } = table;
  const shares: number[] = [];
  for (let place = 0; place < PLACES; place++) {
    const partition = random.below(index.count);
    judge.walk.toBlock(partition, random.below(index.at(partition).count));
    for (let steps = random.below(NEIGHBOURS); steps > 0 && judge.walk.valid; steps--) judge.walk.next();
    if (!judge.walk.valid) judge.walk.first();
    shares.push(judge.neighbours(NEIGHBOURS));
    yield;
    checkCancelled(env);
  }
  return shares;
}

function errorOf(shares: readonly number[]): number {
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / (shares.length - 1);
  return 2 * Math.sqrt(variance / shares.length) + 1 / shares.length;
}

/** Walks the table and looks entries up in the newer ones. */
class Judge {
  readonly walk: TableIterator;
  bytes = 0;
  liveBytes = 0;
  /** The table itself first: only its range tombstones are asked. */
  readonly #tables: readonly TableReader[];
  readonly #found = new PointResult();

  constructor(walk: TableIterator, tables: readonly TableReader[]) {
    this.walk = walk;
    this.#tables = tables;
  }

  /** Judges some entries from where the walk stands; the share of their bytes that is live. */
  neighbours(count: number): number {
    let bytes = 0;
    let live = 0;
    for (let left = count; left > 0 && this.walk.valid; left--) {
      const { keyStart, keyEnd, valueStart, valueEnd } = this.walk;
      const size = keyEnd - keyStart + valueEnd - valueStart;
      bytes += size;
      if (this.#isLive()) live += size;
      this.walk.next();
    }
    this.bytes += bytes;
    this.liveBytes += live;
    return bytes === 0 ? 0 : live / bytes;
  }

  #isLive(): boolean {
    const { key, keyStart, keyEnd, sequence, kind } = this.walk;
    if (kind === KIND_DELETE) return false;
    const hash = hashKey(key, keyStart, keyEnd);
    const high = hashHigh[0]!;
    for (const table of this.#tables) {
      const cover = table.rangeTombstones?.coveringSequence(key, keyStart, keyEnd, SEQUENCE_MAX) ?? 0;
      if (cover > sequence) return false;
      const isNewer =
        table.get(key, keyStart, keyEnd, hash, high, SEQUENCE_MAX, this.#found) &&
        this.#found.sequence > sequence;
      if (isNewer) return false;
    }
    return true;
  }
}
