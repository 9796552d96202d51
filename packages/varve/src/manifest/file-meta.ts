/**
 * What the manifest knows of a table: enough to find keys, to pick compactions and to check that the file is the right one
 * without opening it. Also the order of key bounds, which pickers and versions share.
 *
 *   order  type    field
 *       1  varint  flags: bit 0 largest key is exclusive, bit 1 lower bound follows, bit 2 upper bound, bit 3 override,
 *                  bit 4 expiry, bit 5 refers to blob files, bit 6 time
 *       2  varint  number                        PERSISTED: flags are never renumbered; unknown ones are refused
 *       3  varint  bytes
 *       4  varint  entries
 *       5  varint  tombstones
 *       6  varint  rangeTombstones
 *       7  varint  smallestSequence
 *       8  varint  largestSequence
 *       9  bytes   smallestKey (varint length before it)
 *      10  bytes   largestKey
 *      11  16      uniqueId
 *      12  bytes   lowerBound, upperBound, varint sequenceOverride: those that the flags name
 *      13  -       what it refers to in blob files (blob-meta.ts), with bit 5
 *      14  varint  newestTime, with bit 6
 *      15  varint  with bit 4: entries that expire, earliest and latest expiry
 *
 * An override is what ingestion gives its tables (manifest/ingestion.ts); bounds are room that nothing uses yet.
 * Invariants: smallestKey <= largestKey (below it when exclusive); 1 <= number; smallestSequence <= largestSequence; both
 * cover the range tombstones of the file as well as its points.
 */
import { compareBytes } from '../base/bytes.ts';
import { KEY_BYTES_MAX } from '../base/entry.ts';
import { invalid } from '../base/errors.ts';
import type { ExpiryFacts } from '../base/expiry-tally.ts';
import { type BlobUse, decodeBlobUses, encodeBlobUses } from './blob-meta.ts';
import type { FieldReader, FieldWriter } from './fields.ts';

export interface FileMeta {
  /** The name of the file is made from it. */
  readonly number: number;
  readonly bytes: number;
  /** Point entries of all kinds. */
  readonly entries: number;
  /** Of them deletes. */
  readonly tombstones: number;
  readonly rangeTombstones: number;
  /** Bounds over points and range tombstones. */
  readonly smallestKey: Uint8Array;
  readonly largestKey: Uint8Array;
  /** True when `largestKey` itself is outside: the exclusive end of a range tombstone. */
  readonly largestExclusive: boolean;
  readonly smallestSequence: number;
  readonly largestSequence: number;
  /** 16 bytes, the table's own. */
  readonly uniqueId: Uint8Array;
  /** Room for linked ranges: only keys from here on count. Not written by this release. */
  readonly lowerBound?: Uint8Array;
  /** Room for linked ranges: only keys below this count. Not written by this release. */
  readonly upperBound?: Uint8Array;
  /**
   * Every entry counts as written at this sequence, and so do the sequences above: a table that was ingested. What it stores
   * for each entry is 0.
   */
  readonly sequenceOverride?: number;
  /** What it refers to in blob files, by number; left out when it holds all values itself. */
  readonly blobs?: readonly BlobUse[];
  /** Milliseconds since 1970, whole: nothing in it was written later. Files of the first releases lack it. */
  readonly newestTime?: number;
  /** Of the entries that expire; left out when none does. */
  readonly expiry?: ExpiryFacts;
}

/** A range of user keys; file metadata has this shape. */
export interface KeySpan {
  readonly smallestKey: Uint8Array;
  /** Undefined: no upper end. */
  readonly largestKey: Uint8Array | undefined;
  /** True when `largestKey` itself is outside. */
  readonly largestExclusive: boolean;
}

export const UNIQUE_ID_BYTES = 16;
const FLAG_EXCLUSIVE = 1;
const FLAG_LOWER = 2;
const FLAG_UPPER = 4;
const FLAG_OVERRIDE = 8;
const FLAG_EXPIRY = 16;
const FLAG_BLOBS = 32;
const FLAG_TIME = 64;
const FLAGS_KNOWN =
  FLAG_EXCLUSIVE | FLAG_LOWER | FLAG_UPPER | FLAG_OVERRIDE | FLAG_EXPIRY | FLAG_BLOBS | FLAG_TIME;

export function encodeFileMeta(file: FileMeta, to: FieldWriter): void {
  to.varint(
    (file.largestExclusive ? FLAG_EXCLUSIVE : 0) |
      (file.lowerBound === undefined ? 0 : FLAG_LOWER) |
      (file.upperBound === undefined ? 0 : FLAG_UPPER) |
      (file.sequenceOverride === undefined ? 0 : FLAG_OVERRIDE) |
      (file.blobs === undefined ? 0 : FLAG_BLOBS) |
      (file.newestTime === undefined ? 0 : FLAG_TIME) |
      (file.expiry === undefined ? 0 : FLAG_EXPIRY),
  );
  to.varint(file.number).varint(file.bytes).varint(file.entries);
  to.varint(file.tombstones).varint(file.rangeTombstones);
  to.varint(file.smallestSequence).varint(file.largestSequence);
  to.blob(file.smallestKey).blob(file.largestKey).raw(file.uniqueId);
  if (file.lowerBound !== undefined) to.blob(file.lowerBound);
  if (file.upperBound !== undefined) to.blob(file.upperBound);
  if (file.sequenceOverride !== undefined) to.varint(file.sequenceOverride);
  if (file.blobs !== undefined) encodeBlobUses(file.blobs, to);
  if (file.newestTime !== undefined) to.varint(file.newestTime);
  if (file.expiry === undefined) return;
  to.varint(file.expiry.expiring).varint(file.expiry.earliestExpiry).varint(file.expiry.latestExpiry);
}

/** Reads one file; `UNSUPPORTED_MANIFEST` for flags of a later release, `corruption` for anything that can not be. */
export function decodeFileMeta(from: FieldReader): FileMeta {
  const flags = from.varint('the flags of a file');
  // Not by bits alone: those above 31 are no integers to `&`.
  if (flags > FLAGS_KNOWN || (flags & ~FLAGS_KNOWN) !== 0) {
    throw invalid(
      'UNSUPPORTED_MANIFEST',
      `a file in the manifest has flags ${flags}, which a later release wrote`,
      {
        ...from.place,
        flags,
      },
    );
  }
  const file: FileMeta = {
    number: from.varint('a file number'),
    bytes: from.varint('the bytes of a file'),
    entries: from.varint('the entries of a file'),
    tombstones: from.varint('the tombstones of a file'),
    rangeTombstones: from.varint('the range tombstones of a file'),
    smallestSequence: from.varint('the smallest sequence of a file'),
    largestSequence: from.varint('the largest sequence of a file'),
    smallestKey: from.blob('the smallest key of a file', KEY_BYTES_MAX),
    largestKey: from.blob('the largest key of a file', KEY_BYTES_MAX),
    largestExclusive: (flags & FLAG_EXCLUSIVE) !== 0,
    uniqueId: from.raw(UNIQUE_ID_BYTES, 'the id of a file'),
    ...((flags & FLAG_LOWER) !== 0 && { lowerBound: from.blob('a lower bound', KEY_BYTES_MAX) }),
    ...((flags & FLAG_UPPER) !== 0 && { upperBound: from.blob('an upper bound', KEY_BYTES_MAX) }),
    ...((flags & FLAG_OVERRIDE) !== 0 && { sequenceOverride: from.varint('a sequence override') }),
    ...((flags & FLAG_BLOBS) !== 0 && { blobs: decodeBlobUses(from) }),
    ...((flags & FLAG_TIME) !== 0 && { newestTime: from.varint('the time of a file') }),
    ...((flags & FLAG_EXPIRY) !== 0 && { expiry: decodeExpiry(from) }),
  };
  const wrong = impossible(file);
  if (wrong !== undefined) throw from.bad(`file ${file.number}: ${wrong}`);
  return file;
}

function decodeExpiry(from: FieldReader): ExpiryFacts {
  return {
    expiring: from.varint('the expiring entries of a file'),
    earliestExpiry: from.varint('the earliest expiry of a file'),
    latestExpiry: from.varint('the latest expiry of a file'),
  };
}

/** What about this metadata can not be; undefined when all is well. Asked before writing and after reading. */
export function impossible(file: FileMeta): string | undefined {
  const order = compareBytes(file.smallestKey, file.largestKey);
  if (order > 0 || (order === 0 && file.largestExclusive)) return 'its smallest key is above its largest';
  if (file.smallestSequence > file.largestSequence) return 'its smallest sequence is above its largest';
  const { sequenceOverride } = file;
  if (sequenceOverride !== undefined) {
    if (sequenceOverride < 1) return 'its sequence override is 0';
    if (file.smallestSequence !== sequenceOverride || file.largestSequence !== sequenceOverride)
      return 'its sequences are not those of its override';
  }
  if (file.number < 1) return 'file numbers start at 1';
  if (file.tombstones > file.entries) return 'it has more tombstones than entries';
  if (file.expiry !== undefined && file.expiry.expiring > file.entries - file.tombstones)
    return 'it has more entries that expire than puts';
  if (file.expiry !== undefined && file.expiry.earliestExpiry > file.expiry.latestExpiry)
    return 'its earliest expiry is after its latest';
  if (file.uniqueId.length !== UNIQUE_ID_BYTES) return 'its id is not 16 bytes long';
  return undefined;
}

/** Does all of `span` lie below `key`? */
export function endsBefore(span: KeySpan, key: Uint8Array): boolean {
  if (span.largestKey === undefined) return false;
  const order = compareBytes(span.largestKey, key);
  return order < 0 || (order === 0 && span.largestExclusive);
}

/** Do two spans share a key? */
export function spansOverlap(a: KeySpan, b: KeySpan): boolean {
  return !endsBefore(a, b.smallestKey) && !endsBefore(b, a.smallestKey);
}

/** Order of two upper ends; of two equal keys the exclusive one is lower. */
export function compareEnds(a: KeySpan, b: KeySpan): number {
  if (a.largestKey === undefined || b.largestKey === undefined) {
    return Number(a.largestKey === undefined) - Number(b.largestKey === undefined);
  }
  return compareBytes(a.largestKey, b.largestKey) || Number(b.largestExclusive) - Number(a.largestExclusive);
}

/** The smallest span that holds all of the given ones, of which there is at least one. */
export function hullOf(spans: readonly KeySpan[]): KeySpan {
  let lowest = spans[0]!;
  let highest = lowest;
  for (const span of spans) {
    if (compareBytes(span.smallestKey, lowest.smallestKey) < 0) lowest = span;
    if (compareEnds(span, highest) > 0) highest = span;
  }
  const { largestKey, largestExclusive } = highest;
  return { smallestKey: lowest.smallestKey, largestKey, largestExclusive };
}
