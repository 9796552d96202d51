/**
 * Writes one table: sorted entries in, file out. Flush and compaction jobs use it, on whatever thread they run.
 *
 * Blocks are cut before they pass `blockBytes`, sealed in a buffer and written in units of `bufferBytes`. The index entry
 * of a block waits for the next key, so that it can be a short separator. Nothing is allocated per entry.
 * The file is synced as it grows: with tens of megabytes left to the end, an fsync of the log would wait behind them.
 * The writer takes over the file handle: `finish` syncs and closes it, `abandon` closes it (the caller removes the file
 * and syncs the directory). File layout in format.ts; a failed write leaves the writer useless: abandon it.
 */
import { assert } from '../base/assert.ts';
import { copyRange, EMPTY, sharedPrefix } from '../base/bytes.ts';
import { KEY_BYTES_MAX, SEQUENCE_MAX, VALUE_BYTES_MAX } from '../base/entry.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { EXPIRY_BYTES, expiryOf, isExpiryIntact } from '../base/expiry.ts';
import { ExpiryTally } from '../base/expiry-tally.ts';
import { isPointKind, KIND_DELETE, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { type FileHandle, writeFully } from '../fs/file-system.ts';
import { BlockBuilder } from './block-builder.ts';
import { tableBounds } from './bounds.ts';
import { type CompressionName, compressRange, TRANSFORM_NONE, writableTransform } from './compression.ts';
import { hashPrefix } from './filter.ts';
import { FilterBuilder, PART_BYTES } from './filter-builder.ts';
import {
  BLOCK_DATA,
  BLOCK_FILTER,
  BLOCK_FILTER_PART,
  BLOCK_INDEX,
  BLOCK_PROPERTIES,
  BLOCK_RANGE_TOMBSTONES,
  BLOCK_TOP_INDEX,
  type BlockHandle,
  encodeFooter,
  FOOTER_BYTES,
  NO_BLOCK,
  TRAILER_BYTES,
  UNIQUE_ID_BYTES,
} from './format.ts';
import { IndexBuilder } from './index-builder.ts';
import { COMPARATOR, encodeProperties, type TableProperties } from './properties.ts';
import { shortestSeparator } from './separator.ts';
import { sealBlock, TableSeed } from './stored-block.ts';

export interface TableWriterOptions {
  /** Empty, opened for writing. */
  readonly file: FileHandle;
  /** 16 bytes that no other table has. */
  readonly uniqueId: Uint8Array;
  /** Raw size that a block does not pass unless a single entry does; 4096 by default. */
  readonly blockBytes?: number;
  /** 0: no filter; 10 by default. */
  readonly filterBitsPerKey?: number;
  /** The filter also holds the first so many bytes of each key that has them; 0 (default): it does not. */
  readonly filterPrefixBytes?: number;
  /** Larger filters lie in parts; 16 KiB by default. */
  readonly filterWholeBytesMax?: number;
  readonly compression?: CompressionName;
  /** Unit of writes; 256 KiB by default. */
  readonly bufferBytes?: number;
  /** Milliseconds since the epoch, from the clock seam; 0 by default. */
  readonly createdMs?: number;
}

/** What a finished table holds: its properties and what the manifest says about it. Plain data. */
export interface TableSummary extends TableProperties {
  readonly bytes: number;
  readonly uniqueId: Uint8Array;
}

/** Of a value as it is stored. */
const STORED_BYTES_MAX = VALUE_BYTES_MAX + EXPIRY_BYTES;
/** Bytes that may be written and not synced: the disk takes them in about 10 ms, where 64 MiB keep the log waiting for 40. */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024;

export class TableWriter {
  readonly #file: FileHandle;
  readonly #uniqueId: Uint8Array;
  readonly #seed: TableSeed;
  readonly #blockBytes: number;
  readonly #bitsPerKey: number;
  readonly #prefixBytes: number;
  readonly #compression: CompressionName;
  readonly #transform: number;
  readonly #createdMs: number;
  readonly #bufferBytes: number;
  readonly #block = new BlockBuilder();
  readonly #index: IndexBuilder;
  readonly #filter: FilterBuilder;
  /** Sealed blocks that are not written yet; they begin at `#outOffset` of the file. */
  #out: Uint8Array;
  #outEnd = 0;
  #outOffset = 0;
  /** The file is synced up to here. */
  #synced = 0;
  #scratch: Uint8Array = EMPTY;
  /** The block written last. */
  lastOffset = 0;
  lastLength = 0;
  /** A data block is written whose index entry waits for the next key. */
  #pending = false;
  #firstKey = EMPTY;
  #lastKey = new Uint8Array(256);
  #lastKeyLength = 0;
  #lastSequence = 0;
  #separator = new Uint8Array(256);
  #tombstones = FragmentedTombstones.none;
  #entries = 0;
  #deletes = 0;
  readonly #expiry = new ExpiryTally();
  #keys = 0;
  #keyBytes = 0;
  #valueBytes = 0;
  #smallestSequence = SEQUENCE_MAX;
  #largestSequence = 0;
  #dataBlocks = 0;
  #open = true;

  /** @throws VarveError `CODEC_UNAVAILABLE` (invalid): the runtime can not write the asked compression. */
  constructor(options: TableWriterOptions) {
    assert(options.uniqueId.length === UNIQUE_ID_BYTES, 'a table id has 16 bytes');
    this.#compression = options.compression ?? 'none';
    this.#transform = writableTransform(this.#compression);
    this.#file = options.file;
    this.#uniqueId = options.uniqueId.slice();
    this.#seed = new TableSeed(options.uniqueId);
    this.#blockBytes = options.blockBytes ?? 4096;
    this.#bitsPerKey = options.filterBitsPerKey ?? 10;
    this.#prefixBytes = this.#bitsPerKey > 0 ? (options.filterPrefixBytes ?? 0) : 0;
    this.#createdMs = options.createdMs ?? 0;
    this.#bufferBytes = options.bufferBytes ?? 256 * 1024;
    this.#out = new Uint8Array(this.#bufferBytes);
    this.#index = new IndexBuilder(this, BLOCK_INDEX, this.#blockBytes);
    this.#filter = new FilterBuilder(this.#bitsPerKey, options.filterWholeBytesMax);
  }

  /** Point entries so far. */
  get entries(): number {
    return this.#entries;
  }

  /** Close to what the file would have if it were finished now (compression of the current block apart). */
  get estimatedBytes(): number {
    return (
      this.#outOffset +
      this.#outEnd +
      this.#block.bytes +
      this.#index.pendingBytes +
      this.#filter.bytes +
      FOOTER_BYTES
    );
  }

  /**
   * Adds a point entry; entries come in internal order (asserted). `shared`: how many bytes its key has in common with the
   * key added last, from whoever knows.
   */
  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    sequence: number,
    kind: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    shared: number = sharedPrefix(this.#lastKey, 0, this.#lastKeyLength, key, keyStart, keyEnd),
  ): void {
    const length = keyEnd - keyStart;
    const valueLength = valueEnd - valueStart;
    if (this.#entries === 0) this.#firstKey = key.slice(keyStart, keyEnd);
    const order = this.#entries === 0 ? -1 : this.#orderOfLast(shared, key, keyStart, length);
    this.#check(order, length, sequence, kind, valueLength);
    if (this.#pending) this.#addIndexEntry(order, key, keyStart, keyEnd);
    const block = this.#block;
    const limit = this.#blockBytes;
    if (!block.addWithin(limit, shared, key, keyStart, keyEnd, sequence, kind, value, valueStart, valueEnd)) {
      this.#cutBlock();
      this.#addIndexEntry(order, key, keyStart, keyEnd);
      block.add(key, keyStart, keyEnd, sequence, kind, value, valueStart, valueEnd);
    }
    if (order !== 0) {
      this.#keys++;
      if (this.#bitsPerKey > 0) this.#filter.add(hashKey(key, keyStart, keyEnd), hashHigh[0]);
      if (this.#prefixBytes > 0) this.#addPrefix(shared, key, keyStart, length);
      if (length > this.#lastKey.length) this.#lastKey = new Uint8Array(length * 2);
      copyRange(key, keyStart, keyEnd, this.#lastKey, 0);
      this.#lastKeyLength = length;
    }
    this.#lastSequence = sequence;
    this.#entries++;
    this.#keyBytes += length;
    this.#valueBytes += valueLength;
    if (kind === KIND_DELETE) this.#deletes++;
    else if (kind === KIND_PUT_EXPIRY) {
      assert(isExpiryIntact(value, valueStart, valueEnd), 'a value that expires begins with its expiry');
      this.#expiry.add(expiryOf(value, valueStart));
    }
    if (sequence < this.#smallestSequence) this.#smallestSequence = sequence;
    if (sequence > this.#largestSequence) this.#largestSequence = sequence;
    // Only an entry that is over the limit alone gets there.
    if (block.count === 1 && block.bytes > limit) this.#cutBlock();
  }

  /** How the key added last orders against the next one, with which it shares so many bytes. */
  #orderOfLast(shared: number, key: Uint8Array, start: number, length: number): number {
    const lastLength = this.#lastKeyLength;
    if (shared === length || shared === lastLength) return lastLength - length;
    return this.#lastKey[shared]! - key[start + shared]!;
  }

  /** Adds the prefix of a key to the filter, if the key before, with which it shares so many bytes, has another one. */
  #addPrefix(shared: number, key: Uint8Array, start: number, length: number): void {
    const bytes = this.#prefixBytes;
    if (length < bytes || (this.#keys > 1 && shared >= bytes)) return;
    this.#filter.add(hashPrefix(key, start, start + bytes), hashHigh[0]);
  }

  #check(order: number, length: number, sequence: number, kind: number, valueLength: number): void {
    assert(this.#open, 'the table is finished');
    assert(order < 0 || (order === 0 && sequence < this.#lastSequence), 'entries come in internal order');
    assert(length <= KEY_BYTES_MAX && valueLength <= STORED_BYTES_MAX, 'keys and values keep their limits');
    assert(sequence >= 0 && sequence <= SEQUENCE_MAX, 'a sequence is a safe integer');
    assert(isPointKind(kind), 'only point entries of known kinds');
  }

  /** Sets the table's range tombstones; at most once, at any time before `finish`. */
  addRangeTombstones(tombstones: FragmentedTombstones): void {
    assert(this.#open && this.#tombstones.isEmpty, 'range tombstones are added once');
    this.#tombstones = tombstones;
  }

  /** Writes the rest, syncs and closes the file. The caller syncs the directory. */
  finish(): TableSummary {
    const tombstones = this.#tombstones;
    assert(this.#open, 'the table is finished');
    assert(this.#entries > 0 || !tombstones.isEmpty, 'an empty table is abandoned, not finished');
    if (this.#block.count > 0) this.#cutBlock();
    if (this.#pending) this.#addIndexEntry(-1, EMPTY, 0, 0);
    const top = this.#index.finish();
    const filter = this.#writeFilter();
    const rangeTombstones = this.#writeOptional(
      tombstones.isEmpty ? undefined : tombstones.encode(),
      BLOCK_RANGE_TOMBSTONES,
    );
    this.writeBlock(top, BLOCK_TOP_INDEX);
    const topIndex = this.#last();
    const properties = this.#properties();
    this.#writeBytes(encodeProperties(properties), BLOCK_PROPERTIES);
    const fileBytes = this.#outOffset + this.#outEnd + FOOTER_BYTES;
    this.#reserve(FOOTER_BYTES);
    const footer = encodeFooter({
      topIndex,
      properties: this.#last(),
      filter,
      rangeTombstones,
      uniqueId: this.#uniqueId,
      fileBytes,
    });
    this.#out.set(footer, this.#outEnd);
    this.#outEnd += FOOTER_BYTES;
    this.#flush();
    this.#file.sync();
    this.abandon();
    return { ...properties, bytes: fileBytes, uniqueId: this.#uniqueId };
  }

  /** Closes the file as it is. Idempotent. */
  abandon(): void {
    this.#open = false;
    this.#out = EMPTY;
    this.#scratch = EMPTY;
    this.#block.clear();
    this.#file.close();
  }

  #properties(): TableProperties {
    const expiry = this.#expiry.facts();
    const tombstones = this.#tombstones;
    const hasPoints = this.#entries > 0;
    const lastKey = hasPoints ? this.#lastKey.slice(0, this.#lastKeyLength) : undefined;
    return {
      entries: this.#entries,
      tombstones: this.#deletes,
      rangeTombstones: tombstones.count,
      keys: this.#keys,
      rawKeyBytes: this.#keyBytes,
      rawValueBytes: this.#valueBytes,
      smallestSequence: tombstones.isEmpty
        ? this.#smallestSequence
        : Math.min(this.#smallestSequence, tombstones.smallestSequence),
      largestSequence: Math.max(this.#largestSequence, tombstones.largestSequence),
      ...tableBounds(hasPoints ? this.#firstKey : undefined, lastKey, tombstones),
      createdMs: this.#createdMs,
      dataBlocks: this.#dataBlocks,
      indexPartitions: this.#index.partitions,
      filterBitsPerKey: this.#bitsPerKey,
      filterPrefixBytes: this.#prefixBytes,
      ...(expiry !== undefined && { expiry }),
      comparator: COMPARATOR,
      compression: this.#compression,
    };
  }

  #cutBlock(): void {
    this.writeBlock(this.#block, BLOCK_DATA);
    this.#dataBlocks++;
    this.#pending = true;
  }

  /** Adds the waiting block to the index, now that the key after it (or the end, `order` < 0 and no key) is known. */
  #addIndexEntry(order: number, key: Uint8Array, start: number, end: number): void {
    this.#pending = false;
    const lastLength = this.#lastKeyLength;
    // A user key that goes on in the next block is told apart by its sequence. An empty key is never after another one.
    if (order === 0 || end === start) {
      const sequence = order === 0 ? this.#lastSequence : 0;
      this.#index.add(this.#lastKey, lastLength, sequence, this.lastOffset, this.lastLength);
      return;
    }
    if (lastLength > this.#separator.length) this.#separator = new Uint8Array(lastLength * 2);
    const length = shortestSeparator(this.#lastKey, lastLength, key, start, end, this.#separator);
    this.#index.add(this.#separator, length, 0, this.lastOffset, this.lastLength);
  }

  /** Lays out, transforms and seals a block at the end of the file; empties the builder. For the index builder too. */
  writeBlock(builder: BlockBuilder, type: number): void {
    const raw = builder.bytes;
    const transform = type === BLOCK_DATA ? this.#transform : TRANSFORM_NONE;
    if (transform !== TRANSFORM_NONE) {
      if (raw > this.#scratch.length) this.#scratch = new Uint8Array(raw);
      builder.finish(this.#scratch, 0);
      const packed = compressRange(transform, this.#scratch, 0, raw);
      if (packed === undefined) this.#append(this.#scratch.subarray(0, raw), type, TRANSFORM_NONE, raw);
      else this.#append(packed, type, transform, raw);
      if (raw > this.#out.length) this.#scratch = EMPTY;
      return;
    }
    this.#reserve(raw + TRAILER_BYTES);
    this.#seal(builder.finish(this.#out, this.#outEnd), type, TRANSFORM_NONE, raw);
  }

  #writeBytes(payload: Uint8Array, type: number): BlockHandle {
    this.#append(payload, type, TRANSFORM_NONE, payload.length);
    return this.#last();
  }

  #writeFilter(): BlockHandle {
    const payload = this.#filter.finish();
    const { parts } = this.#filter;
    for (let at = 0; at < parts.length; at += PART_BYTES) {
      this.#writeBytes(parts.subarray(at, at + PART_BYTES), BLOCK_FILTER_PART);
    }
    return this.#writeOptional(payload, BLOCK_FILTER);
  }

  #writeOptional(payload: Uint8Array | undefined, type: number): BlockHandle {
    return payload === undefined ? NO_BLOCK : this.#writeBytes(payload, type);
  }

  #append(payload: Uint8Array, type: number, transform: number, rawLength: number): void {
    this.#reserve(payload.length + TRAILER_BYTES);
    this.#out.set(payload, this.#outEnd);
    this.#seal(this.#outEnd + payload.length, type, transform, rawLength);
  }

  /** Puts the trailer behind the payload that ends at `payloadEnd` of the buffer. */
  #seal(payloadEnd: number, type: number, transform: number, rawLength: number): void {
    const start = this.#outEnd;
    const offset = this.#outOffset + start;
    this.#outEnd = sealBlock(this.#out, start, payloadEnd, type, transform, rawLength, this.#seed, offset);
    this.lastOffset = offset;
    this.lastLength = this.#outEnd - start;
  }

  #last(): BlockHandle {
    return { offset: this.lastOffset, length: this.lastLength };
  }

  /** Makes room for `bytes` more in the buffer; a block larger than the buffer gets a larger one for the moment. */
  #reserve(bytes: number): void {
    if (this.#outEnd + bytes <= this.#out.length) return;
    this.#flush();
    if (this.#outOffset - this.#synced >= UNSYNCED_BYTES_MAX) {
      this.#file.dataSync();
      this.#synced = this.#outOffset;
    }
    const wanted = Math.max(bytes, this.#bufferBytes);
    if (wanted > this.#out.length || this.#out.length > this.#bufferBytes) this.#out = new Uint8Array(wanted);
  }

  #flush(): void {
    writeFully(this.#file, this.#out, 0, this.#outEnd, this.#outOffset);
    this.#outOffset += this.#outEnd;
    this.#outEnd = 0;
  }
}
