/**
 * The edit that takes another one back: for one that is in the manifest already when it turns out that nobody may see it
 * (engine/installer.ts). Its files go, and those that it removed are there again, in the same places. What only ever rises (numbers,
 * sequences, times) stays as it is. Pure; any thread.
 */
import type { FileMeta } from './file-meta.ts';
import type { AddedBlob, AddedFile, VersionEdit } from './version-edit.ts';
import type { Version } from './version.ts';

/** @param before the version that `edit` was made for, and does not fit any more once it is applied */
export function editBack(before: Version, edit: VersionEdit): VersionEdit {
  const { removedFiles = [], addedFiles = [], addedBlobs = [], removedBlobs = [] } = edit;
  return {
    removedFiles: addedFiles.map(({ keyspace, level, file }) => ({ keyspace, level, number: file.number })),
    addedFiles: removedFiles.map(({ keyspace, level, number }): AddedFile => {
      const files = before.keyspaces.get(keyspace)?.levels[level] ?? [];
      const file = files.find((each: FileMeta) => each.number === number)!;
      return { keyspace, level, file };
    }),
    removedBlobs: addedBlobs.map(({ keyspace, blob }) => ({ keyspace, number: blob.number })),
    addedBlobs: removedBlobs.map(({ keyspace, number }): AddedBlob => {
      return { keyspace, blob: before.keyspaces.get(keyspace)!.blobs.get(number)! };
    }),
  };
}
