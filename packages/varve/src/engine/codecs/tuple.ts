/**
 * Composite keys in FoundationDB's tuple layer layout, so that other languages read and write the same bytes
 * (apple/foundationdb, design/tuple.md). Elements follow each other without a count; each begins with its type code:
 *
 *   code          element        bytes after the code                                            PERSISTED
 *   00            null           none; inside a nested tuple followed by ff
 *   01            bytes          content with 00 as 00 ff, closed by 00
 *   02            string         UTF-8 the same way
 *   05            nested tuple   its elements, closed by 00
 *   0b            integer        below -(2^64-1): length ^ ff, then all bits of the magnitude flipped
 *   0c ... 13     integer        negative, 8 ... 1 bytes big-endian: value + 2^(8n) - 1
 *   14            integer 0      none
 *   15 ... 1c     integer        positive, 1 ... 8 bytes big-endian
 *   1d            integer        above 2^64-1: length, magnitude big-endian
 *   21            float64        big-endian IEEE 754; sign bit flipped, for negatives all bits flipped
 *   26, 27        false, true    none
 *
 * Order: element by element, by type first in the order of the codes, then by value; a tuple comes before its
 * extensions, so `prefix: ['a']` finds every tuple that begins with 'a'. Safe integers (and bigints) are integers, other
 * numbers float64, and as everywhere in this layout every integer comes before every float: where fractions and whole
 * numbers must order among each other, scale them to integers. -0 is stored as 0, every NaN as one NaN above Infinity.
 */
import type { KeyCodec, PrefixLimiter, RangeDecoder } from './codec.ts';
import { keyInvalid } from './codec.ts';
import { TupleReader } from './tuple-reader.ts';
import { encodeText } from './utf8.ts';

const DEPTH_MAX = 100;
const BIG_BYTES_MAX = 255;
const BUFFER_BYTES_KEPT = 256 * 1024;
const wanted =
  'null, a boolean, a number, a bigint, a string, a Uint8Array or an array of these (a Date: put date.getTime())';

/** The key under construction; grows by doubling and is reused, since encoding never runs in parallel. */
let buffer = new Uint8Array(256);
let length = 0;
const float = new DataView(new ArrayBuffer(8));

/**
 * Keys that are arrays: of null, booleans, numbers, bigints, strings, Uint8Arrays and nested arrays.
 *
 * @throws VarveError `KEY_INVALID` for other elements (undefined, dates, objects) and for lone surrogates.
 * @example
 * const flights = db.keyspace('flights', { key: tuple<[origin: string, day?: number, row?: number]>(), value: bytes });
 * for (const [key] of flights.range({ prefix: ['SFO', 20260] })) console.log(key);
 */
export function tuple<T extends readonly unknown[]>(): KeyCodec<T> {
  return codec as unknown as KeyCodec<T>;
}

const codec: KeyCodec<readonly unknown[]> & RangeDecoder<unknown[]> & PrefixLimiter = {
  name: 'tuple',
  encode(value: readonly unknown[]): Uint8Array {
    if (!Array.isArray(value)) throw keyInvalid('tuple', 'an array', value);
    length = 0;
    for (let i = 0; i < value.length; i++) putElement(value[i], 0);
    const encoded = buffer.slice(0, length);
    if (buffer.length > BUFFER_BYTES_KEPT) buffer = new Uint8Array(256);
    return encoded;
  },
  decode: (bytes: Uint8Array): unknown[] => new TupleReader(bytes, 0, bytes.length).all(),
  decodeRange: (bytes: Uint8Array, start: number, end: number): unknown[] =>
    new TupleReader(bytes, start, end).all(),
  /** No element begins with ff, so everything under the prefix is below prefix + ff; 'a\0' after 'a' is not. */
  prefixLimit(prefix: Uint8Array): Uint8Array {
    const limit = new Uint8Array(prefix.length + 1);
    limit.set(prefix);
    limit[prefix.length] = 0xff;
    return limit;
  },
};

function putElement(value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string': {
      const text = encodeText(value);
      if (text === undefined) throw keyInvalid('tuple', 'strings without lone surrogates', value);
      putEscaped(0x02, text);
      return;
    }
    case 'number':
      if (Number.isSafeInteger(value)) putInteger(value);
      else putFloat(value);
      return;
    case 'bigint':
      if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) putInteger(Number(value));
      else putBigInteger(value);
      return;
    case 'boolean':
      putByte(value ? 0x27 : 0x26);
      return;
    case 'object':
      if (value === null) {
        putByte(0x00);
        if (depth > 0) putByte(0xff);
        return;
      }
      if (value instanceof Uint8Array) {
        putEscaped(0x01, value);
        return;
      }
      if (Array.isArray(value)) {
        if (depth === DEPTH_MAX) throw keyInvalid('tuple', `at most ${DEPTH_MAX} nested arrays`, value);
        putByte(0x05);
        for (let i = 0; i < value.length; i++) putElement(value[i], depth + 1);
        putByte(0x00);
        return;
      }
      throw keyInvalid('tuple', wanted, value);
    default:
      throw keyInvalid('tuple', wanted, value);
  }
}

function putByte(byte: number): void {
  if (length === buffer.length) reserve(1);
  buffer[length++] = byte;
}

function reserve(bytes: number): void {
  if (length + bytes <= buffer.length) return;
  const grown = new Uint8Array(Math.max(buffer.length * 2, length + bytes));
  grown.set(buffer);
  buffer = grown;
}

function putEscaped(code: number, content: Uint8Array): void {
  reserve(content.length * 2 + 2);
  buffer[length++] = code;
  for (let i = 0; i < content.length; i++) {
    const byte = content[i]!;
    buffer[length++] = byte;
    if (byte === 0) buffer[length++] = 0xff;
  }
  buffer[length++] = 0;
}

/** A safe integer in as few bytes as it needs. */
function putInteger(value: number): void {
  let size = 0;
  for (let rest = Math.abs(value); rest >= 1; rest = Math.floor(rest / 256)) size++;
  reserve(size + 1);
  buffer[length++] = value < 0 ? 0x14 - size : 0x14 + size;
  // For negatives of n bytes value + 2^(8n) - 1, which is all bits of the magnitude flipped.
  const flip = value < 0 ? 0xff : 0;
  let rest = Math.abs(value);
  for (let at = length + size - 1; at >= length; at--) {
    buffer[at] = (rest % 256) ^ flip;
    rest = Math.floor(rest / 256);
  }
  length += size;
}

function putBigInteger(value: bigint): void {
  const negative = value < 0n;
  let hex = (negative ? -value : value).toString(16);
  if (hex.length % 2 === 1) hex = `0${hex}`;
  const size = hex.length / 2;
  if (size > BIG_BYTES_MAX) throw keyInvalid('tuple', `integers of at most ${BIG_BYTES_MAX} bytes`, value);
  const flip = negative ? 0xff : 0;
  reserve(size + 2);
  if (size <= 8) buffer[length++] = negative ? 0x14 - size : 0x14 + size;
  else {
    buffer[length++] = negative ? 0x0b : 0x1d;
    buffer[length++] = size ^ flip;
  }
  for (let i = 0; i < size; i++) {
    buffer[length++] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16) ^ flip;
  }
}

function putFloat(value: number): void {
  float.setFloat64(0, Number.isNaN(value) ? Number.NaN : value);
  const negative = float.getUint8(0) >= 0x80 && !Number.isNaN(value);
  reserve(9);
  buffer[length++] = 0x21;
  for (let i = 0; i < 8; i++) {
    const byte = float.getUint8(i);
    buffer[length++] = negative ? byte ^ 0xff : i === 0 ? byte ^ 0x80 : byte;
  }
}
