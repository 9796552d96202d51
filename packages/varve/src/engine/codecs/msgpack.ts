/**
 * Values as MessagePack through the optional peer `msgpackr`: half the size of JSON and faster; keeps dates, 64-bit
 * bigints, sets and binary (a Map comes back as an object). Values are self-contained (no shared structures), so any MessagePack reader can read them.
 *
 * The package is looked up when `msgpack()` is first called, by a synchronous require: `varve` works without it.
 */
import { createRequire } from 'node:module';
import { cloneRange } from '../../base/bytes.ts';
import { invalid } from '../../base/errors.ts';
import type { RangeDecoder, ValueCodec } from './codec.ts';
import { valueInvalid } from './codec.ts';

/** What is used of msgpackr; declared here because its own types are absent where the package is. */
interface Packer {
  pack(value: unknown): Uint8Array;
  unpack(bytes: Uint8Array): unknown;
}
type PackerClass = new (options: {
  useRecords: boolean;
  moreTypes: boolean;
  variableMapSize: boolean;
}) => Packer;

let shared: (ValueCodec<unknown> & RangeDecoder<unknown>) | undefined;

/**
 * Values of type T as MessagePack.
 *
 * @throws VarveError `CODEC_UNAVAILABLE` (kind invalid) when the package `msgpackr` is not installed; `VALUE_INVALID`
 *   for what it cannot pack: undefined at the top, functions, symbols.
 * @example
 * const readings = db.keyspace('readings', { key: u64, value: msgpack<{ at: Date; value: number }>() });
 */
export function msgpack<T>(): ValueCodec<T> {
  shared ??= makeCodec(loadPacker());
  return shared as ValueCodec<T>;
}

/** Loads msgpackr by `load`, by default from where this package is installed. */
export function loadPacker(load: (name: string) => unknown = createRequire(import.meta.url)): Packer {
  let Packr: PackerClass;
  try {
    ({ Packr } = load('msgpackr') as { Packr: PackerClass });
  } catch (error) {
    throw invalid(
      'CODEC_UNAVAILABLE',
      'the codec msgpack needs the package msgpackr: npm install msgpackr',
      { codec: 'msgpack', package: 'msgpackr' },
      error,
    );
  }
  return new Packr({ useRecords: false, moreTypes: true, variableMapSize: true });
}

function makeCodec(packer: Packer): ValueCodec<unknown> & RangeDecoder<unknown> {
  const codec = {
    name: 'msgpack',
    encode(value: unknown): Uint8Array {
      if (value === undefined || typeof value === 'function' || typeof value === 'symbol') {
        throw valueInvalid('msgpack', 'a value that MessagePack can hold', value);
      }
      try {
        const packed = packer.pack(value);
        return new Uint8Array(packed.buffer, packed.byteOffset, packed.length);
      } catch (error) {
        throw valueInvalid('msgpack', `a value to pack (${(error as Error).message})`, value, error);
      }
    },
    decode(bytes: Uint8Array): unknown {
      try {
        return packer.unpack(bytes);
      } catch (error) {
        throw valueInvalid('msgpack', `MessagePack (${(error as Error).message})`, bytes, error);
      }
    },
    // msgpackr lends binary parts of its input, so it gets a copy that nobody else has.
    decodeRange: (bytes: Uint8Array, start: number, end: number): unknown =>
      codec.decode(cloneRange(bytes, start, end)),
  };
  return codec;
}
