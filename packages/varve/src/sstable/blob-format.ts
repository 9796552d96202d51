/**
 * A blob file: values that are so large that tables only refer to them (blob-reference.ts). Written once, by the job that
 * writes the tables, and never changed.
 *
 *   file     header, records without gaps, footer
 *   header   offset  size  type  field
 *                 0     8  bytes magic "varve.bl"
 *                 8     4  u32   format version       PERSISTED: never reuse
 *                12    16  bytes unique id of the file
 *                28     4  u32   CRC-32C of the header without this field
 *   record        0     4  u32   stored length        of the block behind it: for walks through the file; a reference has it
 *                 4     -  block payload and trailer  a stored block as in a table (format.ts), of type 8, seeded with this id
 *   payload       0     4  u32   value length
 *                 4     2  u16   key length
 *                 6     2  u16   zero
 *                 8     -  bytes key, then value
 *   footer        0     8  u64   records
 *                 8     8  u64   bytes of all records
 *                16     4  u32   format version
 *                20     4  u32   CRC-32C of the unique id and the footer up to here
 *                24     8  bytes magic "varve.be"
 * Invariants: (1) a reference names the block of one record. (2) The key in a record is the key of the entry that refers to
 * it: a reference that went astray is `corruption`, never another key's value. (3) Reads need neither header nor footer: the
 * manifest has what they say. Checks and dumps do.
 */
import { describeBytes, equalBytes } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';
import { corruption, invalid } from '../base/errors.ts';
import { getU16, getU32, getU64, putU16, putU32, putU64 } from '../base/fixed.ts';
import { UNIQUE_ID_BYTES } from './format.ts';

export const BLOB_FORMAT_VERSION = 1;
export const BLOB_HEADER_BYTES = 32;
export const BLOB_FOOTER_BYTES = 32;
/** The stored length before each block. */
export const BLOB_PREFIX_BYTES = 4;
/** What stands before key and value in a payload. */
export const BLOB_PAYLOAD_BYTES = 8;

const HEADER_MAGIC = new Uint8Array([0x76, 0x61, 0x72, 0x76, 0x65, 0x2e, 0x62, 0x6c]);
const FOOTER_MAGIC = new Uint8Array([0x76, 0x61, 0x72, 0x76, 0x65, 0x2e, 0x62, 0x65]);
const ID_AT = 12;
const HEADER_CHECKSUM_AT = 28;
const FOOTER_CHECKSUM_AT = 20;
const FOOTER_MAGIC_AT = 24;

export interface BlobFooter {
  readonly records: number;
  /** All of them with what stands before each: from the header to the footer. */
  readonly recordBytes: number;
}

export function encodeBlobHeader(uniqueId: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BLOB_HEADER_BYTES);
  bytes.set(HEADER_MAGIC);
  putU32(bytes, 8, BLOB_FORMAT_VERSION);
  bytes.set(uniqueId, ID_AT);
  putU32(bytes, HEADER_CHECKSUM_AT, crc32c(bytes, 0, HEADER_CHECKSUM_AT));
  return bytes;
}

/** Does the file begin as a blob file does? */
export function startsLikeBlob(bytes: Uint8Array): boolean {
  return bytes.length >= BLOB_HEADER_BYTES && HEADER_MAGIC.every((byte, i) => bytes[i] === byte);
}

/**
 * The unique id that a header states.
 * @throws VarveError corruption; `UNSUPPORTED_VERSION` (invalid) when a later release wrote it.
 */
export function decodeBlobHeader(bytes: Uint8Array, file: string): Uint8Array {
  if (!startsLikeBlob(bytes)) {
    throw corruption('not a blob file: the magic bytes are not at its beginning', { file, offset: 0 });
  }
  checkSum(crc32c(bytes, 0, HEADER_CHECKSUM_AT), getU32(bytes, HEADER_CHECKSUM_AT), 'header', file, 0);
  checkVersion(getU32(bytes, 8), file);
  return bytes.slice(ID_AT, ID_AT + UNIQUE_ID_BYTES);
}

export function encodeBlobFooter({ records, recordBytes }: BlobFooter, uniqueId: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BLOB_FOOTER_BYTES);
  putU64(bytes, 0, records);
  putU64(bytes, 8, recordBytes);
  putU32(bytes, 16, BLOB_FORMAT_VERSION);
  putU32(bytes, FOOTER_CHECKSUM_AT, crc32c(bytes, 0, FOOTER_CHECKSUM_AT, crc32c(uniqueId)));
  bytes.set(FOOTER_MAGIC, FOOTER_MAGIC_AT);
  return bytes;
}

/**
 * The last BLOB_FOOTER_BYTES of a file of `fileBytes`.
 * @throws VarveError corruption; `UNSUPPORTED_VERSION` (invalid) when a later release wrote it.
 */
export function decodeBlobFooter(
  bytes: Uint8Array,
  uniqueId: Uint8Array,
  fileBytes: number,
  file: string,
): BlobFooter {
  const offset = fileBytes - BLOB_FOOTER_BYTES;
  if (bytes.length !== BLOB_FOOTER_BYTES || !equalBytes(bytes.subarray(FOOTER_MAGIC_AT), FOOTER_MAGIC)) {
    throw corruption('the blob file has no footer', { file, offset: Math.max(0, offset) });
  }
  const got = crc32c(bytes, 0, FOOTER_CHECKSUM_AT, crc32c(uniqueId));
  checkSum(got, getU32(bytes, FOOTER_CHECKSUM_AT), 'footer', file, offset);
  checkVersion(getU32(bytes, 16), file);
  const recordBytes = getU64(bytes, 8);
  const expected = offset - BLOB_HEADER_BYTES;
  if (recordBytes !== expected) {
    throw corruption('the blob file is not as long as its footer states', {
      file,
      offset,
      expected: recordBytes,
      got: expected,
    });
  }
  return { records: getU64(bytes, 0), recordBytes };
}

/** Writes the head of a payload; key and value follow. Returns the offset behind it. */
export function putBlobHead(bytes: Uint8Array, at: number, keyLength: number, valueLength: number): number {
  putU32(bytes, at, valueLength);
  putU16(bytes, at + 4, keyLength);
  putU16(bytes, at + 6, 0);
  return at + BLOB_PAYLOAD_BYTES;
}

/** Checks the payload [start, start + length): after this its lengths may be believed. @throws VarveError corruption */
export function validateBlob(
  bytes: Uint8Array,
  start: number,
  length: number,
  file: string,
  offset: number,
): void {
  if (
    length >= BLOB_PAYLOAD_BYTES &&
    BLOB_PAYLOAD_BYTES + getU16(bytes, start + 4) + getU32(bytes, start) === length &&
    getU16(bytes, start + 6) === 0
  )
    return;
  throw corruption('a record of a blob file states wrong lengths', { file, offset, length });
}

/** Where the key of the checked payload at `start` lies; it ends where the value begins. */
export function blobKeyStart(start: number): number {
  return start + BLOB_PAYLOAD_BYTES;
}

export function blobValueStart(bytes: Uint8Array, start: number): number {
  return start + BLOB_PAYLOAD_BYTES + getU16(bytes, start + 4);
}

export function blobValueLength(bytes: Uint8Array, start: number): number {
  return getU32(bytes, start);
}

function checkSum(got: number, expected: number, what: string, file: string, offset: number): void {
  if (got === expected) return;
  throw corruption(`the ${what} of a blob file fails its checksum`, { file, offset, expected, got });
}

function checkVersion(version: number, file: string): void {
  if (version === BLOB_FORMAT_VERSION) return;
  throw invalid(
    'UNSUPPORTED_VERSION',
    `blob format version ${version} is not known here, only ${BLOB_FORMAT_VERSION}`,
    { file, version, supported: BLOB_FORMAT_VERSION },
  );
}

/** The file is the one that the manifest names. @throws VarveError corruption */
export function checkBlobId(got: Uint8Array, expected: Uint8Array, file: string): void {
  if (equalBytes(got, expected)) return;
  throw corruption('the blob file is another one than the manifest names', {
    file,
    offset: ID_AT,
    expected: describeBytes(expected),
    got: describeBytes(got),
  });
}
