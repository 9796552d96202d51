/**
 * What a table says about itself: counts, bounds, how it was made. Written last, read at every open, checked by verify.
 *
 *   payload  repeated: varint tag, varint length, bytes          PERSISTED: tags are never renumbered or reused
 *   tag  value   field                         tag  value   field
 *     1  varint  entries                        11  bytes   smallest key
 *     2  varint  point deletes                  12  bytes   largest key
 *     3  varint  range tombstones               13  varint  1: the largest key is an exclusive bound
 *     4  varint  distinct keys                  14  varint  creation time, ms since the epoch
 *     5  varint  raw key bytes                  15  varint  data blocks
 *     6  varint  raw value bytes                16  varint  index partitions
 *     7  varint  smallest sequence              17  varint  filter bits per key, in thousandths
 *     8  varint  largest sequence               18  utf8    comparator
 *  9,10  -       free                           19  utf8    compression
 *                                               20  varint  bytes of the prefixes in the filter; not written when 0
 *    21  varint  entries that expire             22, 23  varint  earliest and latest expiry; 21 to 23 not written when 0
 * Every other field is written; a reader needs all of them and skips tags that it does not know (they can only inform).
 */
import { corruption, invalid } from '../base/errors.ts';
import type { ExpiryFacts } from '../base/expiry-tally.ts';
import { ByteReader, putVarint, varintLength } from '../base/varint.ts';

/** The only key order so far: unsigned bytes. */
export const COMPARATOR = 'bytewise';

export interface TableProperties {
  /** Point entries of all kinds. */
  readonly entries: number;
  /** Of them deletes. */
  readonly tombstones: number;
  /** Pairs of a range fragment and a sequence. */
  readonly rangeTombstones: number;
  /** Distinct user keys among the point entries. */
  readonly keys: number;
  readonly rawKeyBytes: number;
  readonly rawValueBytes: number;
  /** Over point entries and range tombstones, like the keys. */
  readonly smallestSequence: number;
  readonly largestSequence: number;
  readonly smallestKey: Uint8Array;
  readonly largestKey: Uint8Array;
  /** The largest key is the exclusive end of a range tombstone, not a key. */
  readonly largestExclusive: boolean;
  /** Milliseconds since the epoch. */
  readonly createdMs: number;
  readonly dataBlocks: number;
  readonly indexPartitions: number;
  readonly filterBitsPerKey: number;
  /** The filter also holds the first so many bytes of each key that has them; 0: it does not. */
  readonly filterPrefixBytes: number;
  /** Left out when no entry expires. */
  readonly expiry?: ExpiryFacts;
  readonly comparator: string;
  /** What the writer was asked for; single blocks may be stored as they are. */
  readonly compression: string;
}

const numberTags = [1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 16, 17];
const byteTags = [11, 12, 18, 19];
const FILTER_PREFIX_TAG = 20;
const EXPIRING_TAG = 21;
const EARLIEST_EXPIRY_TAG = 22;
const LATEST_EXPIRY_TAG = 23;
const optionalTags = [FILTER_PREFIX_TAG, EXPIRING_TAG, EARLIEST_EXPIRY_TAG, LATEST_EXPIRY_TAG];

/** The payload of the properties block. */
export function encodeProperties(properties: TableProperties): Uint8Array {
  const utf8 = new TextEncoder();
  const numbers = [
    properties.entries,
    properties.tombstones,
    properties.rangeTombstones,
    properties.keys,
    properties.rawKeyBytes,
    properties.rawValueBytes,
    properties.smallestSequence,
    properties.largestSequence,
    properties.largestExclusive ? 1 : 0,
    properties.createdMs,
    properties.dataBlocks,
    properties.indexPartitions,
    Math.round(properties.filterBitsPerKey * 1000),
  ];
  const texts = [
    properties.smallestKey,
    properties.largestKey,
    utf8.encode(properties.comparator),
    utf8.encode(properties.compression),
  ];
  const room =
    (numbers.length + optionalTags.length) * 10 + texts.reduce((sum, text) => sum + text.length + 6, 0);
  const bytes = new Uint8Array(room);
  let at = 0;
  const putNumber = (tag: number, value: number): void => {
    at = putVarint(bytes, at, tag);
    at = putVarint(bytes, at, varintLength(value));
    at = putVarint(bytes, at, value);
  };
  // In front, so that cut bytes never look like those of a table without it.
  if (properties.filterPrefixBytes > 0) putNumber(FILTER_PREFIX_TAG, properties.filterPrefixBytes);
  const { expiry } = properties;
  if (expiry !== undefined) {
    putNumber(EXPIRING_TAG, expiry.expiring);
    putNumber(EARLIEST_EXPIRY_TAG, expiry.earliestExpiry);
    putNumber(LATEST_EXPIRY_TAG, expiry.latestExpiry);
  }
  numbers.forEach((value, i) => putNumber(numberTags[i]!, value));
  texts.forEach((text, i) => {
    at = putVarint(bytes, at, byteTags[i]);
    at = putVarint(bytes, at, text.length);
    bytes.set(text, at);
    at += text.length;
  });
  return bytes.slice(0, at);
}

/**
 * Decodes the payload [start, end) of the properties block.
 * @throws VarveError corruption; `UNSUPPORTED_COMPARATOR` (invalid).
 */
export function decodeProperties(
  bytes: Uint8Array,
  start: number,
  end: number,
  file: string,
  offset: number,
): TableProperties {
  const numbers = new Map<number, number>();
  const texts = new Map<number, Uint8Array>();
  const reader = new ByteReader(bytes, start, end);
  while (reader.at < end && !reader.failed) {
    const tag = reader.varint();
    const length = reader.varint();
    const at = reader.skip(length);
    if (reader.failed) break;
    if (byteTags.includes(tag)) texts.set(tag, bytes.slice(at, at + length));
    if (!numberTags.includes(tag) && !optionalTags.includes(tag)) continue;
    const value = new ByteReader(bytes, at, at + length);
    numbers.set(tag, value.varint());
    if (value.failed || value.at !== at + length) reader.failed = true;
  }
  const missing = numberTags.find((tag) => !numbers.has(tag)) ?? byteTags.find((tag) => !texts.has(tag));
  if (reader.failed || missing !== undefined) {
    throw corruption('the table properties are malformed', { file, offset, missing });
  }
  const number = (tag: number): number => numbers.get(tag) ?? 0;
  const text = (tag: number): Uint8Array => texts.get(tag) ?? new Uint8Array(0);
  const utf8 = new TextDecoder();
  const comparator = utf8.decode(text(18));
  if (comparator !== COMPARATOR) {
    throw invalid(
      'UNSUPPORTED_COMPARATOR',
      `the table is ordered by '${comparator}', not by '${COMPARATOR}'`,
      {
        file,
        comparator,
      },
    );
  }
  return {
    entries: number(1),
    tombstones: number(2),
    rangeTombstones: number(3),
    keys: number(4),
    rawKeyBytes: number(5),
    rawValueBytes: number(6),
    smallestSequence: number(7),
    largestSequence: number(8),
    smallestKey: text(11),
    largestKey: text(12),
    largestExclusive: number(13) === 1,
    createdMs: number(14),
    dataBlocks: number(15),
    indexPartitions: number(16),
    filterBitsPerKey: number(17) / 1000,
    filterPrefixBytes: number(FILTER_PREFIX_TAG),
    ...(numbers.has(EXPIRING_TAG) && {
      expiry: {
        expiring: number(EXPIRING_TAG),
        earliestExpiry: number(EARLIEST_EXPIRY_TAG),
        latestExpiry: number(LATEST_EXPIRY_TAG),
      },
    }),
    comparator,
    compression: utf8.decode(text(19)),
  };
}
