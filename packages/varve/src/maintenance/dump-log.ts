/**
 * A log segment as lines: each record, and below it what it holds, the operations of a batch or the change of a keyspace.
 *
 * Bytes that are no record: `damage` when records follow or there is none at all, else `tail`, which is what a crash or the
 * earlier life of a recycled file leaves. Whether a tail counts as lost is known to the whole database only (wal/replay).
 */
import { KIND_DELETE, KIND_RANGE_DELETE, kindName } from '../base/kinds.ts';
import { decodeKeyspaceChange } from '../engine/keyspace-change.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { BatchReader } from '../record/batch.ts';
import { decodeIngestion, type IngestionEdit } from '../manifest/ingestion.ts';
import {
  HEADER_BYTES,
  RECORD_BATCH,
  RECORD_COMMIT,
  RECORD_INGESTION,
  RECORD_KEYSPACE,
  RECORD_PREPARE,
} from '../record/log-record.ts';
import { decodeDecision, decodePrepared } from '../record/prepared.ts';
import { type DumpedGap, type DumpedRecord, dumpSegment } from '../wal/dump.ts';
import { fileDetail } from './dump-manifest.ts';
import { type DumpLine, showBytes, showTime, storedDetail } from './dump-line.ts';

/** Before the first operation of a batch stands their count. */
const COUNT_BYTES = 4;

/** The lines of segment `number` at `path`. Errors: `io`, `CORRUPTION` in an intact record, `UNSUPPORTED_KIND`. */
export function* dumpLogLines(fs: FileSystem, path: string, number: number): Generator<DumpLine, void> {
  let records = 0;
  let isRecycled = false;
  let gap: DumpedGap | undefined;
  for (const item of dumpSegment(fs, path, number)) {
    if (gap !== undefined) yield gapLine(gap, 'damage', 'no intact records, but records follow');
    gap = undefined;
    if (item.what === 'unreadable') {
      gap = item;
      continue;
    }
    records++;
    isRecycled ||= item.link?.recycled === true;
    yield* recordLines(item, path);
  }
  if (gap === undefined) return;
  if (records === 0) yield gapLine(gap, 'damage', `no record of segment ${number} is intact`);
  else if (isRecycled) yield gapLine(gap, 'tail', 'left from the earlier life of the recycled file, or torn');
  else yield gapLine(gap, 'tail', 'a torn record, cut at the next open');
}

function gapLine({ offset, bytes }: DumpedGap, kind: 'damage' | 'tail', meaning: string): DumpLine {
  return { offset, kind, detail: { bytes, meaning } };
}

function* recordLines(record: DumpedRecord, path: string): Generator<DumpLine, void> {
  const { offset, kind, body, sequence, timestampMs, link, synced } = record;
  const detail: Record<string, unknown> = { sequence };
  if (timestampMs !== undefined) detail['time'] = showTime(timestampMs);
  if (kind === RECORD_KEYSPACE) Object.assign(detail, decodeKeyspaceChange(body, { file: path, offset }));
  if (link !== undefined) {
    detail['segment'] = record.segment;
    detail['recycled'] = link.recycled;
    detail['previousSegment'] = link.segment;
    detail['previousEnd'] = link.endOffset;
    detail['previousSequence'] = link.lastSequence;
  }
  detail['incarnation'] = record.incarnation;
  detail['syncedSegment'] = synced.segment;
  detail['syncedOffset'] = synced.offset;
  detail['bytes'] = record.bytes;
  if (kind === RECORD_INGESTION) {
    const edit = decodeIngestion(body, 0, body.length, sequence, { file: path, offset });
    yield { offset, kind: record.kindName, detail: { ...detail, ...ingestionDetail(edit) } };
    for (const { level, file } of edit.addedFiles) {
      yield { offset, kind: 'add-file', detail: { level, ...fileDetail(file) } };
    }
    return;
  }
  if (kind === RECORD_PREPARE) {
    const { id, locks, batch } = decodePrepared(body, 0, body.length, { file: path, offset });
    const started = offset + HEADER_BYTES + body.length - batch.length;
    yield* batchLines(record, { ...detail, id, locks: locks.length }, batch, started, path);
    return;
  }
  if (kind === RECORD_COMMIT) {
    const { id, batchStart } = decodeDecision(body, 0, body.length, { file: path, offset });
    const decided = { ...detail, id, outcome: batchStart === undefined ? 'rolled back' : 'committed' };
    if (batchStart === undefined || batchStart === body.length)
      yield { offset, kind: record.kindName, detail: decided };
    else
      yield* batchLines(record, decided, body.subarray(batchStart), offset + HEADER_BYTES + batchStart, path);
    return;
  }
  if (kind !== RECORD_BATCH) {
    yield { offset, kind: record.kindName, detail };
    return;
  }
  yield* batchLines(record, detail, body, offset + HEADER_BYTES, path);
}

function* batchLines(
  { offset, kindName: kind }: DumpedRecord,
  detail: Readonly<Record<string, unknown>>,
  body: Uint8Array,
  bodyAt: number,
  path: string,
): Generator<DumpLine, void> {
  const batch = new BatchReader();
  batch.reset(body, 0, body.length, { file: path, offset });
  yield { offset, kind, detail: { ...detail, operations: batch.count } };
  for (let at = COUNT_BYTES; batch.next(); at = batch.valueEnd) {
    yield { offset: bodyAt + at, kind: kindName(batch.kind), detail: operationDetail(batch) };
  }
}

function ingestionDetail(edit: IngestionEdit): Record<string, unknown> {
  const keyspaces = edit.ingestedSequence.map(({ keyspace }) => keyspace);
  const tables = edit.addedFiles.length;
  return keyspaces.length === 1 ? { keyspace: keyspaces[0], tables } : { keyspaces, tables };
}

function operationDetail(batch: BatchReader): Record<string, unknown> {
  const { bytes, kind, keyspaceId: keyspace, keyStart, keyEnd, valueStart, valueEnd } = batch;
  const key = showBytes(bytes, keyStart, keyEnd);
  if (kind === KIND_DELETE) return { keyspace, key };
  if (kind === KIND_RANGE_DELETE)
    return { keyspace, start: key, end: showBytes(bytes, valueStart, valueEnd) };
  return { keyspace, key, ...storedDetail(kind, bytes, valueStart, valueEnd) };
}
