/**
 * How much of a table is live: entries that a read of the latest state would show. A sample, because to know it exactly is to
 * compact: of random blocks of the table a few entries each are looked up in the tables that are newer, by their filters
 * first. Runs in a worker thread as care, with readers of its own that bypass the block cache.
 *
 * Blocks are drawn by a byte of the file that they have, entries of a block at equal distances of bytes, so that a table of
 * small and large values is judged by its bytes; the estimate is the mean of the shares of the blocks. The error that is
 * stated is two standard errors of that mean (neighbours tend to share their fate, so a block counts as one), plus what a part
 * that no block was drawn of can hide: 19 times of 20 that is less than 3 / BLOCKS. A table with few entries is looked at as a
 * whole: error 0. What memtables replace is not seen.
 */
import { PointResult, SEQUENCE_MAX } from '../base/entry.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { KIND_DELETE, KIND_MERGE } from '../base/kinds.ts';
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

const BLOCKS = 48;
/** Looked at in a block. */
const POINTS = 8;
/** Tables with at most so many entries are looked at as a whole. */
const WHOLE_ENTRIES_MAX = 2 * BLOCKS * POINTS;
/** Of those, between two pauses. */
const SLICE_ENTRIES = 16;

export function* liveSampleJob(input: LiveSampleInput, env: JobEnv): Generator<void, LiveEstimate> {
  const open = (file: FileMeta): TableReader =>
    TableReader.open({
      fs: env.fs,
      path: inDirectory(input.directory, tableName(file.number)),
      fileNumber: file.number,
      uniqueId: file.uniqueId,
      bytes: file.bytes,
      sequenceOverride: file.sequenceOverride,
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
    return estimateOf(yield* judgeBlocks(judge, table, input.seed, env));
  } finally {
    for (const reader of readers) reader.close();
  }
}

function* judgeAll(judge: Judge, env: JobEnv): Generator<void, number> {
  const { walk } = judge;
  let bytes = 0;
  let live = 0;
  let entries = 0;
  for (walk.first(); walk.valid; walk.next()) {
    const size = sizeOf(walk);
    bytes += size;
    if (judge.isLive()) live += size;
    if (++entries % SLICE_ENTRIES > 0) continue;
    yield;
    checkCancelled(env);
  }
  return live / Math.max(1, bytes);
}

/** The live share of each of the blocks. */
function* judgeBlocks(
  judge: Judge,
  table: TableReader,
  seed: number,
  env: JobEnv,
): Generator<void, readonly number[]> {
  const random = new Random(seed);
  const { walk } = judge;
  const bytes = table.index.partitionOffset(table.index.count - 1);
  const shares: number[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    toBlockAt(walk, table, random.below(bytes));
    shares.push(judge.shareOfBlock(random.fraction()));
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

function sizeOf({ keyStart, keyEnd, valueStart, valueEnd }: TableIterator): number {
  return keyEnd - keyStart + valueEnd - valueStart;
}

/** Walks the table and looks entries up in the newer ones. */
class Judge {
  readonly walk: TableIterator;
  /** The table itself first: it may have newer versions, and range tombstones. */
  readonly #tables: readonly TableReader[];
  readonly #found = new PointResult();

  constructor(walk: TableIterator, tables: readonly TableReader[]) {
    this.walk = walk;
    this.#tables = tables;
  }

  /** The share of the block where the walk stands, by POINTS of its bytes; the first is at this fraction of their distance. */
  shareOfBlock(fraction: number): number {
    const { walk } = this;
    let bytes = 0;
    for (let at = 0; at < walk.blockEntries; at++) {
      walk.moveTo(at);
      bytes += sizeOf(walk);
    }
    const step = bytes / POINTS;
    let next = fraction * step;
    let end = 0;
    let points = 0;
    let live = 0;
    for (let at = 0; at < walk.blockEntries && next < bytes; at++) {
      walk.moveTo(at);
      end += sizeOf(walk);
      if (next >= end) continue;
      const inside = Math.ceil((end - next) / step);
      next += inside * step;
      points += inside;
      if (this.isLive()) live += inside;
    }
    return live / Math.max(1, points);
  }

  /** Does a read of the latest state show the entry where the walk stands? */
  isLive(): boolean {
    const { key, keyStart, keyEnd, sequence, kind } = this.walk;
    if (kind === KIND_DELETE) return false;
    const hash = hashKey(key, keyStart, keyEnd);
    const high = hashHigh[0]!;
    for (const table of this.#tables) {
      const cover = table.rangeTombstones?.coveringSequence(key, keyStart, keyEnd, SEQUENCE_MAX) ?? 0;
      if (cover > sequence) return false;
      const found = this.#found;
      let at = SEQUENCE_MAX;
      while (table.get(key, keyStart, keyEnd, hash, high, at, found) && found.sequence > sequence) {
        // Operands stand on what is older, which is live as long as they are.
        if (found.kind !== KIND_MERGE) return false;
        at = found.sequence - 1;
      }
    }
    return true;
  }
}
