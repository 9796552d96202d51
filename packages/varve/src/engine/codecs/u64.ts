/**
 * Whole numbers from 0 to 2^64 - 1 as 8 bytes, big-endian so that bytes order as the numbers do.
 *
 *   offset  size  type  field
 *        0     4  u32   upper half, big-endian
 *        4     4  u32   lower half, big-endian
 *
 * A number up to 2^53 - 1 comes back as a number, anything beyond as a bigint, whichever was put.
 */
import type { KeyCodec, RangeDecoder, ValueCodec } from './codec.ts';
import { keyInvalid } from './codec.ts';

const HALF = 4294967296;
const BIG_MAX = 0xffff_ffff_ffff_ffffn;
const wanted = 'a whole number from 0 to 2^53-1, or a bigint from 0 to 2^64-1';

/**
 * Counters, ids, times in milliseconds: ordered by value.
 *
 * @throws VarveError `KEY_INVALID` (as a value `VALUE_INVALID`) for negatives, fractions, NaN, unsafe numbers.
 * @example
 * const events = db.keyspace('events', { key: u64, value: json<Event>() });
 * events.range({ gte: Date.now() - 60_000 });
 */
export const u64: KeyCodec<number | bigint> & ValueCodec<number | bigint> & RangeDecoder<number | bigint> = {
  name: 'u64',
  encode(value: number | bigint): Uint8Array {
    const bytes = new Uint8Array(8);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
      putBigEndian(bytes, 0, Math.floor(value / HALF));
      putBigEndian(bytes, 4, value % HALF);
      return bytes;
    }
    if (typeof value === 'bigint' && value >= 0n && value <= BIG_MAX) {
      putBigEndian(bytes, 0, Number(value >> 32n));
      putBigEndian(bytes, 4, Number(value & 0xffff_ffffn));
      return bytes;
    }
    throw keyInvalid('u64', wanted, value);
  },
  decode(bytes: Uint8Array): number | bigint {
    return u64.decodeRange(bytes, 0, bytes.length);
  },
  decodeRange(bytes: Uint8Array, start: number, end: number): number | bigint {
    if (end - start !== 8) throw keyInvalid('u64', '8 bytes', bytes.subarray(start, end));
    const upper = getBigEndian(bytes, start);
    const lower = getBigEndian(bytes, start + 4);
    const value = upper * HALF + lower;
    return value <= Number.MAX_SAFE_INTEGER ? value : (BigInt(upper) << 32n) | BigInt(lower);
  },
};

function putBigEndian(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function getBigEndian(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
