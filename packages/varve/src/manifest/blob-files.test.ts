/** Blob files in versions: what is live, which leave with which edit, and what an edit may not do to them. */
import { describe, expect, test } from 'vitest';
import { liveBlobs, liveShare, withUnreferencedBlobs } from './blob-files.ts';
import type { BlobMeta, BlobUse } from './blob-meta.ts';
import { sampleFile, sampleKeyspace } from './samples.suite.ts';
import { applyEdit, emptyVersion, snapshotEdit, type Version } from './version.ts';
import { decodeEdit, encodeEdit, type VersionEdit } from './version-edit.ts';

const blob = (number: number, recordBytes = 1000): BlobMeta => ({
  number,
  bytes: recordBytes + 64,
  records: 10,
  recordBytes,
  uniqueId: new Uint8Array(16).fill(number),
});
const use = (number: number, bytes: number, entries = 1): BlobUse => ({ number, bytes, entries });

/** Two tables over two blob files. */
const start = (): Version =>
  applyEdit(emptyVersion(), {
    keyspacesCreated: [sampleKeyspace(1)],
    addedBlobs: [
      { keyspace: 1, blob: blob(7) },
      { keyspace: 1, blob: blob(8) },
    ],
    addedFiles: [
      { keyspace: 1, level: 1, file: sampleFile(2, 'a', 'f', { blobs: [use(7, 600, 6)] }) },
      { keyspace: 1, level: 1, file: sampleFile(3, 'g', 'm', { blobs: [use(7, 200, 2), use(8, 1000, 10)] }) },
    ],
  });

const applied = (edit: VersionEdit): Version => {
  const version = start();
  return applyEdit(version, withUnreferencedBlobs(version, edit));
};
const numbersOf = (version: Version): number[] => [...version.keyspaces.get(1)!.blobs.keys()];

describe('the blob files of a version', () => {
  test('are live by what its tables refer to', () => {
    const live = liveBlobs(start().keyspaces.get(1)!);
    expect(
      live.map(({ blob: { number }, liveBytes, liveRecords }) => [number, liveBytes, liveRecords]),
    ).toEqual([
      [7, 800, 8],
      [8, 1000, 10],
    ]);
    expect(live.map(liveShare)).toEqual([0.8, 1]);
  });

  test('leave with the last table that refers to them', () => {
    const remove = (number: number) => ({ keyspace: 1, level: 1, number });
    expect(numbersOf(applied({ removedFiles: [remove(2)] }))).toEqual([7, 8]);
    expect(numbersOf(applied({ removedFiles: [remove(3)] }))).toEqual([7]);
    expect(numbersOf(applied({ removedFiles: [remove(2), remove(3)] }))).toEqual([]);
  });

  test('stay when the table only moves, or another takes the reference over', () => {
    const { levels } = start().keyspaces.get(1)!;
    const file = levels[1]![1]!;
    const removedFiles = [{ keyspace: 1, level: 1, number: 3 }];
    expect(numbersOf(applied({ removedFiles, addedFiles: [{ keyspace: 1, level: 2, file }] }))).toEqual([
      7, 8,
    ]);
    const other = sampleFile(4, 'g', 'm', { blobs: [use(8, 500, 5)] });
    const edit = { removedFiles, addedFiles: [{ keyspace: 1, level: 1, file: other }] };
    expect(numbersOf(applied(edit))).toEqual([7, 8]);
  });

  test('go with their keyspace', () => {
    const version = start();
    const edit = withUnreferencedBlobs(version, { keyspacesDropped: [1] });
    expect(applyEdit(version, edit).keyspaces.size).toBe(0);
  });

  test('come back from the snapshot of a manifest', () => {
    const version = start();
    const bytes = encodeEdit(snapshotEdit(version));
    const read = decodeEdit(bytes, 0, bytes.length, { file: 'M', offset: 0 });
    expect(applyEdit(emptyVersion(), read)).toEqual(version);
  });
});

describe('an edit contradicts the version', () => {
  const place = { file: 'MANIFEST-000001', offset: 99 };
  const refused = (edit: VersionEdit): void => {
    expect(() => applyEdit(start(), edit, place)).toThrow(
      expect.objectContaining({
        kind: 'corruption',
        context: expect.objectContaining(place) as object,
      }) as Error,
    );
  };

  test('when a table refers to a blob file that is not there', () => {
    const file = sampleFile(5, 'x', 'z', { blobs: [use(9, 10)] });
    refused({ addedFiles: [{ keyspace: 1, level: 1, file }] });
  });

  test('when a blob file leaves that a table refers to', () => {
    refused({ removedBlobs: [{ keyspace: 1, number: 7 }] });
  });

  test('when a blob file leaves that is not there, or comes twice, or can not be', () => {
    refused({ removedBlobs: [{ keyspace: 1, number: 9 }] });
    refused({ addedBlobs: [{ keyspace: 1, blob: blob(7) }] });
    refused({ addedBlobs: [{ keyspace: 1, blob: { ...blob(9), recordBytes: 5000 } }] });
    refused({ addedBlobs: [{ keyspace: 2, blob: blob(9) }] });
  });

  test('when the uses of a table are not in the order of their numbers', () => {
    const file = sampleFile(5, 'x', 'z', { blobs: [use(8, 10), use(7, 10)] });
    const bytes = encodeEdit({ addedFiles: [{ keyspace: 1, level: 1, file }] });
    expect(() => decodeEdit(bytes, 0, bytes.length, place)).toThrow(/not in order/);
  });
});
