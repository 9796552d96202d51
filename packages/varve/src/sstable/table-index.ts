/**
 * The two-level index of an open table: finds the data block where a key belongs. The read path's hop between filter and block.
 *
 * The top level is held by the reader; partitions are unpacked at their first use (flat-index.ts) and stay with the reader,
 * at about 24 bytes for a data block. Only where eight key bytes do not decide is the partition itself read, through the cache.
 * One thread, like the loader that it reads with.
 */
import { corruption } from '../base/errors.ts';
import { UNDECIDED } from '../base/key-fragments.ts';
import { BlockView } from './block.ts';
import type { BlockLoader } from './block-loader.ts';
import { FlatIndex } from './flat-index.ts';
import { BLOCK_INDEX } from './format.ts';

/** For a search in place during one call. */
const inPlace = new BlockView();

export class TableIndex {
  readonly top: BlockView;
  readonly #loader: BlockLoader;
  readonly #flatTop: FlatIndex;
  readonly #partitions: (FlatIndex | undefined)[];
  #partitionBytes = 0;
  /** Where `find` went: which partition, which entry of it. */
  partition = 0;
  block = 0;

  constructor(top: BlockView, loader: BlockLoader) {
    this.top = top;
    this.#loader = loader;
    this.#flatTop = new FlatIndex(top, loader);
    this.#partitions = Array.from({ length: top.count }, () => undefined);
  }

  /** Partitions. */
  get count(): number {
    return this.#partitions.length;
  }

  get memoryBytes(): number {
    return this.top.bytes.length + this.#flatTop.memoryBytes + this.#partitionBytes;
  }

  /** Leaves in `partition` and `block` where (key, sequence) belongs; undefined when it lies past the table. */
  find(key: Uint8Array, start: number, end: number, sequence: number): FlatIndex | undefined {
    let inTop = this.#flatTop.keys.search(key, start, end);
    if (inTop === UNDECIDED) inTop = this.top.search(key, start, end, sequence);
    if (inTop === this.top.count) return undefined;
    const unpacked = this.#partitions[inTop];
    const partition = unpacked ?? this.#unpack(inTop);
    let block = partition.keys.search(key, start, end);
    if (block === UNDECIDED) {
      // Unpacking has left it in sight.
      if (unpacked !== undefined) this.#fetch(inTop);
      block = inPlace.search(key, start, end, sequence);
    }
    if (block === partition.count) throw this.#disorder(inTop);
    this.partition = inTop;
    this.block = block;
    return partition;
  }

  /** Does `at` find it without reading? */
  isUnpacked(index: number): boolean {
    return this.#partitions[index] !== undefined;
  }

  /** Where a partition lies in the file, and its stored length. */
  partitionOffset(index: number): number {
    return this.#flatTop.offset(index);
  }

  partitionLength(index: number): number {
    return this.#flatTop.length(index);
  }

  /** A partition by its number. */
  at(index: number): FlatIndex {
    return this.#partitions[index] ?? this.#unpack(index);
  }

  /** Stored length of the data block that begins at an offset of the file; 0 when none does. */
  lengthAt(offset: number): number {
    let low = 0;
    for (let high = this.count; low < high; ) {
      const middle = (low + high) >>> 1;
      const partition = this.at(middle);
      if (partition.offset(partition.count - 1) < offset) low = middle + 1;
      else high = middle;
    }
    if (low === this.count) return 0;
    const partition = this.at(low);
    for (let block = 0; block < partition.count; block++) {
      if (partition.offset(block) === offset) return partition.length(block);
    }
    return 0;
  }

  #unpack(index: number): FlatIndex {
    this.#fetch(index);
    const partition = new FlatIndex(inPlace, this.#loader);
    if (partition.count === 0) throw this.#disorder(index);
    this.#partitions[index] = partition;
    this.#partitionBytes += partition.memoryBytes;
    return partition;
  }

  #fetch(index: number): void {
    const loader = this.#loader;
    loader.aim(this.#flatTop.offset(index), this.#flatTop.length(index));
    loader.fetch(BLOCK_INDEX);
    inPlace.open(loader.bytes, loader.start);
  }

  #disorder(index: number): Error {
    return corruption('the two levels of the index do not agree', {
      file: this.#loader.path,
      offset: this.#flatTop.offset(index),
    });
  }
}
