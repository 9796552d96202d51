/**
 * Reads a whole table and believes nothing: every block from the file, order of entries, index against blocks, filter and
 * properties against what is there, and no byte of the file outside of a block.
 *
 * A generator that yields after every block, so that scrubbing runs in time slices or in a worker. Used by `verify` of the
 * command line, by scrub and by tests.
 */
import { compareBytes, compareRanges, copyRange, describeBytes, equalBytes } from '../base/bytes.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import { corruption } from '../base/errors.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { expiryOf } from '../base/expiry.ts';
import { type ExpiryFacts, ExpiryTally } from '../base/expiry-tally.ts';
import { KIND_DELETE, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { BlockView } from './block.ts';
import type { BlockLoader } from './block-loader.ts';
import { HeldBlock } from './held-block.ts';
import { tableBounds } from './bounds.ts';
import { Filter, hashPrefix } from './filter.ts';
import type { FilterParts } from './filter-parts.ts';
import { BLOCK_DATA, BLOCK_INDEX, FOOTER_BYTES, type Footer } from './format.ts';
import type { TableProperties } from './properties.ts';
import { ReadAhead } from './read-ahead.ts';

const NO_EXPIRY: ExpiryFacts = { expiring: 0, earliestExpiry: 0, latestExpiry: 0 };

/** What was read. */
export interface TableVerification {
  /** All blocks, those that `open` reads included. */
  readonly blocks: number;
  readonly entries: number;
  /** Length of the file. */
  readonly bytes: number;
}

/** The parts of a TableReader that are checked. */
export interface VerifiableTable {
  readonly path: string;
  readonly footer: Footer;
  readonly properties: TableProperties;
  readonly rangeTombstones: FragmentedTombstones | undefined;
}

/** Runs with a loader of its own, which it closes. */
export function* verifyTable(
  table: VerifiableTable,
  filter: Filter | FilterParts | undefined,
  loader: BlockLoader,
  top: BlockView,
): Generator<void, TableVerification> {
  try {
    const parts = filter instanceof Filter ? undefined : filter;
    const whole = filter instanceof Filter ? filter : undefined;
    const check = new EntryCheck(table, parts === undefined ? whole : yield* parts.load(loader));
    const held = new HeldBlock(new ReadAhead(256 * 1024, true));
    const partitionHeld = new HeldBlock();
    const partition = new BlockView();
    const block = new BlockView();
    const { footer } = table;
    let blocks = parts?.count ?? 0;
    let bytes = FOOTER_BYTES + (parts?.storedBytes ?? 0);
    for (const handle of [footer.topIndex, footer.properties, footer.filter, footer.rangeTombstones]) {
      if (handle.length > 0) blocks++;
      bytes += handle.length;
    }
    let dataBlocks = 0;
    for (let i = 0; i < top.count; i++) {
      loader.readHandle(top, i);
      loader.fetchInto(partitionHeld, BLOCK_INDEX, false);
      bytes += loader.handleLength;
      const partitionOffset = loader.handleOffset;
      partition.open(partitionHeld.bytes, partitionHeld.start);
      blocks++;
      yield;
      for (let j = 0; j < partition.count; j++) {
        loader.readHandle(partition, j);
        loader.fetchInto(held, BLOCK_DATA, false);
        bytes += loader.handleLength;
        block.open(held.bytes, held.start);
        check.block(block, loader.handleOffset);
        check.separator(partition, j, partitionOffset, true);
        blocks++;
        dataBlocks++;
        yield;
      }
      check.separator(top, i, footer.topIndex.offset, false);
    }
    const offset = footer.properties.offset;
    check.expect('index partitions', table.properties.indexPartitions, top.count, offset);
    check.expect('data blocks', table.properties.dataBlocks, dataBlocks, offset);
    check.expect('bytes in blocks', footer.fileBytes, bytes, 0);
    check.finish(offset);
    return { blocks, entries: check.entries, bytes };
  } finally {
    loader.close();
  }
}

/** Goes along with the entries of the whole table. */
class EntryCheck {
  readonly #table: VerifiableTable;
  readonly #filter: Filter | undefined;
  #key: Uint8Array = new Uint8Array(256);
  #keyLength = 0;
  #sequence = 0;
  #other: Uint8Array = new Uint8Array(256);
  #separator: Uint8Array = new Uint8Array(0);
  #separatorSequence = 0;
  #firstKey: Uint8Array | undefined;
  #deletes = 0;
  #keys = 0;
  #keyBytes = 0;
  #valueBytes = 0;
  #smallest = SEQUENCE_MAX;
  #largest = 0;
  readonly #expiry = new ExpiryTally();
  entries = 0;

  constructor(table: VerifiableTable, filter: Filter | undefined) {
    this.#table = table;
    this.#filter = filter;
  }

  block(block: BlockView, offset: number): void {
    if (block.count === 0) throw this.#bad('a data block is empty', offset);
    for (let i = 0; i < block.count; i++) this.#entry(block, i, offset);
  }

  #entry(block: BlockView, index: number, offset: number): void {
    const length = this.#assemble(block, index);
    const sequence = block.sequence(index);
    const order =
      this.entries === 0 ? -1 : compareRanges(this.#key, 0, this.#keyLength, this.#other, 0, length);
    if (order > 0 || (order === 0 && sequence >= this.#sequence))
      throw this.#bad('entries are out of order', offset);
    if (this.#separator.length > 0 || this.#separatorSequence > 0) this.#checkAbove(length, sequence, offset);
    if (order !== 0) {
      this.#keys++;
      this.#checkFilter(length);
    }
    if (this.entries === 0) this.#firstKey = this.#other.slice(0, length);
    [this.#key, this.#other] = [this.#other, this.#key];
    this.#keyLength = length;
    this.#sequence = sequence;
    this.entries++;
    this.#keyBytes += length;
    this.#valueBytes += block.valueStart(index + 1) - block.valueStart(index);
    const kind = block.kind(index);
    if (kind === KIND_DELETE) this.#deletes++;
    else if (kind === KIND_PUT_EXPIRY) this.#expiry.add(expiryOf(block.bytes, block.valueStart(index)));
    this.#smallest = Math.min(this.#smallest, sequence);
    this.#largest = Math.max(this.#largest, sequence);
  }

  /** The filter knows the key in `#other` and its prefix. */
  #checkFilter(length: number): void {
    const filter = this.#filter;
    if (filter === undefined) return;
    const { offset } = this.#table.footer.filter;
    const low = hashKey(this.#other, 0, length);
    if (!filter.mayContain(low, hashHigh[0])) {
      throw this.#bad('the filter does not contain a key of the table', offset);
    }
    const prefixBytes = this.#table.properties.filterPrefixBytes;
    if (prefixBytes === 0 || length < prefixBytes) return;
    const prefixLow = hashPrefix(this.#other, 0, prefixBytes);
    if (!filter.mayContain(prefixLow, hashHigh[0])) {
      throw this.#bad('the filter does not contain the prefix of a key of the table', offset);
    }
  }

  /** Copies the whole key into `#other`; returns its length. */
  #assemble(block: BlockView, index: number): number {
    const from = block.suffixStart(index);
    const to = block.suffixStart(index + 1);
    const length = block.prefixLength + to - from;
    if (length > this.#other.length) this.#other = new Uint8Array(length * 2);
    copyRange(block.bytes, block.prefixStart, block.prefixStart + block.prefixLength, this.#other, 0);
    copyRange(block.bytes, from, to, this.#other, block.prefixLength);
    return length;
  }

  /** The entry in `#other` lies above the index key of the block before. */
  #checkAbove(length: number, sequence: number, offset: number): void {
    const order = compareRanges(this.#separator, 0, this.#separator.length, this.#other, 0, length);
    if (order > 0 || (order === 0 && sequence >= this.#separatorSequence)) {
      throw this.#bad('an entry lies below the index key of the block before', offset);
    }
  }

  /** Index entry `index` lies at or above all entries so far; the next entries must lie above it when `keep`. */
  separator(index: BlockView, at: number, offset: number, keep: boolean): void {
    const length = this.#assemble(index, at);
    const sequence = index.sequence(at);
    const order = compareRanges(this.#other, 0, length, this.#key, 0, this.#keyLength);
    if (order < 0 || (order === 0 && sequence > this.#sequence)) {
      throw this.#bad('an index key lies below an entry of its block', offset);
    }
    if (!keep) return;
    this.#separator = this.#other.slice(0, length);
    this.#separatorSequence = sequence;
  }

  finish(offset: number): void {
    const { properties } = this.#table;
    const tombstones = this.#table.rangeTombstones ?? FragmentedTombstones.none;
    this.expect('entries', properties.entries, this.entries, offset);
    this.expect('deletes', properties.tombstones, this.#deletes, offset);
    const stated = properties.expiry ?? NO_EXPIRY;
    const found = this.#expiry.facts() ?? NO_EXPIRY;
    this.expect('entries that expire', stated.expiring, found.expiring, offset);
    this.expect('as earliest expiry', stated.earliestExpiry, found.earliestExpiry, offset);
    this.expect('as latest expiry', stated.latestExpiry, found.latestExpiry, offset);
    this.expect('range tombstones', properties.rangeTombstones, tombstones.count, offset);
    this.expect('keys', properties.keys, this.#keys, offset);
    this.expect('key bytes', properties.rawKeyBytes, this.#keyBytes, offset);
    this.expect('value bytes', properties.rawValueBytes, this.#valueBytes, offset);
    const lowest = tombstones.isEmpty ? SEQUENCE_MAX : tombstones.smallestSequence;
    this.expect('smallest sequence', properties.smallestSequence, Math.min(this.#smallest, lowest), offset);
    const highest = Math.max(this.#largest, tombstones.largestSequence);
    this.expect('largest sequence', properties.largestSequence, highest, offset);
    const last = this.#firstKey === undefined ? undefined : this.#key.slice(0, this.#keyLength);
    const bounds = tableBounds(this.#firstKey, last, tombstones);
    if (
      !equalBytes(bounds.smallestKey, properties.smallestKey) ||
      compareBytes(bounds.largestKey, properties.largestKey) !== 0 ||
      bounds.largestExclusive !== properties.largestExclusive
    ) {
      const got = `${describeBytes(bounds.smallestKey)} to ${describeBytes(bounds.largestKey)}`;
      throw this.#bad(`the key bounds are not as stated, but ${got}`, offset);
    }
  }

  expect(what: string, stated: number, got: number, offset: number): void {
    if (stated !== got) throw this.#bad(`the table states ${stated} ${what} and has ${got}`, offset);
  }

  #bad(what: string, offset: number): Error {
    return corruption(what, { file: this.#table.path, offset });
  }
}
