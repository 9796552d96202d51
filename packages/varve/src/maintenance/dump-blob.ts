/**
 * A blob file as lines: header with what the footer states, then every record by offset, with the key that it belongs to. Whether
 * a table still refers to a record is not to be seen here. The first thing that fails its checksum ends the dump as
 * `corruption`.
 */
import { type FileHandle, type FileSystem, readFully } from '../fs/file-system.ts';
import { BLOB_FORMAT_VERSION, BLOB_HEADER_BYTES, startsLikeBlob } from '../sstable/blob-format.ts';
import { blobRecords, readBlobEnds } from '../sstable/blob-records.ts';
import { readyAtOnce } from '../sstable/checksum.ts';
import { type DumpLine, showBytes, showHex, valueDetail } from './dump-line.ts';

/** Does the file begin as a blob file? */
export function isBlobFile(fs: FileSystem, path: string): boolean {
  return withFile(fs, path, (file) => {
    const bytes = new Uint8Array(BLOB_HEADER_BYTES);
    return readFully(file, bytes, 0, bytes.length, 0) === bytes.length && startsLikeBlob(bytes);
  });
}

/** The lines of the blob file at `path`. Errors: `io`, `CORRUPTION`, `UNSUPPORTED_VERSION`. */
export function* dumpBlobLines(fs: FileSystem, path: string): Generator<DumpLine, void> {
  readyAtOnce();
  const file = fs.open(path, 'read');
  try {
    const ends = readBlobEnds(file);
    const { records, recordBytes, fileBytes } = ends;
    const uniqueId = showHex(ends.uniqueId).slice(2);
    const formatVersion = BLOB_FORMAT_VERSION;
    yield {
      offset: 0,
      kind: 'header',
      detail: { formatVersion, uniqueId, records, recordBytes, fileBytes },
    };
    for (const { offset, storedBytes, transform, bytes, keyStart, valueStart, valueEnd } of blobRecords(
      file,
      ends,
    )) {
      const key = showBytes(bytes, keyStart, valueStart);
      const value = valueDetail(bytes, valueStart, valueEnd);
      yield { offset, kind: 'value', detail: { key, storedBytes, transform, ...value } };
    }
  } finally {
    file.close();
  }
}

function withFile<T>(fs: FileSystem, path: string, use: (file: FileHandle) => T): T {
  const file = fs.open(path, 'read');
  try {
    return use(file);
  } finally {
    file.close();
  }
}
