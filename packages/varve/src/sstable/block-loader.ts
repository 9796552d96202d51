/**
 * Gets the blocks of one table from the cache or the file, checked. Point gets search where the block lies (`fetch`),
 * walks take a block of their own (`fetchInto`), because the cache may evict theirs between two moves.
 *
 * A block enters the cache only after its checksum and its structure were verified, so a hit is believed.
 * The file is opened when it is needed and can be put down between reads (`park`): the table cache limits descriptors that way.
 * One thread.
 */
import { EMPTY } from '../base/bytes.ts';
import { closed, corruption } from '../base/errors.ts';
import { ByteReader } from '../base/varint.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import { type FileHandle, type FileSystem, readFully } from '../fs/file-system.ts';
import { validateBlob } from './blob-format.ts';
import { type BlockView, validateBlock } from './block.ts';
import { touchBlock } from './block-lookup.ts';
import { COLD, type ColdAttempt, type ColdReads } from './cold-reads.ts';
import type { FlatIndex } from './flat-index.ts';
import { BLOCK_BLOB, BLOCK_DATA, BLOCK_FILTER_PART, type BlockHandle, TRAILER_BYTES } from './format.ts';
import type { HeldBlock } from './held-block.ts';
import type { ReadAhead } from './read-ahead.ts';
import { Scratch } from './scratch.ts';
import { OpenedBlock, type ReadTarget, TableSeed } from './stored-block.ts';

/** Read buffers up to this size are kept for the next read. */
const KEEP_BYTES_MAX = 1024 * 1024;
/** The cache keys blocks by 32-bit offsets. */
const CACHED_OFFSET_MAX = 0xffffffff;
/** Larger values would push out too much else (CONTRACT 7). */
const CACHED_BYTES_MAX = 1024 * 1024;

/** Counts of what table reads did; shared by many readers, summed up by their owner. */
export class TableCounters {
  /** Lookups that the filter answered with no. */
  filterNegatives = 0;
  /** Tables that a range left out because the filter knows no key with its prefix. */
  prefixNegatives = 0;
  /** Lookups that the filter let through. */
  filterPositives = 0;
  /** Of these, lookups that found nothing at all under the key. */
  filterFalsePositives = 0;
  /** Blocks that came from the file. */
  blocksRead = 0;
  /** Their stored bytes. */
  blockBytesRead = 0;
}

const handleReader = new ByteReader(EMPTY);
const opened = new OpenedBlock();
/** What expanded blocks go into on their way to the cache. */
const scratch = new Scratch();

export class BlockLoader {
  readonly path: string;
  readonly fileNumber: number;
  readonly counters: TableCounters;
  uniqueId: Uint8Array = EMPTY;
  readonly #fs: FileSystem;
  readonly #cache: BlockCache | undefined;
  readonly #cold: ColdReads | undefined;
  #file: FileHandle | undefined;
  #parked = false;
  #closed = false;
  #seed: TableSeed;
  /** Blocks end at or before this offset. */
  #limit: number;
  /** Data blocks and index partitions end at or before this one: parts of a filter behind it are never taken for them. */
  #entriesLimit: number;
  #stored: Uint8Array = EMPTY;
  /** The block of the last `fetch`: lent until the next call. */
  bytes: Uint8Array = EMPTY;
  start = 0;
  /** Of the lines that were touched: what nobody keeps is not read. */
  touched = 0;
  /** The handle that `readHandle` read last. */
  handleOffset = 0;
  handleLength = 0;

  constructor(
    fs: FileSystem,
    path: string,
    fileNumber: number,
    cache: BlockCache | undefined,
    counters: TableCounters,
    cold?: ColdReads,
  ) {
    this.#fs = fs;
    this.#cold = cold;
    this.path = path;
    this.fileNumber = fileNumber;
    this.#cache = cache;
    this.counters = counters;
    this.#seed = new TableSeed(new Uint8Array(16));
    this.#limit = 0;
    this.#entriesLimit = 0;
  }

  /** Says what the footer told: whose blocks these are and where they end. Before the first block is read. */
  setTable(uniqueId: Uint8Array, limit: number): void {
    this.uniqueId = uniqueId;
    this.#seed = new TableSeed(uniqueId);
    this.#limit = limit;
    this.#entriesLimit = limit;
  }

  /** Says where data blocks and index partitions end. Before the first handle is read. */
  limitEntries(limit: number): void {
    this.#entriesLimit = limit;
  }

  /** A second loader of the same table that bypasses the cache, with its own descriptor. */
  bypass(): BlockLoader {
    const loader = new BlockLoader(this.#fs, this.path, this.fileNumber, undefined, this.counters);
    loader.#seed = this.#seed;
    loader.#limit = this.#limit;
    loader.#entriesLimit = this.#entriesLimit;
    return loader;
  }

  /** The open file. @throws VarveError closed, io. */
  file(): FileHandle {
    if (this.#closed) throw closed('the table', { file: this.path });
    this.#file ??= this.#fs.open(this.path, 'read');
    return this.#file;
  }

  /** Puts the descriptor down; from now on each read opens the file for itself, so that none is left open. */
  park(): void {
    this.#parked = true;
    this.#putDown();
  }

  #putDown(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** For good. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#putDown();
    this.#stored = EMPTY;
    this.bytes = EMPTY;
  }

  get memoryBytes(): number {
    return this.#stored.length;
  }

  /** Names the block that is fetched next by its place in the file. */
  aim(offset: number, length: number): void {
    this.handleOffset = offset;
    this.handleLength = length;
  }

  /** Reads the handle that entry `index` of an index block holds into `handleOffset` and `handleLength`. */
  readHandle(view: BlockView, index: number): void {
    handleReader.reset(view.bytes, view.valueStart(index), view.valueStart(index + 1));
    this.handleOffset = handleReader.varint();
    this.handleLength = handleReader.varint();
    if (handleReader.failed || handleReader.at !== handleReader.end) {
      throw corruption('an index entry holds no block handle', {
        file: this.path,
        offset: this.handleOffset,
      });
    }
    if (this.handleOffset + this.handleLength > this.#entriesLimit) {
      throw this.#past(this.handleOffset, this.handleLength);
    }
  }

  /** Can a block at this offset stay in the cache? */
  caches(offset: number): boolean {
    return this.#cache !== undefined && this.#cache.memory.length > 0 && offset <= CACHED_OFFSET_MAX;
  }

  /** Is the block at this offset in the cache? */
  hasCached(offset: number): boolean {
    return offset <= CACHED_OFFSET_MAX && this.#cache?.has(this.fileNumber, offset) === true;
  }

  /** Makes the block that `readHandle` or `aim` named available in `bytes` from `start`, in place. */
  fetch(type: number): void {
    const cache = this.#cache;
    const offset = this.handleOffset;
    if (cache !== undefined && offset <= CACHED_OFFSET_MAX) {
      const slot = cache.lookup(this.fileNumber, offset);
      if (slot >= 0) {
        this.bytes = cache.memory;
        this.start = slot;
        return;
      }
    }
    this.#miss(type, undefined);
  }

  #miss(type: number, readAhead: ReadAhead | undefined): void {
    const room = this.caches(this.handleOffset) ? scratch.room : undefined;
    this.#load(this.handleOffset, this.handleLength, type, { readAhead, room });
    const slot = this.#insert(this.handleOffset);
    if (slot >= 0) {
      this.bytes = this.#cache!.memory;
      this.start = slot;
    } else {
      this.bytes = scratch.lends(opened.bytes) ? opened.bytes.slice() : opened.bytes;
      this.start = opened.start;
    }
    opened.clear();
  }

  /** The same for the data block of an entry of an unpacked index, which remembers where it was found. */
  fetchIndexed(index: FlatIndex, entry: number): void {
    const slot = this.slotOf(index, entry);
    if (slot < 0) this.load(index, entry, undefined);
    else {
      const memory = this.cacheMemory;
      this.touched ^= touchBlock(memory, slot);
      this.bytes = memory;
      this.start = slot;
    }
  }

  /** Where in `cacheMemory` that data block lies; -1 when it is not there. */
  slotOf(index: FlatIndex, entry: number): number {
    const cache = this.#cache;
    const offset = index.offset(entry);
    if (cache === undefined || offset > CACHED_OFFSET_MAX) return -1;
    const slot = cache.lookupNear(index.slot(entry), this.fileNumber, offset);
    if (slot >= 0) index.setSlot(entry, slot);
    return slot;
  }

  /** Reads what `slotOf` will, so that the processor has it. */
  touchSlot(index: FlatIndex, entry: number): number {
    return this.#cache === undefined ? 0 : index.offset(entry) ^ this.#cache.touch(index.slot(entry));
  }

  get cacheMemory(): Uint8Array {
    return this.#cache === undefined ? EMPTY : this.#cache.memory;
  }

  /** Makes that data block, which is not in the cache, available as `fetch` does; out of `readAhead` if it is there. */
  load(index: FlatIndex, entry: number, readAhead: ReadAhead | undefined): void {
    this.aim(index.offset(entry), index.length(entry));
    this.#miss(BLOCK_DATA, readAhead);
  }

  /** Fills the buffer with [from, to) of the file, which are blocks. */
  readAhead(readAhead: ReadAhead, from: number, to: number): void {
    try {
      readAhead.fill(this.file(), from, Math.min(to, this.#limit));
    } finally {
      if (this.#parked) this.#putDown();
    }
  }

  /** Makes a part of the filter available as `fetchIndexed` does a data block; `slots` remembers where each was found. */
  fetchFilterPart(slots: Uint32Array, part: number, offset: number, length: number): void {
    const cache = this.#cache;
    if (cache !== undefined && offset <= CACHED_OFFSET_MAX) {
      const slot = cache.lookupNear(slots[part]!, this.fileNumber, offset);
      if (slot >= 0) {
        slots[part] = slot;
        this.bytes = cache.memory;
        this.start = slot;
        return;
      }
    }
    this.aim(offset, length);
    this.#miss(BLOCK_FILTER_PART, undefined);
  }

  /** Puts the block that `readHandle` or `aim` named into `target`, which keeps it whatever else is read. */
  fetchInto(target: HeldBlock, type: number, fillCache: boolean): void {
    const cache = this.#cache;
    const offset = this.handleOffset;
    if (cache !== undefined && offset <= CACHED_OFFSET_MAX) {
      const slot = cache.lookup(this.fileNumber, offset);
      // 0: another thread took it out just now, which is a miss.
      const cached = slot >= 0 ? cache.lengthAt(slot) : 0;
      if (cached > 0) {
        target.copy(cache.memory, slot, cached);
        return;
      }
    }
    this.#load(offset, this.handleLength, type, target);
    if (fillCache) this.#insert(offset);
    if (opened.bytes === this.#stored) target.copy(opened.bytes, opened.start, opened.length);
    else target.lend(opened.bytes, opened.start);
    opened.clear();
  }

  /** A fresh copy of the raw payload of a block that is not one of sorted entries. */
  readWhole(handle: BlockHandle, type: number): Uint8Array {
    this.#read(handle.offset, handle.length, type, undefined);
    const copy = opened.bytes.slice(opened.start, opened.start + opened.length);
    opened.clear();
    return copy;
  }

  /** Transform and raw length of a block, for dumps; reads it. */
  inspect(offset: number, length: number, type: number): { transform: number; rawBytes: number } {
    this.#read(offset, length, type, undefined);
    const result = { transform: opened.transform, rawBytes: opened.length };
    opened.clear();
    return result;
  }

  #insert(offset: number): number {
    const cache = this.#cache;
    if (cache === undefined || offset > CACHED_OFFSET_MAX || opened.length > CACHED_BYTES_MAX) return -1;
    return cache.insert(this.fileNumber, offset, opened.bytes, opened.start, opened.length);
  }

  #load(offset: number, length: number, type: number, target: ReadTarget | undefined): void {
    this.#read(offset, length, type, target);
    if (type === BLOCK_BLOB) {
      if (!opened.isChecked) validateBlob(opened.bytes, opened.start, opened.length, this.path, offset);
    } else if (type !== BLOCK_FILTER_PART) {
      if (opened.isChecked) return;
      validateBlock(opened.bytes, opened.start, opened.length, this.path, offset);
    } else if (opened.length !== length - TRAILER_BYTES) {
      throw corruption('a part of the filter has a wrong length', { file: this.path, offset, length });
    }
  }

  /** Leaves the block in `opened`. */
  #read(offset: number, length: number, type: number, target: ReadTarget | undefined): void {
    const attempt = this.#cold?.attempt;
    if (attempt !== undefined && this.#takePiece(attempt, offset, length, type)) return;
    try {
      this.#readFrom(this.file(), offset, length, type, target);
    } finally {
      if (this.#parked) this.#putDown();
    }
  }

  /** Another thread has read it; false when it could not, COLD when it shall. */
  #takePiece(attempt: ColdAttempt, offset: number, length: number, type: number): boolean {
    const piece = attempt.find(this.fileNumber, offset);
    if (piece === undefined) {
      this.want(attempt, offset, length, type);
      throw COLD;
    }
    if (piece.isFailed) return false;
    this.counters.blocksRead++;
    this.counters.blockBytesRead += length;
    opened.take(piece);
    return true;
  }

  /** Asks for a piece of this table. */
  want(attempt: ColdAttempt, offset: number, length: number, type: number): void {
    if (offset + length > this.#limit) throw this.#past(offset, length);
    attempt.want({ file: this.fileNumber, path: this.path, uniqueId: this.uniqueId, offset, length, type });
  }

  /** The attempt that reads of this table are part of at the moment. */
  get attempt(): ColdAttempt | undefined {
    return this.#cold?.attempt;
  }

  #readFrom(
    file: FileHandle,
    offset: number,
    length: number,
    type: number,
    target: ReadTarget | undefined,
  ): void {
    if (offset + length > this.#limit) throw this.#past(offset, length);
    this.counters.blocksRead++;
    this.counters.blockBytesRead += length;
    const readAhead = target?.readAhead;
    if (readAhead !== undefined) {
      const at = readAhead.read(file, offset, length, this.#limit);
      if (at < 0) throw this.#short(offset, length);
      opened.open(readAhead.bytes, at, length, type, this.#seed, this.path, offset, target);
      return;
    }
    let buffer = this.#stored;
    if (length > buffer.length) {
      buffer = new Uint8Array(length);
      if (length <= KEEP_BYTES_MAX) this.#stored = buffer;
    }
    if (readFully(file, buffer, 0, length, offset) < length) throw this.#short(offset, length);
    opened.open(buffer, 0, length, type, this.#seed, this.path, offset, target);
  }

  #past(offset: number, length: number): Error {
    return corruption('a block handle points past the blocks of the table', {
      file: this.path,
      offset,
      length,
    });
  }

  #short(offset: number, length: number): Error {
    return corruption('the file ends inside a block', { file: this.path, offset, length });
  }
}
