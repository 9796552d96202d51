/**
 * What a table holds in the place of a value that lies in a blob file: the value of an entry of kind `blob`.
 *
 *   order  type    field                             PERSISTED: flags are never renumbered
 *       1  u8      flags       bit 0: an expiry follows; the other bits are refused by name
 *       2  u64     expiry      milliseconds since the epoch, little-endian; only with bit 0. Not written by this release
 *       3  varint  file        number of the blob file
 *       4  varint  offset      of the block in it (blob-format.ts)
 *       5  varint  length      of the stored block
 *
 * Decoding trusts nothing but checks no file: whether offset and length lie inside is for whoever reads there. One object is
 * reused for many references; nothing is allocated.
 */
import { corruption, invalid } from '../base/errors.ts';
import { ByteReader, putVarint } from '../base/varint.ts';

const FLAG_EXPIRY = 1;
const EXPIRY_BYTES = 8;
/** Flags and three varints. */
export const REFERENCE_BYTES_MAX: number = 1 + 3 * 8;

const reader = new ByteReader(new Uint8Array(0));

export class BlobReference {
  file = 0;
  offset = 0;
  length = 0;

  /**
   * Takes over the reference [start, end) of `bytes`.
   * @throws VarveError corruption; `UNSUPPORTED_BLOB_REFERENCE` (invalid) for flags of a later release
   */
  decode(bytes: Uint8Array, start: number, end: number): void {
    reader.reset(bytes, start, end);
    const flags = reader.byte();
    if (!reader.failed && flags !== 0) throw unsupported(flags);
    this.file = reader.varint();
    this.offset = reader.varint();
    this.length = reader.varint();
    if (!reader.failed && reader.at === end && this.file > 0 && this.length > 0) return;
    throw corruption('an entry does not hold a reference to a value', { length: end - start });
  }

  /** Writes it at `at`; returns the offset behind it, at most REFERENCE_BYTES_MAX on. */
  encode(bytes: Uint8Array, at: number): number {
    bytes[at] = 0;
    return putVarint(bytes, putVarint(bytes, putVarint(bytes, at + 1, this.file), this.offset), this.length);
  }
}

function unsupported(flags: number): Error {
  const expires = (flags & FLAG_EXPIRY) === 0 ? '' : ` (with an expiry of ${EXPIRY_BYTES} bytes)`;
  const message = `a reference to a value has flags ${flags}${expires}, which a later release wrote`;
  return invalid('UNSUPPORTED_BLOB_REFERENCE', message, { flags });
}
