/**
 * An open table: point gets, walks, checks. The read path's last stop: filter -> top index -> partition -> block -> entry.
 *
 * Held in memory per table: top index level, range tombstones, properties, a filter that is one block; everything else
 * goes through the block cache. A filter in parts is asked through the cache as well, until it was asked as often as it has
 * parts: then it is read whole and held, if there is room for it (filter-memory.ts). So a table that is only scanned or
 * merged never reads its filter, one that is asked in earnest pays a line of memory a question, and large databases
 * keep to their budget. A point get allocates nothing and searches the blocks where they lie.
 * `open` verifies footer, properties, filter (parts at their first use), range tombstones and top index, and that the file
 * is the one that the manifest names. Immutable but for its buffers; one thread. File layout in format.ts.
 */
import { describeBytes, equalBytes } from '../base/bytes.ts';
import { type PointResult, SEQUENCE_MAX } from '../base/entry.ts';
import { corruption } from '../base/errors.ts';
import { hashHigh } from '../base/hash.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { BlockView, validateBlock } from './block.ts';
import { lookUp } from './block-lookup.ts';
import { BlockLoader, TableCounters } from './block-loader.ts';
import { HeldBlock } from './held-block.ts';
import type { ColdReads, Piece } from './cold-reads.ts';
import { decodeLayout, Filter, hashPrefix } from './filter.ts';
import type { FilterMemory } from './filter-memory.ts';
import { FilterParts } from './filter-parts.ts';
import { readFooterBytes } from './footer-read.ts';
import {
  BLOCK_DATA,
  BLOCK_FILTER,
  BLOCK_FILTER_PART,
  BLOCK_PROPERTIES,
  BLOCK_RANGE_TOMBSTONES,
  BLOCK_TOP_INDEX,
  decodeFooter,
  FOOTER_BYTES,
  type Footer,
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
  /** Every entry counts as written at this sequence (tables that were ingested); what is stored counts without it. */
  readonly sequenceOverride?: number | undefined;
  readonly counters?: TableCounters | undefined;
  /** What filters in parts may take when they are held; no limit when it is not given. */
  readonly filterMemory?: FilterMemory | undefined;
  /** Lets other threads read for this one. */
  readonly cold?: ColdReads | undefined;
  /** The footer, when it was fetched already. */
  readonly tail?: Piece | undefined;
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
  /** In place of the stored sequence of every entry; 0: what is stored counts. */
  readonly sequenceOverride: number;
  /** The filter when it is held. */
  #filter: Filter | undefined;
  readonly #filterParts: FilterParts | undefined;
  /** Questions that the parts have answered. */
  #partsAsked = 0;
  readonly #filterMemory: FilterMemory | undefined;
  /** Counted in `#filterMemory`. */
  #filterTaken = 0;
  /** For the table cache: looked at since its last round. */
  used = true;
  /** For reads of many keys at once (table-gets.ts). */
  readonly loader: BlockLoader;
  readonly index: TableIndex;
  readonly #counters: TableCounters;
  readonly #heldBytes: number;

  private constructor(
    loader: BlockLoader,
    footer: Footer,
    filterMemory: FilterMemory | undefined,
    sequenceOverride: number,
  ) {
    const path = loader.path;
    this.sequenceOverride = sequenceOverride;
    this.path = path;
    this.fileNumber = loader.fileNumber;
    this.footer = footer;
    this.loader = loader;
    this.#counters = loader.counters;
    this.#filterMemory = filterMemory;

    const properties = loader.readWhole(footer.properties, BLOCK_PROPERTIES);
    this.properties = decodeProperties(properties, 0, properties.length, path, footer.properties.offset);
    if (sequenceOverride > 0) checkOneSequence(this.properties, path, footer.properties.offset);

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
      const { offset } = footer.filter;
      const layout = decodeLayout(bytes, 0, bytes.length, path, offset);
      if (layout.partLog === 0) this.#filter = Filter.decode(bytes, 0, bytes.length, path, offset);
      else this.#filterParts = new FilterParts(layout, path, offset);
    }
    loader.limitEntries(this.dataBytes);
    if (footer.rangeTombstones.length > 0) {
      const bytes = loader.readWhole(footer.rangeTombstones, BLOCK_RANGE_TOMBSTONES);
      const where = { file: path, offset: footer.rangeTombstones.offset };
      this.rangeTombstones = FragmentedTombstones.decode(bytes, 0, bytes.length, where);
    }
    this.index = new TableIndex(topView, loader);
    this.#heldBytes =
      FIXED_BYTES + (this.rangeTombstones?.memoryBytes ?? 0) + (this.#filterParts?.memoryBytes ?? 0);
    if (this.#filter !== undefined) this.#takeFilterMemory(this.#filter.memoryBytes);
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
      options.cold,
    );
    try {
      const footer = readFooter(loader, options);
      checkIdentity(footer, options);
      loader.setTable(footer.uniqueId, footer.fileBytes - FOOTER_BYTES);
      return new TableReader(loader, footer, options.filterMemory, options.sequenceOverride ?? 0);
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
    const filterBytes = this.#filter?.memoryBytes ?? 0;
    return this.#heldBytes + filterBytes + this.index.memoryBytes + this.loader.memoryBytes;
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
    const { sequenceOverride } = this;
    if (sequence < sequenceOverride || !this.mayContain(low, high)) return false;
    const index = this.index;
    const partition = index.find(key, start, end, sequence);
    if (partition === undefined) return false;
    const loader = this.loader;
    loader.fetchIndexed(partition, index.block);
    this.#counters.filterPositives++;
    if (lookUp(loader.bytes, loader.start, key, start, end, sequence, out)) {
      if (sequenceOverride > 0) out.sequence = sequenceOverride;
      return true;
    }
    this.#counters.filterFalsePositives++;
    return false;
  }

  /** What the filter says, counted; true without one. */
  mayContain(low: number, high: number): boolean {
    const filter = this.#filter;
    if (filter === undefined ? this.#askParts(low, high) : filter.mayContain(low, high)) return true;
    this.#counters.filterNegatives++;
    return false;
  }

  /**
   * Asks for what a `get` of the key would need but for the data block, while other threads read for this one; false when
   * the filter says that the key is not here. Counts nothing.
   */
  prepare(key: Uint8Array, low: number, high: number, sequence: number): boolean {
    const filter = this.#filter;
    const may = filter === undefined ? this.#askParts(low, high) : filter.mayContain(low, high);
    if (may) this.index.find(key, 0, key.length, sequence);
    return may;
  }

  /** Asks for what the filter will be asked, where it is held: see Filter.touch. */
  touchFilter(low: number): number {
    return this.#filter?.touch(low) ?? 0;
  }

  countFilterPositive(): void {
    this.#counters.filterPositives++;
  }

  countFalsePositive(): void {
    this.#counters.filterFalsePositives++;
  }

  /**
   * False: no entry's key begins with the first bytes of `key`, of which all keys that are asked for share `pinned`. True
   * when one may, or when the filter holds no prefixes that short. Says nothing about range tombstones.
   */
  mayContainPrefix(key: Uint8Array, pinned: number): boolean {
    const bytes = this.properties.filterPrefixBytes;
    if (bytes === 0 || bytes > pinned) return true;
    const low = hashPrefix(key, 0, bytes);
    const filter = this.#filter;
    const may =
      filter === undefined ? this.#askParts(low, hashHigh[0]!) : filter.mayContain(low, hashHigh[0]!);
    if (!may) this.#counters.prefixNegatives++;
    return may;
  }

  /** The answer of a filter that is not held, if there is one. */
  #askParts(low: number, high: number): boolean {
    const parts = this.#filterParts;
    if (parts === undefined) return true;
    const { loader } = this;
    const isCached = loader.caches(parts.start + parts.storedBytes);
    if (isCached && (this.#partsAsked < parts.count || !this.#hasFilterRoom(parts.lineBytes))) {
      this.#partsAsked++;
      return parts.mayContain(low, high, loader);
    }
    parts.wantAll(loader);
    const filter = runToEnd(parts.load(loader));
    this.#filter = filter;
    this.#takeFilterMemory(filter.memoryBytes);
    return filter.mayContain(low, high);
  }

  #hasFilterRoom(bytes: number): boolean {
    return this.#filterMemory === undefined || this.#filterMemory.hasRoom(bytes);
  }

  #takeFilterMemory(bytes: number): void {
    this.#filterTaken += bytes;
    this.#filterMemory?.take(bytes);
  }

  #giveFilterMemory(): void {
    this.#filterMemory?.give(this.#filterTaken);
    this.#filterTaken = 0;
  }

  /**
   * Reads the blocks of data and of the filter at `offsets`, which ascend, into the block cache, to stay; steps over offsets
   * where none begins. Yields after each. Blocks that lie close together are read at once.
   */
  *warm(offsets: readonly number[]): Generator<void, void> {
    const held = new HeldBlock(new ReadAhead(WARM_BYTES_MAX, false));
    for (const offset of offsets) {
      const partLength = this.#filterParts?.lengthAt(offset) ?? 0;
      const length = partLength > 0 ? partLength : this.index.lengthAt(offset);
      if (length > 0) {
        this.loader.aim(offset, length);
        const type = partLength > 0 ? BLOCK_FILTER_PART : BLOCK_DATA;
        for (let use = 0; use < WARM_USES; use++) this.loader.fetchInto(held, type, true);
      }
      yield;
    }
  }

  iterator(options: TableIteratorOptions = {}): TableIterator {
    return new TableIterator(this.loader, this.index, this.properties, options, this.sequenceOverride);
  }

  /** About how many bytes of the file lie before the key: offset of the block where it belongs. May read a partition. */
  approximateOffset(key: Uint8Array): number {
    const partition = this.index.find(key, 0, key.length, SEQUENCE_MAX);
    return partition === undefined ? this.dataBytes : partition.offset(this.index.block);
  }

  /** Bytes of the file up to the end of its data blocks and index partitions. */
  get dataBytes(): number {
    if (this.#filterParts !== undefined) return this.#filterParts.start;
    const { filter, rangeTombstones, topIndex } = this.footer;
    if (filter.length > 0) return filter.offset;
    return rangeTombstones.length > 0 ? rangeTombstones.offset : topIndex.offset;
  }

  /**
   * Reads every block from the file, past the cache: checksums, order, index, filter, properties. Yields after each block.
   * @throws VarveError corruption {file, offset}.
   */
  verify(): Generator<void, TableVerification> {
    const filter = this.#filterParts ?? this.#filter;
    return verifyTable(this, filter, this.loader.bypass(), this.index.top);
  }

  /** For dumps: a loader past the cache, the top index level, the parts of the filter. The caller closes the loader. */
  internals(): { loader: BlockLoader; top: BlockView; filterParts: FilterParts | undefined } {
    return { loader: this.loader.bypass(), top: this.index.top, filterParts: this.#filterParts };
  }

  /** Puts the file descriptor down; a read that misses the cache opens the file again, for itself only. */
  park(): void {
    this.#giveFilterMemory();
    this.loader.park();
  }

  /** For good: later reads of blocks throw `closed`. Idempotent. */
  close(): void {
    this.#giveFilterMemory();
    this.loader.close();
  }
}

function runToEnd<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function readFooter(loader: BlockLoader, { path, tail }: TableReaderOptions): Footer {
  if (tail !== undefined) return decodeFooter(tail.bytes, tail.fileBytes, path);
  const file = loader.file();
  const size = file.size();
  return decodeFooter(readFooterBytes(file, size, path), size, path);
}

/** A table whose entries all get one sequence from outside has none of its own: one version a key, nothing that covers. */
function checkOneSequence(properties: TableProperties, file: string, offset: number): void {
  const { entries, keys, rangeTombstones, largestSequence } = properties;
  if (entries === keys && rangeTombstones === 0 && largestSequence === 0) return;
  throw corruption('the manifest gives one sequence to a table that has several', {
    file,
    offset,
    entries,
    keys,
    rangeTombstones,
    largestSequence,
  });
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
