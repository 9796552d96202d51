/**
 * The codec of keyspaces that are opened without one: bytes as they are, for keys and values.
 */
import type { KeyCodec, RangeDecoder, ValueCodec } from './codec.ts';
import { keyInvalid } from './codec.ts';
import { resultCopy } from './result-copy.ts';

/**
 * Keys or values that are bytes already; keys order by unsigned bytes. A Buffer is a Uint8Array and is taken as such;
 * what comes back is a plain Uint8Array. Its bytes are yours; its `buffer` may hold other results beside it, as with small
 * Buffers, so read it through the array itself or with its byteOffset.
 *
 * @example
 * const blobs = db.keyspace('blobs', { key: utf8, value: bytes });
 */
export const bytes: KeyCodec<Uint8Array> & ValueCodec<Uint8Array> & RangeDecoder<Uint8Array> = {
  name: 'bytes',
  encode(value: Uint8Array): Uint8Array {
    if (value instanceof Uint8Array) return value;
    throw keyInvalid('bytes', 'a Uint8Array', value);
  },
  decode: (stored: Uint8Array): Uint8Array => stored,
  decodeRange: resultCopy,
};
