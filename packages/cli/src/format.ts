/**
 * Keys and values on the command line: bytes to and from text, hex or JSON.
 *
 * The command line opens keyspaces as bytes and formats by itself, so that it shows whatever is stored. `text` is UTF-8;
 * `hex` any bytes; `json` is the value as the keyspace's stored codec reads it (utf8: a string, u64: a number, tuple: an
 * array), or for plain bytes, which then must hold JSON text. Without a choice: json for u64, tuple and msgpack, else text.
 * What JSON cannot say stands in objects with one `$` member: {"$hex": "00ff"}, {"$bigint": "5"}, {"$date": ...},
 * {"$number": "NaN"}. Invariant: fromJson(toJson(bytes)) gives the same bytes (msgpack: the same value).
 */
import { json, msgpack, tuple, u64, utf8, VarveError } from 'varve';
import { UsageError } from './session.ts';

export const formatNames = ['text', 'hex', 'json'] as const;
export type FormatName = (typeof formatNames)[number];

/** One way to write bytes. */
export interface Format {
  readonly name: FormatName;
  /** From an argument. Throws UsageError. */
  parse(text: string): Uint8Array;
  /** For a line that a person reads: no control characters. */
  show(bytes: Uint8Array): string;
  /** For JSON output and JSONL. */
  toJson(bytes: Uint8Array): unknown;
  /** The reverse of toJson. Throws UsageError. */
  fromJson(value: unknown): Uint8Array;
}

interface AnyCodec {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** The format for a choice of the user (or none) and the codec that is stored with the keyspace. */
export function chooseFormat(choice: FormatName | undefined, codec: string): Format {
  switch (choice ?? defaultFormat(codec)) {
    case 'text':
      return textFormat;
    case 'hex':
      return hexFormat;
    case 'json':
      return jsonFormat(codec);
  }
}

function defaultFormat(codec: string): FormatName {
  return codec === 'u64' || codec === 'tuple' || codec === 'msgpack' ? 'json' : 'text';
}

const textFormat: Format = {
  name: 'text',
  parse: (text) => refusing(() => utf8.encode(text)),
  show: (bytes) => {
    const text = decodeText(bytes);
    return text === undefined ? escapeBytes(bytes) : escapeControls(text);
  },
  toJson: (bytes) => decodeText(bytes) ?? { $hex: toHex(bytes) },
  fromJson: (value) => {
    const plain = fromPlain(value);
    if (plain instanceof Uint8Array) return plain;
    if (typeof plain === 'string') return utf8.encode(plain);
    throw new UsageError(
      `wanted a string or {"$hex": ...}, got ${JSON.stringify(value)}; try --value-format json`,
    );
  },
};

const hexFormat: Format = {
  name: 'hex',
  parse: fromHex,
  show: toHex,
  toJson: toHex,
  fromJson: (value) => {
    if (typeof value === 'string') return fromHex(value);
    throw new UsageError(`wanted hex digits in a string, got ${JSON.stringify(value)}`);
  },
};

function jsonFormat(codec: string): Format {
  const coder = coderOf(codec);
  const hint = codec === 'u64' ? 'u64 takes a number' : 'a string needs its quotes';
  const format: Format = {
    name: 'json',
    parse: (text) => {
      if (codec === 'u64' && /^\d+$/.test(text)) return refusing(() => u64.encode(BigInt(text)));
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (error) {
        throw new UsageError(`'${text}' is not JSON (${(error as Error).message}); ${hint}`);
      }
      return format.fromJson(value);
    },
    show: (bytes) => escapeControls(JSON.stringify(format.toJson(bytes))),
    toJson: (bytes) => toPlain(coder.decode(bytes)),
    fromJson: (value) => refusing(() => coder.encode(fromPlain(value))),
  };
  return format;
}

function coderOf(codec: string): AnyCodec {
  switch (codec) {
    case 'utf8':
      return utf8 as AnyCodec;
    case 'u64':
      return u64 as AnyCodec;
    case 'tuple':
      return tuple() as unknown as AnyCodec;
    case 'msgpack':
      return msgpack<unknown>();
    default:
      return json<unknown>();
  }
}

/** Bytes that a codec refuses to make are a mistake in the arguments. */
function refusing<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof VarveError && error.kind === 'invalid') throw new UsageError(error.message);
    throw error;
  }
}

/** A decoded value as JSON can hold it. */
export function toPlain(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
  if (value instanceof Uint8Array) return { $hex: toHex(value) };
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof Set) return { $set: [...value].map(toPlain) };
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toPlain(member)]));
}

/** The reverse of toPlain. */
export function fromPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromPlain);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value);
  if (members.length === 1) {
    const [name, content] = members[0]!;
    if (name === '$hex' && typeof content === 'string') return fromHex(content);
    if (name === '$bigint' && typeof content === 'string' && /^-?\d+$/.test(content)) return BigInt(content);
    if (name === '$number' && typeof content === 'string') return Number(content);
    if (name === '$date') return new Date(typeof content === 'string' ? content : Number.NaN);
    if (name === '$set' && Array.isArray(content)) return new Set(content.map(fromPlain));
  }
  return Object.fromEntries(members.map(([name, member]) => [name, fromPlain(member)]));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

function fromHex(text: string): Uint8Array {
  const digits = text.startsWith('0x') ? text.slice(2) : text;
  if (digits.length % 2 === 1 || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw new UsageError(`'${text}' is not hex: an even number of the digits 0-9 and a-f`);
  }
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes, undefined when they are none. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Control characters as \n, \t or \xNN, so that stored text cannot drive the terminal. */
export function escapeControls(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

function escapeBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const printable = byte >= 0x20 && byte < 0x7f;
    text += printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}
