/**
 * A manifest as lines: each record, and below it every keyspace, file and sequence that it changes, one a line.
 *
 * A torn last edit, which a crash may leave, is a line of kind `tail`; a manifest that was never completed says so in one of
 * kind `incomplete`. Anything else that does not read ends the dump as `corruption`.
 */
import { type FileSystem, readFile } from '../fs/file-system.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { FRAME_SNAPSHOT, type ManifestRecord, manifestRecords } from '../manifest/manifest-file.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import { FrameReader } from '../record/frame.ts';
import { type DumpLine, expiryDetail, showBytes, showHex, showTime } from './dump-line.ts';

/** Does the file begin with an intact snapshot? */
export function startsLikeManifest(fs: FileSystem, path: string): boolean {
  const frames = new FrameReader(readFile(fs, path));
  return frames.next() && frames.kind === FRAME_SNAPSHOT;
}

/** The lines of the manifest at `path`. Errors: `io`, `CORRUPTION`, `UNSUPPORTED_MANIFEST`. */
export function* dumpManifestLines(fs: FileSystem, path: string): Generator<DumpLine, void> {
  const bytes = readFile(fs, path);
  let isComplete = false;
  for (const record of manifestRecords(bytes, path)) {
    isComplete ||= record.kind === 'complete';
    yield { offset: record.offset, kind: record.kind, detail: scalars(record.edit) };
    yield* itemLines(record);
  }
  // Only a torn frame is left: anything else was an error above.
  const frames = new FrameReader(bytes);
  while (frames.next());
  const { offset } = frames;
  const left = bytes.length - offset;
  if (left > 0)
    yield { offset, kind: 'tail', detail: { bytes: left, meaning: 'a torn edit, cut at the next open' } };
  if (isComplete) return;
  const meaning = 'never completed: an older manifest is in force, or there was no database yet';
  yield { offset: bytes.length, kind: 'incomplete', detail: { meaning } };
}

function scalars(edit: VersionEdit): Record<string, unknown> {
  const { syncedPosition, storedTime } = edit;
  const detail: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(edit)) {
    if (typeof value === 'number' || typeof value === 'string') detail[name] = value;
  }
  if (storedTime !== undefined) detail['storedTime'] = showTime(storedTime);
  if (syncedPosition !== undefined) {
    detail['syncedSegment'] = syncedPosition.segment;
    detail['syncedOffset'] = syncedPosition.offset;
  }
  return detail;
}

function* itemLines({ offset, edit }: ManifestRecord): Generator<DumpLine, void> {
  for (const record of edit.keyspacesCreated ?? []) {
    yield { offset, kind: 'keyspace', detail: { change: 'create', ...record } };
  }
  for (const id of edit.keyspacesDropped ?? [])
    yield { offset, kind: 'keyspace', detail: { change: 'drop', id } };
  for (const code of edit.keyspaceCodes ?? []) yield { offset, kind: 'keyspace-code', detail: { ...code } };
  for (const removed of edit.removedFiles ?? [])
    yield { offset, kind: 'remove-file', detail: { ...removed } };
  for (const { keyspace, level, file } of edit.addedFiles ?? []) {
    yield { offset, kind: 'add-file', detail: { keyspace, level, ...fileDetail(file) } };
  }
  for (const removed of edit.removedBlobs ?? [])
    yield { offset, kind: 'remove-blob', detail: { ...removed } };
  for (const { keyspace, blob } of edit.addedBlobs ?? []) {
    const uniqueId = showHex(blob.uniqueId).slice(2);
    yield { offset, kind: 'add-blob', detail: { keyspace, ...blob, uniqueId } };
  }
  for (const flushed of edit.flushedSequence ?? []) yield { offset, kind: 'flushed', detail: { ...flushed } };
  for (const floor of edit.historyFloor ?? []) yield { offset, kind: 'history-floor', detail: { ...floor } };
  for (const { since, ...retention } of edit.retention ?? []) {
    yield { offset, kind: 'retention', detail: { ...retention, since: showTime(since) } };
  }
  for (const counted of edit.countedVersions ?? [])
    yield { offset, kind: 'counted-versions', detail: { ...counted } };
  for (const ingested of edit.ingestedSequence ?? [])
    yield { offset, kind: 'ingested', detail: { ...ingested } };
  for (const end of edit.incarnationEnds ?? []) yield { offset, kind: 'incarnation-end', detail: { ...end } };
  for (const { time, sequence } of edit.timeMarks ?? []) {
    yield { offset, kind: 'time-mark', detail: { time: showTime(time), sequence } };
  }
}

/** What a line says about a table. */
export function fileDetail(file: FileMeta): Record<string, unknown> {
  const { smallestKey, largestKey, uniqueId, lowerBound, upperBound, expiry, blobs, ...plain } = file;
  return {
    ...plain,
    ...(expiry !== undefined && expiryDetail(expiry)),
    smallestKey: showBytes(smallestKey),
    largestKey: showBytes(largestKey),
    ...(lowerBound === undefined ? {} : { lowerBound: showBytes(lowerBound) }),
    ...(upperBound === undefined ? {} : { upperBound: showBytes(upperBound) }),
    uniqueId: showHex(uniqueId).slice(2),
    ...(blobs === undefined
      ? {}
      : { blobFiles: blobs.map((use) => use.number), blobBytes: blobs.map((use) => use.bytes) }),
  };
}
