/**
 * The frame of a table file: footer, block trailers, block handles. Everything else hangs from the footer.
 *
 *   file     stored blocks without gaps (data and index partitions as they filled up, then parts of the filter, filter,
 *            range tombstones, top index, properties), then the footer. Every byte is under some checksum.
 *   stored   payload, then a trailer of 14 bytes; a handle's length counts both.
 *   trailer  offset  size  type  field                                          counted from the end of the payload
 *                 0     1  u8    block type       BLOCK_*                       PERSISTED: never renumber
 *                 1     1  u8    transform        see compression.ts
 *                 2     4  u32   raw length       of the payload before the transform
 *                 6     8  u64   XXH64 of payload and the 6 bytes before, seeded with table id and file offset
 *   handle   varint offset, varint length (of the stored block)
 *   footer   offset  size  type  field
 *                 0    12  -     top index        u64 offset, u32 length
 *                12    12  -     properties
 *                24    12  -     filter           all zero: none
 *                36    12  -     range tombstones all zero: none
 *                48    16  bytes unique id of the table
 *                64     8  u64   length of the file, footer included
 *                72     8  u64   zero
 *                80     4  u32   footer length    from here on the same in every version
 *                84     4  u32   format version   PERSISTED: never reuse
 *                88     4  u32   CRC-32C of the footer without this field and the magic
 *                92     8  bytes magic "varve.st"
 * Invariants: (1) every handle lies before the footer. (2) No magic at the end: not a table. (3) Footer checksum before
 * version: a flipped bit is `corruption`, only an intact footer of a later release is `UNSUPPORTED_VERSION`.
 */
import { crc32c } from '../base/crc32c.ts';
import { corruption, invalid } from '../base/errors.ts';
import { getU32, getU64, putU32, putU64 } from '../base/fixed.ts';
import { putVarint } from '../base/varint.ts';

export const FORMAT_VERSION = 1;
export const FOOTER_BYTES = 100;
export const TRAILER_BYTES = 14;
export const UNIQUE_ID_BYTES = 16;
/** What is the same at the end of every version's footer: length, version, checksum, magic. */
export const FOOTER_TAIL_BYTES = 20;
const FOOTER_BYTES_MAX = 4096;
const MAGIC = new Uint8Array([0x76, 0x61, 0x72, 0x76, 0x65, 0x2e, 0x73, 0x74]);

export const BLOCK_DATA = 1;
export const BLOCK_INDEX = 2;
export const BLOCK_TOP_INDEX = 3;
export const BLOCK_FILTER = 4;
export const BLOCK_RANGE_TOMBSTONES = 5;
export const BLOCK_PROPERTIES = 6;
export const BLOCK_FILTER_PART = 7;
/** In blob files only: see blob-format.ts. */
export const BLOCK_BLOB = 8;

const blockNames = [
  '',
  'data',
  'index',
  'top index',
  'filter',
  'range tombstones',
  'properties',
  'filter part',
  'blob',
];

/** Name of a block type, for dumps and messages. */
export function blockTypeName(type: number): string {
  return blockNames[type] || `unknown(${type})`;
}

/** Largest block before compression: a single entry of the longest key and value fits. */
export const RAW_BLOCK_BYTES_MAX: number = 1024 * 1024 * 1024;

/** Where a stored block lies. `length` 0: there is none. */
export interface BlockHandle {
  readonly offset: number;
  readonly length: number;
}

export const NO_BLOCK: BlockHandle = { offset: 0, length: 0 };

export interface Footer {
  readonly topIndex: BlockHandle;
  readonly properties: BlockHandle;
  readonly filter: BlockHandle;
  readonly rangeTombstones: BlockHandle;
  readonly uniqueId: Uint8Array;
  readonly fileBytes: number;
}

function putHandle(bytes: Uint8Array, at: number, handle: BlockHandle): void {
  putU64(bytes, at, handle.offset);
  putU32(bytes, at + 8, handle.length);
}

/** The footer as bytes. */
export function encodeFooter(footer: Footer): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES);
  putHandle(bytes, 0, footer.topIndex);
  putHandle(bytes, 12, footer.properties);
  putHandle(bytes, 24, footer.filter);
  putHandle(bytes, 36, footer.rangeTombstones);
  bytes.set(footer.uniqueId, 48);
  putU64(bytes, 64, footer.fileBytes);
  putU32(bytes, 80, FOOTER_BYTES);
  putU32(bytes, 84, FORMAT_VERSION);
  putU32(bytes, 88, crc32c(bytes, 0, 88));
  bytes.set(MAGIC, 92);
  return bytes;
}

/**
 * Length of the footer, from the last FOOTER_TAIL_BYTES of a file of `fileBytes`.
 * @throws VarveError corruption: not a table, or a length that can not be.
 */
export function footerLength(tail: Uint8Array, fileBytes: number, file: string): number {
  const magicAt = FOOTER_TAIL_BYTES - MAGIC.length;
  for (let i = 0; i < MAGIC.length; i++) {
    if (tail[magicAt + i] !== MAGIC[i]) {
      throw corruption('not a table: the magic bytes are not at its end', {
        file,
        offset: Math.max(0, fileBytes - MAGIC.length),
      });
    }
  }
  const length = getU32(tail, 0);
  if (length < FOOTER_TAIL_BYTES || length > FOOTER_BYTES_MAX || length > fileBytes) {
    throw corruption('the footer states an impossible length', {
      file,
      offset: fileBytes - FOOTER_TAIL_BYTES,
      got: length,
    });
  }
  return length;
}

/**
 * Decodes a whole footer that ends a file of `fileBytes`.
 * @throws VarveError corruption; `UNSUPPORTED_VERSION` (invalid) when a later release wrote it.
 */
export function decodeFooter(bytes: Uint8Array, fileBytes: number, file: string): Footer {
  const offset = fileBytes - bytes.length;
  const tailAt = bytes.length - FOOTER_TAIL_BYTES;
  const expected = getU32(bytes, tailAt + 8);
  const got = crc32c(bytes, 0, tailAt + 8);
  if (expected !== got) throw corruption('the footer fails its checksum', { file, offset, expected, got });
  const version = getU32(bytes, tailAt + 4);
  if (version !== FORMAT_VERSION) {
    throw invalid(
      'UNSUPPORTED_VERSION',
      `table format version ${version} is not known here, only ${FORMAT_VERSION}`,
      {
        file,
        version,
        supported: FORMAT_VERSION,
      },
    );
  }
  if (bytes.length !== FOOTER_BYTES) {
    throw corruption('the footer has a wrong length', {
      file,
      offset,
      expected: FOOTER_BYTES,
      got: bytes.length,
    });
  }
  const stated = getU64(bytes, 64);
  if (stated !== fileBytes) {
    throw corruption('the file is not as long as its footer states', {
      file,
      offset,
      expected: stated,
      got: fileBytes,
    });
  }
  const handle = (at: number, needed: boolean): BlockHandle => {
    const found = { offset: getU64(bytes, at), length: getU32(bytes, at + 8) };
    if (found.length === 0 && found.offset === 0 && !needed) return NO_BLOCK;
    if (!(found.length > TRAILER_BYTES && found.offset + found.length <= offset)) {
      throw corruption('the footer names a block outside of the file', {
        file,
        offset: offset + at,
        block: found,
      });
    }
    return found;
  };
  return {
    topIndex: handle(0, true),
    properties: handle(12, true),
    filter: handle(24, false),
    rangeTombstones: handle(36, false),
    uniqueId: bytes.slice(48, 64),
    fileBytes,
  };
}

/** Writes a handle; returns the offset behind it (at most 16 bytes on). */
export function putBlockHandle(bytes: Uint8Array, at: number, offset: number, length: number): number {
  return putVarint(bytes, putVarint(bytes, at, offset), length);
}
