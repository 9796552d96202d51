/**
 * An open table: point gets, walks, checks. The read path's last stop: filter -> top index -> partition -> block -> entry.
 *
 * Held in memory per table: filter, top index level, range tombstones, properties; everything else goes through the
 * block cache. A point get allocates nothing and searches the blocks where they lie.
 * `open` verifies footer, properties, filter, range tombstones and top index, and that the file is the one that the
 * manifest names. Immutable but for its buffers; one thread. File layout in format.ts.
 */
import { describeBytes, equalBytes } from '../base/bytes.ts';
import { type PointResult, SEQUENCE_MAX } from '../base/entry.ts';
import { corruption } from '../base/errors.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import { type FileHandle, type FileSystem, readFully } from '../fs/file-system.ts';
import { BlockView, validateBlock } from './block.ts';
import { lookUp } from './block-lookup.ts';
import { BlockLoader, HeldBlock, TableCounters } from './block-loader.ts';
import { Filter } from './filter.ts';
import {
  BLOCK_DATA,
  BLOCK_FILTER,
  BLOCK_PROPERTIES,
  BLOCK_RANGE_TOMBSTONES,
  BLOCK_TOP_INDEX,
  decodeFooter,
  FOOTER_BYTES,
  FOOTER_TAIL_BYTES,
  type Footer,
  footerLength,
} from './format.ts';
import { decodeProperties, type TableProperties } from './properties.ts';
import { ReadAhead } from './read-ahead.ts';
import { TableIndex } from './table-index.ts';
import { TableIterator, type TableIteratorOptions } from './table-iterator.ts';
import { type TableVerification, verifyTable } from './verify.ts';

export interface TableReaderOptions {
  readonly fs: FileSystem;
  readonly path: string;
  /** Keys the blocks in the cache; fits 32 bits. */
  readonly fileNumber: number;
  readonly cache?: BlockCache | undefined;
  /** What the manifest says; checked when given. */
  readonly uniqueId?: Uint8Array | undefined;
  readonly bytes?: number | undefined;
  readonly counters?: TableCounters | undefined;
}

/** Objects, footer, properties: what a reader holds beside its arrays, roughly. */
const FIXED_BYTES = 2048;
/** As often as it takes for the cache not to see a block of a scan in it. */
const WARM_USES = 3;
const WARM_BYTES_MAX = 256 * 1024;

export class TableReader {
  readonly path: string;
  readonly fileNumber: number;
  readonly footer: Footer;
  readonly properties: TableProperties;
  /** Undefined: none. Point gets do not look at them, the caller does. */
  readonly rangeTombstones: FragmentedTombstones | undefined;
  readonly filter: Filter | undefined;
  /** For the table cache: looked at since its last round. */
  used = true;
  /** For reads of many keys at once (table-gets.ts). */
  readonly loader: BlockLoader;
  readonly index: TableIndex;
  readonly #counters: TableCounters;
  readonly #heldBytes: number;

  private constructor(loader: BlockLoader, footer: Footer) {
    const path = loader.path;
    this.path = path;
    this.fileNumber = loader.fileNumber;
    this.footer = footer;
    this.loader = loader;
    this.#counters = loader.counters;

    const properties = loader.readWhole(footer.properties, BLOCK_PROPERTIES);
    this.properties = decodeProperties(properties, 0, properties.length, path, footer.properties.offset);

    const top = loader.readWhole(footer.topIndex, BLOCK_TOP_INDEX);
    validateBlock(top, 0, top.length, path, footer.topIndex.offset);
    const topView = new BlockView();
    topView.open(top, 0);
    if ((topView.count === 0) !== (this.properties.entries === 0)) {
      throw corruption('the index does not fit the number of entries', {
        file: path,
        offset: footer.topIndex.offset,
      });
    }
    if (footer.filter.length > 0) {
      const bytes = loader.readWhole(footer.filter, BLOCK_FILTER);
      this.filter = Filter.decode(bytes, 0, bytes.length, path, footer.filter.offset);
    }
    if (footer.rangeTombstones.length > 0) {
      const bytes = loader.readWhole(footer.rangeTombstones, BLOCK_RANGE_TOMBSTONES);
      const where = { file: path, offset: footer.rangeTombstones.offset };
      this.rangeTombstones = FragmentedTombstones.decode(bytes, 0, bytes.length, where);
    }
    this.index = new TableIndex(topView, loader);
    this.#heldBytes =
      FIXED_BYTES + (this.filter?.memoryBytes ?? 0) + (this.rangeTombstones?.memoryBytes ?? 0);
  }

  /**
   * Opens and checks a table. Needs `ready()` of checksum.ts on this thread.
   * @throws VarveError corruption {file, offset}; `UNSUPPORTED_VERSION`, `UNSUPPORTED_COMPARATOR`, `UNSUPPORTED_FILTER`
   * (invalid) for what a later release wrote; io.
   */
  static open(options: TableReaderOptions): TableReader {
    const loader = new BlockLoader(
      options.fs,
      options.path,
      options.fileNumber,
      options.cache,
      options.counters ?? new TableCounters(),
    );
    try {
      const footer = readFooter(loader.file(), options.path);
      checkIdentity(footer, options);
      loader.setTable(footer.uniqueId, footer.fileBytes - FOOTER_BYTES);
      return new TableReader(loader, footer);
    } catch (error) {
      loader.close();
      throw error;
    }
  }

  get uniqueId(): Uint8Array {
    return this.footer.uniqueId;
  }

  /** Length of the file. */
  get bytes(): number {
    return this.footer.fileBytes;
  }

  /** Memory held outside of the block cache, in bytes. */
  get memoryBytes(): number {
    return this.#heldBytes + this.index.memoryBytes + this.loader.memoryBytes;
  }

  /**
   * Newest version of the key with a sequence at or below the given; also true for a delete (look at `out.kind`).
   * `low` and `high` are the halves that base/hash `hashKey` gives for the key. The value is lent until the next call.
   */
  get(
    key: Uint8Array,
    start: number,
    end: number,
    low: number,
    high: number,
    sequence: number,
    out: PointResult,
  ): boolean {
    if (!this.mayContain(low, high)) return false;
    const index = this.index;
    const partition = index.find(key, start, end, sequence);
    if (partition === undefined) return false;
    const loader = this.loader;
    loader.fetchIndexed(partition, index.block);
    this.#counters.filterPositives++;
    if (lookUp(loader.bytes, loader.start, key, start, end, sequence, out)) return true;
    this.#counters.filterFalsePositives++;
    return false;
  }

  /** What the filter says, counted; true without one. */
  mayContain(low: number, high: number): boolean {
    const filter = this.filter;
    if (filter === undefined || filter.mayContain(low, high)) return true;
    this.#counters.filterNegatives++;
    return false;
  }

  countFilterPositive(): void {
    this.#counters.filterPositives++;
  }

  countFalsePositive(): void {
    this.#counters.filterFalsePositives++;
  }

  /**
   * Reads the data blocks at `offsets`, which ascend, into the block cache, to stay; steps over offsets where none begins.
   * Yields after each. Blocks that lie close together are read at once.
   */
  *warm(offsets: readonly number[]): Generator<void, void> {
    const held = new HeldBlock(new ReadAhead(WARM_BYTES_MAX, false));
    for (const offset of offsets) {
      const length = this.index.lengthAt(offset);
      if (length > 0) {
        this.loader.aim(offset, length);
        for (let use = 0; use < WARM_USES; use++) this.loader.fetchInto(held, BLOCK_DATA, true);
      }
      yield;
    }
  }

  iterator(options: TableIteratorOptions = {}): TableIterator {
    return new TableIterator(this.loader, this.index, this.properties, options);
  }

  /** About how many bytes of the file lie before the key: offset of the block where it belongs. May read a partition. */
  approximateOffset(key: Uint8Array): number {
    const partition = this.index.find(key, 0, key.length, SEQUENCE_MAX);
    return partition === undefined ? this.dataBytes : partition.offset(this.index.block);
  }

  /** Bytes of the file up to the end of its data blocks and index partitions. */
  get dataBytes(): number {
    const { filter, rangeTombstones, topIndex } = this.footer;
    if (filter.length > 0) return filter.offset;
    return rangeTombstones.length > 0 ? rangeTombstones.offset : topIndex.offset;
  }

  /**
   * Reads every block from the file, past the cache: checksums, order, index, filter, properties. Yields after each block.
   * @throws VarveError corruption {file, offset}.
   */
  verify(): Generator<void, TableVerification> {
    return verifyTable(this, this.loader.bypass(), this.index.top);
  }

  /** For dumps: a loader past the cache and the top index level. The caller closes the loader. */
  internals(): { loader: BlockLoader; top: BlockView } {
    return { loader: this.loader.bypass(), top: this.index.top };
  }

  /** Puts the file descriptor down; a read that misses the cache opens the file again, for itself only. */
  park(): void {
    this.loader.park();
  }

  /** For good: later reads of blocks throw `closed`. Idempotent. */
  close(): void {
    this.loader.close();
  }
}

function readFooter(file: FileHandle, path: string): Footer {
  const size = file.size();
  let footer = new Uint8Array(Math.min(size, FOOTER_BYTES));
  readAt(file, footer, size - footer.length, path);
  if (footer.length < FOOTER_TAIL_BYTES) {
    throw corruption('not a table: shorter than a footer', { file: path, offset: 0, got: size });
  }
  const length = footerLength(footer.subarray(footer.length - FOOTER_TAIL_BYTES), size, path);
  if (length !== footer.length) {
    footer = new Uint8Array(length);
    readAt(file, footer, size - length, path);
  }
  return decodeFooter(footer, size, path);
}

function readAt(file: FileHandle, target: Uint8Array, offset: number, path: string): void {
  if (readFully(file, target, 0, target.length, offset) < target.length) {
    throw corruption('the file ends inside its footer', { file: path, offset });
  }
}

function checkIdentity(footer: Footer, options: TableReaderOptions): void {
  const { uniqueId, bytes, path } = options;
  if (bytes !== undefined && bytes !== footer.fileBytes) {
    throw corruption('the table is not as long as the manifest says', {
      file: path,
      offset: 0,
      expected: bytes,
      got: footer.fileBytes,
    });
  }
  if (uniqueId !== undefined && !equalBytes(uniqueId, footer.uniqueId)) {
    throw corruption('the table is another one than the manifest names', {
      file: path,
      offset: footer.fileBytes - FOOTER_BYTES,
      expected: describeBytes(uniqueId),
      got: describeBytes(footer.uniqueId),
    });
  }
}
