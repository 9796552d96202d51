/**
 * Block transforms by their stored id: what the writer may do to a block before it is stored, and how to undo it.
 *
 *   id  name     stored form                                             PERSISTED: never renumber, never reuse
 *    0  none     the block as it is
 *    1  lz4      one LZ4 block (lz4_Block_format.md), without a length: the block trailer has it
 *    2  zstd     one Zstandard frame (RFC 8878)
 *    3  snappy   reserved
 *
 * Whoever decompresses has verified the checksum of the block before; the codecs still survive any bytes: a failure
 * inside them, and a length other than the expected one, is `corruption`. Reading works on every runtime; writing zstd
 * needs a `node:zlib` that has it. Room for encryption: ids from 64 on.
 */
import * as zlib from 'node:zlib';

import { decompress as fzstdDecompress } from 'fzstd';

import { corruption, invalid } from '../base/errors.ts';
import { getU32 } from '../base/fixed.ts';
import { packLz4, unpackLz4 } from './lz4.ts';

export type CompressionName = 'none' | 'lz4' | 'zstd';

export const TRANSFORM_NONE = 0;
export const TRANSFORM_LZ4 = 1;
export const TRANSFORM_ZSTD = 2;

const names = ['none', 'lz4', 'zstd', 'snappy'];

/** Blocks above this are stored as they are: the WebAssembly memory would keep a multiple of them for ever. */
const COMPRESS_BYTES_MAX = 16 * 1024 * 1024;

/** The calls that a runtime before 22.15 lacks. */
const zstd: {
  zstdCompressSync?: (bytes: Uint8Array, options?: object) => Uint8Array;
  zstdDecompressSync?: (bytes: Uint8Array, options?: object) => Uint8Array;
} = zlib;

/** The same bytes as a plain array: `slice` of a Buffer would share memory with it. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Name of a stored transform id, for dumps and messages. */
export function transformName(id: number): string {
  return names[id] ?? `unknown(${id})`;
}

/**
 * Id of the transform to write with.
 * @throws VarveError `CODEC_UNAVAILABLE` (invalid): this runtime reads the codec but does not write it.
 */
export function writableTransform(name: CompressionName): number {
  if (name === 'none') return TRANSFORM_NONE;
  if (name === 'lz4') return TRANSFORM_LZ4;
  if (name === 'zstd') {
    if (typeof zstd.zstdCompressSync === 'function') return TRANSFORM_ZSTD;
    throw invalid('CODEC_UNAVAILABLE', `this runtime (${process.version}) can not write zstd`, {
      codec: name,
      needs: 'Node 22.15 or later',
    });
  }
  throw invalid('CODEC_UNAVAILABLE', `compression '${String(name)}' is not known`, { codec: name });
}

/** Compressed form of [start, end), lent until the next call; undefined when it would not save an eighth. */
export function compressRange(
  transform: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array | undefined {
  const length = end - start;
  if (transform === TRANSFORM_NONE || length > COMPRESS_BYTES_MAX) return undefined;
  const packed =
    transform === TRANSFORM_LZ4
      ? packLz4(bytes, start, end)
      : plain(zstd.zstdCompressSync!(bytes.subarray(start, end)));
  return packed.length <= length - (length >>> 3) ? packed : undefined;
}

function expandZstd(packed: Uint8Array, rawLength: number): Uint8Array {
  if (zstd.zstdDecompressSync !== undefined) {
    return plain(zstd.zstdDecompressSync(packed, { maxOutputLength: Math.max(1, rawLength) }));
  }
  // fzstd trusts the frame's own length: check it against ours first. It needs a plain array, a Buffer's `slice` shares.
  const declared = zstdContentSize(packed);
  if (declared !== -1 && declared !== rawLength) throw new Error(`frame declares ${declared} bytes`);
  return fzstdDecompress(new Uint8Array(packed));
}

/** Frame_Content_Size of a Zstandard frame (RFC 8878, 3.1.1.1); -1 when it is absent or over 32 bits. */
export function zstdContentSize(frame: Uint8Array): number {
  if (frame.length < 14 || getU32(frame, 0) !== 0xfd2fb528) return -1;
  const descriptor = frame[4];
  const single = (descriptor & 32) !== 0;
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  const width = descriptor >>> 6;
  if (width === 0) return single ? frame[at] : -1;
  if (width === 1) return (frame[at] | (frame[at + 1] << 8)) + 256;
  return width === 2 ? getU32(frame, at) : -1;
}

/**
 * The bytes of the block whose stored form is [start, end): fresh ones, or in `room`, which has place for `rawLength`.
 * @throws VarveError corruption when they are not `rawLength` valid bytes; `UNSUPPORTED_TRANSFORM` (invalid) for an id
 * of a later release.
 */
export function expandRange(
  transform: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  rawLength: number,
  file: string,
  offset: number,
  room?: Uint8Array,
): Uint8Array {
  if (transform !== TRANSFORM_LZ4 && transform !== TRANSFORM_ZSTD) {
    throw invalid('UNSUPPORTED_TRANSFORM', `block transform ${transformName(transform)} is not known here`, {
      file,
      offset,
      transform,
    });
  }
  let raw: Uint8Array;
  try {
    raw =
      transform === TRANSFORM_LZ4
        ? unpackLz4(bytes, start, end, rawLength, room)
        : expandZstd(bytes.subarray(start, end), rawLength);
  } catch (cause) {
    throw corruption(`a ${transformName(transform)} block does not decompress`, { file, offset }, cause);
  }
  if (raw.length !== rawLength) {
    throw corruption(`a ${transformName(transform)} block has another length than stated`, {
      file,
      offset,
      expected: rawLength,
      got: raw.length,
    });
  }
  return raw;
}
