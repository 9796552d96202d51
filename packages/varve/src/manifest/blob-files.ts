/**
 * The blob files of a keyspace's version: what of each is live, and which are referred to no more.
 *
 * A blob file is in a version as long as a table of it refers to it. The edit that removes the last such table removes it
 * as well (`withUnreferencedBlobs`, called where an edit is about to be written), so that a version never names a
 * file that nobody can ask for. Pure functions; any thread.
 */
import type { BlobMeta } from './blob-meta.ts';
import type { FileMeta } from './file-meta.ts';
import type { KeyspaceVersion, Version } from './version.ts';
import type { RemovedBlob, VersionEdit } from './version-edit.ts';

/** What of a blob file the tables of a version refer to. */
export interface LiveBlob {
  readonly blob: BlobMeta;
  readonly liveBytes: number;
  readonly liveRecords: number;
}

/** What tables refer to in each blob file, by number: [bytes, records]. */
function usesOf(files: Iterable<FileMeta>): Map<number, [number, number]> {
  const uses = new Map<number, [number, number]>();
  for (const { blobs } of files) {
    for (const { number, bytes, entries } of blobs ?? []) {
      const [liveBytes, liveRecords] = uses.get(number) ?? [0, 0];
      uses.set(number, [liveBytes + bytes, liveRecords + entries]);
    }
  }
  return uses;
}

/** Every blob file of the keyspace with what is live of it, in the order of their numbers. */
export function liveBlobs({ levels, blobs }: KeyspaceVersion): LiveBlob[] {
  if (blobs.size === 0) return [];
  const uses = usesOf(levels.flat());
  return [...blobs.values()]
    .map((blob) => {
      const [liveBytes, liveRecords] = uses.get(blob.number) ?? [0, 0];
      return { blob, liveBytes, liveRecords };
    })
    .sort((a, b) => a.blob.number - b.blob.number);
}

/** Share of the blob file's records, by bytes, that a table refers to. */
export function liveShare({ blob, liveBytes }: LiveBlob): number {
  return liveBytes / blob.recordBytes;
}

/** Live stored bytes that the table refers to, in all blob files. */
export function blobBytesOf({ blobs }: FileMeta): number {
  let bytes = 0;
  for (const use of blobs ?? []) bytes += use.bytes;
  return bytes;
}

/** The edit, which will be applied to `version`, with the blob files that no table refers to after it. */
export function withUnreferencedBlobs(version: Version, edit: VersionEdit): VersionEdit {
  const { removedFiles = [], addedFiles = [] } = edit;
  const removed: RemovedBlob[] = [];
  for (const keyspace of new Set(removedFiles.map((file) => file.keyspace))) {
    const before = version.keyspaces.get(keyspace);
    if (before === undefined || before.blobs.size === 0) continue;
    const leaving = new Set<number>();
    for (const file of removedFiles) if (file.keyspace === keyspace) leaving.add(file.number);
    const staying = before.levels.flat().filter(({ number }) => !leaving.has(number));
    const coming = addedFiles.filter((added) => added.keyspace === keyspace).map(({ file }) => file);
    const uses = usesOf([...staying, ...coming]);
    for (const number of before.blobs.keys()) if (!uses.has(number)) removed.push({ keyspace, number });
  }
  return removed.length === 0 ? edit : { ...edit, removedBlobs: [...(edit.removedBlobs ?? []), ...removed] };
}
