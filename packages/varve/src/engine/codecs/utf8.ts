/**
 * Strings as UTF-8: for keys and values, and the text under `json`.
 *
 * Order is that of the UTF-8 bytes, which is the order of code points (JavaScript's `<` compares UTF-16 units and differs
 * above U+FFFF). Lone surrogates have no UTF-8 form and are refused, never replaced; so are bytes that are not UTF-8.
 * Hot: measured on Node 24, a loop over character codes beats every call into the runtime up to about 48 characters for
 * encoding and about 8 for decoding; beyond that Buffer's own routines win (TextEncoder costs 5 times as much).
 */
import type { KeyCodec, RangeDecoder, ValueCodec } from './codec.ts';
import { keyInvalid } from './codec.ts';

const ENCODE_LOOP_MAX = 48;
const DECODE_LOOP_MAX = 8;

/** Undocumented but in every Node; works on any Uint8Array, shared memory included. */
const utf8Slice = (
  Buffer.prototype as unknown as { utf8Slice(this: Uint8Array, start: number, end: number): string }
).utf8Slice;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of `text`, undefined when it has a lone surrogate. */
export function encodeText(text: string): Uint8Array | undefined {
  const { length } = text;
  if (length <= ENCODE_LOOP_MAX) {
    const ascii = new Uint8Array(length);
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) break;
      ascii[i] = code;
    }
    if (i === length) return ascii;
  }
  const encoded = Buffer.from(text, 'utf8');
  // As many bytes as units: all ASCII, so nothing was replaced.
  if (encoded.length !== length && !isWellFormed(text)) return undefined;
  // A plain array whatever the length was, not now one class and now the other.
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.length);
}

/** No lone surrogates? In every supported Node, but newer than the library types of the build. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** The text of borrowed [start, end), undefined when these are not UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start <= DECODE_LOOP_MAX) {
    let text = '';
    let i = start;
    for (; i < end; i++) {
      const byte = bytes[i]!;
      if (byte > 127) break;
      text += String.fromCharCode(byte);
    }
    if (i === end) return text;
  }
  const text = utf8Slice.call(bytes, start, end);
  // Damage reads as U+FFFD; whether one was really stored is a question for the strict decoder.
  return text.includes('\uFFFD') ? decodeStrictly(bytes, start, end) : text;
}

function decodeStrictly(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return strict.decode(bytes.slice(start, end));
  } catch {
    return undefined;
  }
}

/**
 * Strings, ordered by code points.
 *
 * @throws VarveError `KEY_INVALID` (as a value `VALUE_INVALID`) for what is no string, and for lone surrogates.
 * @example
 * const users = db.keyspace('users', { key: utf8, value: json<User>() });
 */
export const utf8: KeyCodec<string> & ValueCodec<string> & RangeDecoder<string> = {
  name: 'utf8',
  encode(value: string): Uint8Array {
    if (typeof value !== 'string') throw keyInvalid('utf8', 'a string', value);
    const encoded = encodeText(value);
    if (encoded === undefined) throw keyInvalid('utf8', 'a string without lone surrogates', value);
    return encoded;
  },
  decode(bytes: Uint8Array): string {
    return utf8.decodeRange(bytes, 0, bytes.length);
  },
  decodeRange(bytes: Uint8Array, start: number, end: number): string {
    const text = decodeText(bytes, start, end);
    if (text === undefined) throw keyInvalid('utf8', 'UTF-8 bytes', bytes.subarray(start, end));
    return text;
  },
};
