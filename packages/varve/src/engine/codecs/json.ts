/**
 * Values as JSON text in UTF-8: readable in every dump, by every language.
 *
 * What JSON cannot say is not stored: `undefined`, functions and bigints are refused at the top, and inside an object
 * they follow JSON.stringify (properties left out, bigints refused, NaN as null).
 */
import type { RangeDecoder, ValueCodec } from './codec.ts';
import { valueInvalid } from './codec.ts';
import { decodeText, encodeText } from './utf8.ts';

const codec: ValueCodec<unknown> & RangeDecoder<unknown> = {
  name: 'json',
  encode(value: unknown): Uint8Array {
    let text: string | undefined;
    try {
      text = JSON.stringify(value) as string | undefined;
    } catch (error) {
      throw valueInvalid('json', `a value that JSON can hold (${(error as Error).message})`, value, error);
    }
    if (text === undefined) throw valueInvalid('json', 'a value that JSON can hold', value);
    // JSON.stringify escapes lone surrogates, so there is always a UTF-8 form.
    return encodeText(text)!;
  },
  decode(bytes: Uint8Array): unknown {
    return codec.decodeRange(bytes, 0, bytes.length);
  },
  decodeRange(bytes: Uint8Array, start: number, end: number): unknown {
    const text = decodeText(bytes, start, end);
    if (text === undefined) throw valueInvalid('json', 'JSON in UTF-8', bytes.subarray(start, end));
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw valueInvalid('json', `JSON (${(error as Error).message})`, bytes.subarray(start, end), error);
    }
  },
};

/**
 * Values of type T as JSON. The type is a promise of the caller: nothing is checked when a value is read.
 *
 * @throws VarveError `VALUE_INVALID` for what JSON cannot hold: undefined, functions, bigints, circular objects.
 * @example
 * const users = db.keyspace('users', { key: utf8, value: json<{ name: string }>() });
 */
export function json<T>(): ValueCodec<T> {
  return codec as ValueCodec<T>;
}
