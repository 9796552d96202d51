/**
 * Sealing a block for the file and opening it again: trailer, checksum, compression. Byte table in format.ts.
 *
 * The checksum is seeded with the table's unique id and the block's offset, so that a block that was written elsewhere
 * (a misdirected write, a stale block of a reused file) does not pass. Used by the writer, every reader and `verify`.
 */
import { EMPTY } from '../base/bytes.ts';
import { corruption } from '../base/errors.ts';
import { getU32, putU32 } from '../base/fixed.ts';
import { digest, xxh64 } from './checksum.ts';
import type { Piece } from './cold-reads.ts';
import { expandRange, TRANSFORM_NONE } from './compression.ts';
import { blockTypeName, RAW_BLOCK_BYTES_MAX, TRAILER_BYTES } from './format.ts';
import type { ReadAhead } from './read-ahead.ts';

const CHECKSUM_BYTES = 8;
const RAW_LENGTH_AT = 2;
const CHECKSUM_AT = TRAILER_BYTES - CHECKSUM_BYTES;
const TWO_32 = 4294967296;

/** The part of the checksum seed that is the same for all blocks of a table. */
export class TableSeed {
  readonly low: number;
  readonly high: number;

  constructor(uniqueId: Uint8Array) {
    this.low = getU32(uniqueId, 0) ^ getU32(uniqueId, 8);
    this.high = getU32(uniqueId, 4) ^ getU32(uniqueId, 12);
  }

  /** Leaves the checksum of [start, end), stored at `offset` of the file, in `digest`. */
  checksum(bytes: Uint8Array, start: number, end: number, offset: number): void {
    xxh64(bytes, start, end, this.low ^ (offset % TWO_32), this.high ^ Math.floor(offset / TWO_32));
  }
}

/** Writes the trailer behind the payload [start, end), which will stand at `offset` of the file; returns the new end. */
export function sealBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  type: number,
  transform: number,
  rawLength: number,
  seed: TableSeed,
  offset: number,
): number {
  bytes[end] = type;
  bytes[end + 1] = transform;
  putU32(bytes, end + RAW_LENGTH_AT, rawLength);
  seed.checksum(bytes, start, end + CHECKSUM_AT, offset);
  putU32(bytes, end + CHECKSUM_AT, digest[0]);
  putU32(bytes, end + CHECKSUM_AT + 4, digest[1]);
  return end + TRAILER_BYTES;
}

/** Whom a block is read for. */
export interface ReadTarget {
  readonly readAhead?: ReadAhead | undefined;
  /** Memory to expand it into; without it that is fresh. */
  readonly room?: ((bytes: number) => Uint8Array) | undefined;
}

/** The raw bytes of an opened block, lent: the array that was given to `open`, a fresh one, or memory of who will hold them. One is reused. */
export class OpenedBlock {
  bytes: Uint8Array = EMPTY;
  start = 0;
  length = 0;
  transform = 0;
  /** The structure of a block of entries was verified as well, by another thread. */
  isChecked = false;

  /** What another thread has opened. */
  take(piece: Piece): void {
    this.bytes = piece.bytes;
    this.start = piece.start;
    this.length = piece.length;
    this.isChecked = true;
  }

  /**
   * Checks the stored block [start, start + length), read from `offset` of `file`, and undoes its transform, into memory of
   * `target` if it has some.
   * @throws VarveError corruption; `UNSUPPORTED_TRANSFORM` (invalid).
   */
  open(
    bytes: Uint8Array,
    start: number,
    length: number,
    type: number,
    seed: TableSeed,
    file: string,
    offset: number,
    target?: ReadTarget,
  ): void {
    this.isChecked = false;
    if (length < TRAILER_BYTES)
      throw corruption('a block is shorter than its trailer', { file, offset, length });
    const end = start + length - TRAILER_BYTES;
    seed.checksum(bytes, start, end + CHECKSUM_AT, offset);
    if (
      digest[0] !== getU32(bytes, end + CHECKSUM_AT) ||
      digest[1] !== getU32(bytes, end + CHECKSUM_AT + 4)
    ) {
      throw corruption(`a block (${blockTypeName(type)}) fails its checksum`, { file, offset, length });
    }
    if (bytes[end] !== type) {
      throw corruption(
        `a block is of type ${blockTypeName(bytes[end])} where ${blockTypeName(type)} belongs`,
        {
          file,
          offset,
        },
      );
    }
    const rawLength = getU32(bytes, end + RAW_LENGTH_AT);
    this.transform = bytes[end + 1];
    this.length = rawLength;
    if (this.transform === TRANSFORM_NONE) {
      if (rawLength !== end - start) {
        throw corruption('a block states a wrong length', {
          file,
          offset,
          expected: end - start,
          got: rawLength,
        });
      }
      this.bytes = bytes;
      this.start = start;
      return;
    }
    if (rawLength > RAW_BLOCK_BYTES_MAX) {
      throw corruption('a block states an impossible length', { file, offset, got: rawLength });
    }
    this.bytes = expandRange(
      this.transform,
      bytes,
      start,
      end,
      rawLength,
      file,
      offset,
      target?.room?.(rawLength),
    );
    this.start = 0;
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.bytes = EMPTY;
    this.length = 0;
  }
}
