/**
 * What the manifest knows of a blob file, and of what a table refers to in it.
 *
 *   blob file  varint number, bytes, records, recordBytes, 16 bytes uniqueId      PERSISTED
 *   use        varint number, bytes, entries: what one table refers to in one blob file; part of FileMeta (file-meta.ts)
 *
 * `bytes` of a use are stored bytes of records, as in `recordBytes`: those of all tables of a version together are what is
 * live of a blob file, exact for what tables hold. A record that no table refers to any more is never referred to again.
 */
import type { FieldReader, FieldWriter } from './fields.ts';

const UNIQUE_ID_BYTES = 16;

export interface BlobMeta {
  /** The name of the file is made from it. */
  readonly number: number;
  /** Length of the file. */
  readonly bytes: number;
  readonly records: number;
  /** Stored bytes of all records. */
  readonly recordBytes: number;
  /** 16 bytes, the file's own: seeds the checksums of its records. */
  readonly uniqueId: Uint8Array;
}

/** What a table refers to in a blob file. */
export interface BlobUse {
  readonly number: number;
  /** Stored bytes of the records. */
  readonly bytes: number;
  readonly entries: number;
}

export function encodeBlobMeta(
  { number, bytes, records, recordBytes, uniqueId }: BlobMeta,
  to: FieldWriter,
): void {
  to.varint(number).varint(bytes).varint(records).varint(recordBytes).raw(uniqueId);
}

export function decodeBlobMeta(from: FieldReader): BlobMeta {
  const blob: BlobMeta = {
    number: from.varint('the number of a blob file'),
    bytes: from.varint('the bytes of a blob file'),
    records: from.varint('the records of a blob file'),
    recordBytes: from.varint('the record bytes of a blob file'),
    uniqueId: from.raw(UNIQUE_ID_BYTES, 'the id of a blob file'),
  };
  const wrong = impossibleBlob(blob);
  if (wrong !== undefined) throw from.bad(`blob file ${blob.number}: ${wrong}`);
  return blob;
}

/** What about it can not be; undefined when all is well. Asked before writing and after reading. */
export function impossibleBlob({
  number,
  bytes,
  records,
  recordBytes,
  uniqueId,
}: BlobMeta): string | undefined {
  if (number < 1) return 'file numbers start at 1';
  if (records < 1) return 'it has no records';
  if (recordBytes >= bytes) return 'its records are longer than the file';
  if (uniqueId.length !== UNIQUE_ID_BYTES) return 'its id is not 16 bytes long';
  return undefined;
}

export function encodeBlobUses(uses: readonly BlobUse[], to: FieldWriter): void {
  to.varint(uses.length);
  for (const { number, bytes, entries } of uses) to.varint(number).varint(bytes).varint(entries);
}

/** Ascending by number, each once. */
export function decodeBlobUses(from: FieldReader): BlobUse[] {
  const uses: BlobUse[] = [];
  let before = 0;
  for (let left = from.varint('the blob files of a file'); left > 0; left--) {
    const use: BlobUse = {
      number: from.varint('the number of a blob file'),
      bytes: from.varint('the live bytes of a blob file'),
      entries: from.varint('the live records of a blob file'),
    };
    if (use.number <= before) throw from.bad('the blob files of a file are not in order');
    before = use.number;
    uses.push(use);
  }
  return uses;
}
