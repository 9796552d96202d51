/**
 * How much of a table is live: entries that a read of the latest state would show. A sample, because to know it exactly is to
 * compact: at random places of the table a few neighbours each are looked up in the tables that are newer, by their filters
 * first. Runs in a worker thread as care, with readers of its own that bypass the block cache.
 *
 * A place is a byte of the file, so that a table of small and large values is judged by its bytes; the estimate is the mean of
 * the shares at the places. The error that is stated is two standard errors of that mean (neighbours tend to share their
 * fate, so they count as one), plus what a part that no place has met can hide: of PLACES none lies, 19 times of 20, in a part
 * only when that is smaller than 3 / PLACES. A table with few entries is looked at as a whole: error 0. What memtables replace
 * is not seen.
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
    if (isWhole) return { live: yield* judgeAll(judge, env), error: 0 };
    return estimateOf(yield* judgePlaces(judge, table, input.seed, env));
  } finally {
    for (const reader of readers) reader.close();
  }
}

function* judgeAll(judge: Judge, env: JobEnv): Generator<void, number> {
  judge.walk.first();
  while (judge.walk.valid) {
    judge.neighbours(NEIGHBOURS);
    yield;
    checkCancelled(env);
  }
  return judge.liveBytes / Math.max(1, judge.bytes);
}

/** The live share at each of the places. */
function* judgePlaces(
  judge: Judge,
  table: TableReader,
  seed: number,
  env: JobEnv,
): Generator<void, readonly number[]> {
  const random = new Random(seed);
  const { walk } = judge;
  const bytes = table.index.partitionOffset(table.index.count - 1);
  const shares: number[] = [];
  for (let place = 0; place < PLACES; place++) {
    toBlockAt(walk, table, random.below(bytes));
    // Of one block: those of the next one have places of their own.
    const count = Math.min(NEIGHBOURS, walk.blockEntries);
    walk.moveTo(random.below(walk.blockEntries - count + 1));
    shares.push(judge.neighbours(count));
    yield;
    checkCancelled(env);
  }
  return shares;
}

/** To the data block that has this byte of the file, or the one before it when it is of the index. */
function toBlockAt(walk: TableIterator, { index }: TableReader, offset: number): void {
  // A partition lies behind the data blocks that it names.
  let low = 0;
  for (let high = index.count - 1; low < high; ) {
    const middle = (low + high) >>> 1;
    if (index.partitionOffset(middle) <= offset) low = middle + 1;
    else high = middle;
  }
  const partition = index.at(low);
  let block = 0;
  for (let high = partition.count - 1; block < high; ) {
    const middle = (block + high + 1) >>> 1;
    if (partition.offset(middle) <= offset) block = middle;
    else high = middle - 1;
  }
  walk.toBlock(low, block);
}

function estimateOf(shares: readonly number[]): LiveEstimate {
  const live = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const variance = shares.reduce((sum, share) => sum + (share - live) ** 2, 0) / (shares.length - 1);
  return { live, error: 2 * Math.sqrt(variance / shares.length) + 3 / shares.length };
}

/** Walks the table and looks entries up in the newer ones. */
class Judge {
  readonly walk: TableIterator;
  bytes = 0;
  liveBytes = 0;
  /** The table itself first: it may have newer versions, and range tombstones. */
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
