/**
 * Codecs: how keys and values become bytes. A key codec preserves order: encoded keys compare by unsigned bytes as the
 * keys themselves do. The name is stored with the keyspace and checked when it is opened again.
 *
 * The engine goes through `encodeKey`, `encodeValue`, `decodeKey` and `decodeValue`: they give every failure its code
 * (KEY_INVALID, VALUE_INVALID) by the role in which a codec was used, also for codecs of users that throw anything.
 * Invariants: (1) `encode` may return its argument or a view of it: the engine copies at once. (2) `decode` gets bytes
 * that are its own to keep. Built-in codecs also have `decodeRange`, which borrows its bytes and keeps none of them, so
 * that a read copies nothing but its result. Pure; any thread.
 */
import { cloneRange, prefixEnd } from '../../base/bytes.ts';
import { VarveError, invalid } from '../../base/errors.ts';

/**
 * Turns keys into bytes and back, keeping their order. Built in: `bytes`, `utf8`, `u64`, `tuple()`.
 *
 * @example
 * const day: KeyCodec<Date> = {
 *   name: 'day',
 *   encode: (date) => utf8.encode(date.toISOString().slice(0, 10)),
 *   decode: (bytes) => new Date(utf8.decode(bytes)),
 * };
 */
export interface KeyCodec<T> {
  readonly name: string;
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** Turns values into bytes and back. Built in: `bytes`, `utf8`, `u64`, `json()`, `msgpack()`. */
export interface ValueCodec<T> {
  readonly name: string;
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** What built-in codecs offer the engine beside the public part. */
export interface RangeDecoder<T> {
  /** Decodes [start, end) of borrowed memory, shared memory included; the result holds none of it. */
  decodeRange(bytes: Uint8Array, start: number, end: number): T;
}

/** Key codecs whose encoded prefixes end earlier than their bytes say (tuple: 'a' is followed by 00, 'a\0' by 00 ff). */
export interface PrefixLimiter {
  /** The exclusive end of all keys that begin with the elements of the encoded `prefix`. */
  prefixLimit(prefix: Uint8Array): Uint8Array;
}

/** The exclusive end of all encoded keys under an encoded prefix; undefined when there is none. */
export function keyPrefixEnd<T>(
  codec: KeyCodec<T> & Partial<PrefixLimiter>,
  prefix: Uint8Array,
): Uint8Array | undefined {
  return codec.prefixLimit === undefined ? prefixEnd(prefix) : codec.prefixLimit(prefix);
}

/** The bytes of a key. Throws KEY_INVALID (kind invalid) for a key that the codec does not take. */
export function encodeKey<T>(codec: KeyCodec<T>, key: T): Uint8Array {
  let bytes: unknown;
  try {
    bytes = codec.encode(key);
  } catch (error) {
    throw refused('KEY_INVALID', codec.name, key, error);
  }
  if (!(bytes instanceof Uint8Array)) throw notBytes('KEY_INVALID', codec.name, bytes);
  return bytes;
}

/** The bytes of a value. Throws VALUE_INVALID (kind invalid) for a value that the codec does not take. */
export function encodeValue<T>(codec: ValueCodec<T>, value: T): Uint8Array {
  let bytes: unknown;
  try {
    bytes = codec.encode(value);
  } catch (error) {
    throw refused('VALUE_INVALID', codec.name, value, error);
  }
  if (!(bytes instanceof Uint8Array)) throw notBytes('VALUE_INVALID', codec.name, bytes);
  return bytes;
}

/** The key in borrowed [start, end). Throws KEY_INVALID when these are not bytes of this codec. */
export function decodeKey<T>(codec: KeyCodec<T>, bytes: Uint8Array, start: number, end: number): T {
  try {
    return decodeBorrowed(codec, bytes, start, end);
  } catch (error) {
    throw refused('KEY_INVALID', codec.name, bytes.subarray(start, end), error);
  }
}

/** The value in borrowed [start, end). Throws VALUE_INVALID when these are not bytes of this codec. */
export function decodeValue<T>(codec: ValueCodec<T>, bytes: Uint8Array, start: number, end: number): T {
  try {
    return decodeBorrowed(codec, bytes, start, end);
  } catch (error) {
    throw refused('VALUE_INVALID', codec.name, bytes.subarray(start, end), error);
  }
}

function decodeBorrowed<T>(
  codec: (KeyCodec<T> | ValueCodec<T>) & Partial<RangeDecoder<T>>,
  bytes: Uint8Array,
  start: number,
  end: number,
): T {
  if (codec.decodeRange !== undefined) return codec.decodeRange(bytes, start, end);
  return codec.decode(cloneRange(bytes, start, end));
}

/** A key that `codec` does not take, or bytes that are none of its keys. */
export function keyInvalid(codec: string, wanted: string, got: unknown): VarveError {
  return wrong('KEY_INVALID', codec, wanted, got);
}

/** The same for a value. */
export function valueInvalid(codec: string, wanted: string, got: unknown, cause?: unknown): VarveError {
  return wrong('VALUE_INVALID', codec, wanted, got, cause);
}

function wrong(code: string, codec: string, wanted: string, got: unknown, cause?: unknown): VarveError {
  const what = describeValue(got);
  return invalid(code, `${codec}: wanted ${wanted}, got ${what}`, { codec, wanted, got: what }, cause);
}

/** The error of a codec under the code of the role it had. */
function refused(code: string, codec: string, got: unknown, error: unknown): VarveError {
  if (error instanceof VarveError) {
    if (error.code === code || !['KEY_INVALID', 'VALUE_INVALID'].includes(error.code)) return error;
    return invalid(code, error.message, error.context, error.cause);
  }
  const reason = error instanceof Error ? error.message : 'a thrown value';
  return invalid(
    code,
    `codec ${codec} failed: ${reason}`,
    { codec, wanted: reason, got: describeValue(got) },
    error,
  );
}

function notBytes(code: string, codec: string, got: unknown): VarveError {
  return wrong(code, codec, 'encode to return a Uint8Array', got);
}

/** A value in short words for messages and contexts: never its whole content, never throwing. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'string':
      return `string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)}`;
    case 'number':
    case 'bigint':
    case 'boolean':
      return `${typeof value} ${value}`;
    case 'object':
      break;
    default:
      return typeof value;
  }
  if (value instanceof Uint8Array) return `${value.length} bytes${hexStart(value)}`;
  if (Array.isArray(value)) return `array of ${value.length}`;
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'object';
}

function hexStart(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length && i < 16; i++) text += bytes[i]!.toString(16).padStart(2, '0');
  if (text === '') return '';
  return ` 0x${text}${bytes.length > 16 ? '...' : ''}`;
}
