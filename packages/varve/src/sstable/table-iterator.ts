/**
 * A walk over the point entries of one table, in both directions.
 *
 * Holds its current data block itself (nothing in the cache is pinned), and assembles the current
 * key in its own buffer, because blocks store a shared prefix apart. Values are lent from the held block.
 * After an error the iterator is not valid and may be positioned anew. One thread.
 */
import { type EntryIterator, SEQUENCE_MAX } from '../base/entry.ts';
import { EntryRun } from '../base/entry-run.ts';
import { corruption } from '../base/errors.ts';
import { KIND_BLOB, KIND_PUT } from '../base/kinds.ts';
import { BlockView } from './block.ts';
import type { BlockLoader } from './block-loader.ts';
import { HeldBlock } from './held-block.ts';
import type { FlatIndex } from './flat-index.ts';
import { BLOCK_DATA } from './format.ts';
import type { TableProperties } from './properties.ts';
import { ReadAhead } from './read-ahead.ts';
import type { TableIndex } from './table-index.ts';

/** Is told of every data block that a walk is about to need, by its place in the index. */
export interface BlockAhead {
  reach(loader: BlockLoader, index: TableIndex, partition: number, block: number): void;
}

export interface TableIteratorOptions {
  /** Blocks that are read go into the cache; true by default. */
  readonly fillCache?: boolean;
  /** Read-ahead grows up to this while the walk is sequential; 256 KiB by default. */
  readonly readAheadBytes?: number;
  /** Read ahead fully from the first block on. */
  readonly eager?: boolean;
  /** Has the blocks read ahead by other threads. */
  readonly ahead?: BlockAhead | undefined;
  /** A walk, of any table, that makes no move any more: this one goes on in its memory. */
  readonly after?: TableIterator | undefined;
}

export class TableIterator implements EntryIterator {
  valid = false;
  key: Uint8Array = new Uint8Array(64);
  keyStart = 0;
  keyEnd = 0;
  sequence = 0;
  kind = 0;
  value: Uint8Array;
  valueStart = 0;
  valueEnd = 0;

  readonly #loader: BlockLoader;
  readonly #fillCache: boolean;
  readonly #ahead: BlockAhead | undefined;
  readonly #index: TableIndex;
  /** The partition that names the held block. */
  #partitionIndex = 0;
  readonly #block = new BlockView();
  readonly #blockHeld: HeldBlock;
  /** Offset of the held data block; -1: none. */
  #blockOffset = -1;
  /** Entry of the partition that names the held block. */
  #blockIndex = 0;
  #position = 0;
  #prefixLength = 0;
  readonly #newest: number;
  /** In place of the stored sequence of every entry; 0: what is stored counts. */
  readonly #sequenceOverride: number;
  readonly #isDistinct: boolean;
  /** Of the held block: its entries may be shown as a run; undefined: not looked at yet. */
  #isRun: boolean | undefined;
  readonly #run = new EntryRun();
  /** The held block was lent as a run: its bytes may have been written to, and are not used for another seek. */
  #isLent = false;

  /** Use TableReader.iterator. */
  constructor(
    loader: BlockLoader,
    index: TableIndex,
    properties: TableProperties,
    options: TableIteratorOptions,
    sequenceOverride = 0,
  ) {
    this.#loader = loader;
    this.#index = index;
    this.#sequenceOverride = sequenceOverride;
    this.#newest = sequenceOverride > 0 ? sequenceOverride : properties.largestSequence;
    this.#isDistinct = properties.keys === properties.entries;
    this.#fillCache = options.fillCache ?? true;
    this.#ahead = options.ahead;
    const { after } = options;
    this.#blockHeld =
      after === undefined
        ? new HeldBlock(new ReadAhead(options.readAheadBytes ?? 256 * 1024, options.eager ?? false))
        : after.#blockHeld;
    this.#blockHeld.readAhead?.forget();
    this.value = this.key;
  }

  first(): void {
    this.valid = false;
    if (this.#index.count === 0) return;
    this.#holdBlock(0, this.#index.at(0), 0);
    this.#show(0);
  }

  last(): void {
    this.valid = false;
    if (this.#index.count === 0) return;
    this.#holdLastOf(this.#index.count - 1);
    this.#show(this.#block.count - 1);
  }

  /** To the first entry of a data block, by its place in the index: for samples of a table. */
  toBlock(partition: number, block: number): void {
    this.valid = false;
    this.#holdBlock(partition, this.#index.at(partition), block);
    this.#show(0);
  }

  seek(key: Uint8Array, start: number, end: number, sequence: number): void {
    this.valid = false;
    const position = this.#find(key, start, end, sequence);
    if (position < 0) return;
    if (position < this.#block.count) this.#show(position);
    else this.#nextBlock();
  }

  seekBefore(key: Uint8Array, start: number, end: number): void {
    this.valid = false;
    const position = this.#find(key, start, end, SEQUENCE_MAX);
    if (position < 0) this.last();
    else if (position > 0) this.#show(position - 1);
    else this.#previousBlock();
  }

  next(): void {
    const position = this.#position + 1;
    if (position < this.#block.count) this.#show(position);
    else this.#nextBlock();
  }

  prev(): void {
    if (this.#position > 0) this.#show(this.#position - 1);
    else this.#previousBlock();
  }

  run(forward: boolean, snapshot: number): EntryRun | undefined {
    const block = this.#block;
    // Walking back, the block before may hold a newer version of this block's first key.
    const from = forward || this.#isDistinct ? 0 : 1;
    if (this.#newest > snapshot || this.#position < from) return undefined;
    this.#isRun ??=
      (block.commonKind === KIND_PUT || block.commonKind === KIND_BLOB) &&
      (this.#isDistinct || block.hasDistinctKeys());
    if (!this.#isRun) return undefined;
    const run = this.#run;
    run.bytes = block.bytes;
    run.kind = block.commonKind;
    run.prefixStart = block.prefixStart;
    run.prefixLength = block.prefixLength;
    run.wide = block.wide;
    run.keyOffsets = block.keyOffsets;
    run.suffixes = block.suffixes;
    run.valueOffsets = block.valueOffsets;
    run.values = block.values;
    run.from = from;
    run.to = block.count;
    run.position = this.#position;
    this.#isLent = true;
    return run;
  }

  moveTo(position: number): void {
    this.#show(position);
  }

  /** Entries of the block that holds the current one; `moveTo` goes to one of them. */
  get blockEntries(): number {
    return this.#block.count;
  }

  /** Offset in the file of the block that holds the current entry. */
  get blockOffset(): number {
    return this.#blockOffset;
  }

  /** Holds the block where (key, sequence) belongs; position of the first entry at or after it, -1 past the table. */
  #find(key: Uint8Array, start: number, end: number, sequence: number): number {
    const index = this.#index;
    const partition = index.find(key, start, end, sequence);
    if (partition === undefined) return -1;
    this.#holdBlock(index.partition, partition, index.block);
    return this.#block.search(key, start, end, sequence);
  }

  #nextBlock(): void {
    this.valid = false;
    const index = this.#index;
    const partition = index.at(this.#partitionIndex);
    if (this.#blockIndex + 1 < partition.count) {
      this.#holdBlock(this.#partitionIndex, partition, this.#blockIndex + 1);
    } else {
      const next = this.#partitionIndex + 1;
      if (next >= index.count) return;
      this.#holdBlock(next, index.at(next), 0);
    }
    this.#show(0);
  }

  #previousBlock(): void {
    this.valid = false;
    const partition = this.#index.at(this.#partitionIndex);
    if (this.#blockIndex > 0) this.#holdBlock(this.#partitionIndex, partition, this.#blockIndex - 1);
    else {
      if (this.#partitionIndex === 0) return;
      this.#holdLastOf(this.#partitionIndex - 1);
    }
    this.#show(this.#block.count - 1);
  }

  #holdLastOf(partitionIndex: number): void {
    const partition = this.#index.at(partitionIndex);
    this.#holdBlock(partitionIndex, partition, partition.count - 1);
  }

  /** Holds the data block that entry `index` of a partition names. */
  #holdBlock(partitionIndex: number, partition: FlatIndex, index: number): void {
    const loader = this.#loader;
    this.#partitionIndex = partitionIndex;
    this.#blockIndex = index;
    const offset = partition.offset(index);
    if (offset === this.#blockOffset && !this.#isLent) return;
    this.#blockOffset = -1;
    this.#isLent = false;
    this.#isRun = undefined;
    this.#ahead?.reach(loader, this.#index, partitionIndex, index);
    loader.aim(offset, partition.length(index));
    loader.fetchInto(this.#blockHeld, BLOCK_DATA, this.#fillCache);
    const block = this.#block;
    block.open(this.#blockHeld.bytes, this.#blockHeld.start);
    if (this.#sequenceOverride > 0) this.#moveSequences(block);
    if (block.count === 0) throw this.#disorder();
    this.#blockOffset = offset;
    this.#prefixLength = block.prefixLength;
    if (block.prefixLength > this.key.length) this.key = new Uint8Array(block.prefixLength * 2);
    const bytes = block.bytes;
    for (let i = 0, from = block.prefixStart; i < block.prefixLength; i++, from++) this.key[i] = bytes[from];
    this.value = bytes;
  }

  #moveSequences(block: BlockView): void {
    // The columns behind the sequences were found by their stored width, which is 0 where all of them are 0.
    block.showSequence(this.#sequenceOverride);
  }

  /** Makes entry `position` of the held block the current one. */
  #show(position: number): void {
    const block = this.#block;
    const bytes = block.bytes;
    const from = block.suffixStart(position);
    const length = block.suffixStart(position + 1) - from;
    const prefixLength = this.#prefixLength;
    const end = prefixLength + length;
    if (end > this.key.length) this.#growKey(end);
    const key = this.key;
    if (length > 32) key.set(bytes.subarray(from, from + length), prefixLength);
    else for (let i = 0; i < length; i++) key[prefixLength + i] = bytes[from + i];
    this.#position = position;
    this.keyEnd = end;
    this.sequence = block.sequence(position);
    this.kind = block.kind(position);
    this.valueStart = block.valueStart(position);
    this.valueEnd = block.valueStart(position + 1);
    this.valid = true;
  }

  #growKey(length: number): void {
    const larger = new Uint8Array(length * 2);
    larger.set(this.key.subarray(0, this.#prefixLength));
    this.key = larger;
  }

  #disorder(): Error {
    return corruption('the index and the blocks of the table do not agree', {
      file: this.#loader.path,
      offset: this.#loader.handleOffset,
    });
  }
}
