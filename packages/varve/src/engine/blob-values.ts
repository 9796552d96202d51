/**
 * The step of a read behind the entry: a value that a table only refers to is read from its blob file.
 *
 * Point reads and walks find references (kind `blob`) as they find values; only who wants the value comes here, so `has`, counts and
 * walks over keys read no blob file. The reference and the list of blob files have to be of one version: who holds a
 * reference across a change of views looks the key up anew. Within an attempt (sstable/cold-reads.ts) it ends with COLD like
 * any other read. Allocates nothing.
 */
import type { PointResult } from '../base/entry.ts';
import { corruption } from '../base/errors.ts';
import { KIND_PUT } from '../base/kinds.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import type { BlobReader } from '../sstable/blob-reader.ts';
import { BlobReference } from '../sstable/blob-reference.ts';
import type { TableCache } from '../sstable/table-cache.ts';

const reference = new BlobReference();

/** The file of `version` that `reference` names. */
function fileOf(version: KeyspaceVersion, tables: TableCache): BlobReader {
  const blob = version.blobs.get(reference.file);
  if (blob !== undefined) return tables.blob(blob);
  throw corruption('an entry refers to a blob file that its keyspace does not have', {
    keyspace: version.record.name,
    blobFile: reference.file,
  });
}

/**
 * Takes the reference in `found`, which is that of the key [start, end) in `version`, and leaves the value there as a put; lent
 * until the next read of anything. @throws VarveError corruption {file, offset}; io
 */
export function loadValue(
  version: KeyspaceVersion,
  tables: TableCache,
  key: Uint8Array,
  start: number,
  end: number,
  found: PointResult,
): void {
  reference.decode(found.value, found.valueStart, found.valueEnd);
  const file = fileOf(version, tables);
  file.read(reference, key, start, end);
  found.kind = KIND_PUT;
  found.value = file.bytes;
  found.valueStart = file.start;
  found.valueEnd = file.end;
}

/**
 * While other threads read for this one: has the value that the reference [start, end) names in the cache, or asks for it.
 * Its stored length; negative when it is to be waited for.
 */
export function prepareValue(
  version: KeyspaceVersion,
  tables: TableCache,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  reference.decode(bytes, start, end);
  return fileOf(version, tables).prepare(reference) ? reference.length : -reference.length;
}
