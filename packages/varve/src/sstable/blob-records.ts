/**
 * A blob file from its beginning to its end: header, every record in the order of the file, footer. For checks and dumps;
 * reads of values never walk (blob-reader.ts). Everything that is given has passed its checksum; the first thing that does not
 * ends the walk as `corruption`. Layout in blob-format.ts.
 */
import { corruption } from '../base/errors.ts';
import { getU32 } from '../base/fixed.ts';
import { type FileHandle, readFully } from '../fs/file-system.ts';
import {
  BLOB_FOOTER_BYTES,
  BLOB_HEADER_BYTES,
  BLOB_PREFIX_BYTES,
  type BlobFooter,
  blobKeyStart,
  blobValueLength,
  blobValueStart,
  checkBlobId,
  decodeBlobFooter,
  decodeBlobHeader,
  validateBlob,
} from './blob-format.ts';
import { transformName } from './compression.ts';
import { BLOCK_BLOB } from './format.ts';
import { OpenedBlock, TableSeed } from './stored-block.ts';

export interface BlobEnds extends BlobFooter {
  readonly uniqueId: Uint8Array;
  readonly fileBytes: number;
}

/** Bytes are lent until the next record. */
export interface BlobRecord {
  /** Of its block: what references name. */
  readonly offset: number;
  readonly storedBytes: number;
  readonly transform: string;
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/**
 * Header and footer of an open file; `uniqueId` is the id that the manifest states, when there is one.
 * @throws VarveError corruption {file, offset}; `UNSUPPORTED_VERSION` (invalid); io
 */
export function readBlobEnds(file: FileHandle, uniqueId?: Uint8Array): BlobEnds {
  const fileBytes = file.size();
  const header = readAt(file, 0, Math.min(BLOB_HEADER_BYTES, fileBytes));
  const id = decodeBlobHeader(header, file.path);
  if (uniqueId !== undefined) checkBlobId(id, uniqueId, file.path);
  const footerBytes = Math.min(BLOB_FOOTER_BYTES, fileBytes - BLOB_HEADER_BYTES);
  const footer = readAt(file, fileBytes - footerBytes, footerBytes);
  return { ...decodeBlobFooter(footer, id, fileBytes, file.path), uniqueId: id, fileBytes };
}

/** @throws VarveError corruption {file, offset}; io */
export function* blobRecords(file: FileHandle, ends: BlobEnds): Generator<BlobRecord, void> {
  const seed = new TableSeed(ends.uniqueId);
  const end = ends.fileBytes - BLOB_FOOTER_BYTES;
  const opened = new OpenedBlock();
  let records = 0;
  for (let at = BLOB_HEADER_BYTES; at < end; records++) {
    const offset = at + BLOB_PREFIX_BYTES;
    const storedBytes = offset <= end ? getU32(readAt(file, at, BLOB_PREFIX_BYTES), 0) : 0;
    if (storedBytes === 0 || storedBytes > end - offset) {
      throw corruption('a record of a blob file states a wrong length', { file: file.path, offset: at });
    }
    opened.open(readAt(file, offset, storedBytes), 0, storedBytes, BLOCK_BLOB, seed, file.path, offset);
    const { bytes, start } = opened;
    validateBlob(bytes, start, opened.length, file.path, offset);
    const valueStart = blobValueStart(bytes, start);
    yield {
      offset,
      storedBytes,
      transform: transformName(opened.transform),
      bytes,
      keyStart: blobKeyStart(start),
      valueStart,
      valueEnd: valueStart + blobValueLength(bytes, start),
    };
    at = offset + storedBytes;
  }
  if (records !== ends.records) {
    throw corruption('a blob file holds another number of records than its footer states', {
      file: file.path,
      offset: end,
      expected: ends.records,
      got: records,
    });
  }
}

function readAt(file: FileHandle, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, length));
  if (readFully(file, bytes, 0, bytes.length, offset) < bytes.length) {
    throw corruption('the blob file ends early', { file: file.path, offset });
  }
  return bytes;
}
