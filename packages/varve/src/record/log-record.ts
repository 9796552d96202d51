/**
 * One record of the log: a header of 44 bytes and a body. Little-endian, not aligned.
 *
 *   offset  size  type   field
 *        0     4  u32    crc32c of bytes 4 to the end of the body
 *        4     4  u32    bodyLength
 *        8     1  u8     kind              PERSISTED: never renumber
 *        9     1  u8     flags             bit 0: a timestamp is present
 *       10     2  u16    zero
 *       12     4  u32    incarnation       of the database when the record was written
 *       16     4  u32    segment           number of the file that the record was written to
 *       20     8  u64    sequence          of the batch; of the last one used when the kind consumes none
 *       28     4  u32    synced segment    the log was known to be on disk up to here when the record was written
 *       32     4  u32    synced offset
 *       36     8  f64    timestamp         milliseconds since 1970; 0 without flag bit 0
 *       44        bytes  body              batch: record/batch.ts; keyspace change: the engine's; marker: empty;
 *                                         ingestion: manifest/ingestion.ts; prepare and commit: record/prepared.ts
 *
 * Body of kind 6, segment start, the first record of every segment (20 bytes):
 *        0     4  u32    flags             bit 0: the file was recycled, stale bytes may follow the last record
 *        4     8  u64    last sequence of the previous segment
 *       12     4  u32    number of the previous segment (0: there was none)
 *       16     4  u32    end offset of the previous segment
 *
 * Written by wal/log, read by wal/segment-reader. Invariant: a record whose segment is not the number of its file, or whose
 * incarnation is not that of the segment's start, is a stale byte of a recycled file and is never replayed.
 */
import { crc32cOf } from '../base/crc32c.ts';
import { getU32, getU64, putU32, putU64 } from '../base/fixed.ts';

export const HEADER_BYTES = 44;
export const SEGMENT_START_BYTES = 20;

export const RECORD_BATCH = 1;
export const RECORD_KEYSPACE = 2;
/** States the synced position; consumes no sequence. */
export const RECORD_MARKER = 3;
/** A transaction is prepared (record/prepared.ts). */
export const RECORD_PREPARE = 4;
/** A prepared transaction was committed, then with its batch, or rolled back. */
export const RECORD_COMMIT = 5;
export const RECORD_SEGMENT_START = 6;
/** Tables that were written beside the log become part of a keyspace. */
export const RECORD_INGESTION = 7;

const FLAG_TIMESTAMP = 1;
const FLAG_RECYCLED = 1;

const names: Readonly<Record<number, string>> = {
  [RECORD_BATCH]: 'batch',
  [RECORD_KEYSPACE]: 'keyspace',
  [RECORD_MARKER]: 'marker',
  [RECORD_PREPARE]: 'prepare',
  [RECORD_COMMIT]: 'commit',
  [RECORD_SEGMENT_START]: 'segment-start',
  [RECORD_INGESTION]: 'ingestion',
};

/** Name of a record kind for messages and dumps. */
export function recordKindName(kind: number): string {
  const name = names[kind];
  return name ?? `unknown(${kind})`;
}

/** Does a record of this kind change something, and so take a sequence of its own? */
export function isDataKind(kind: number): boolean {
  return kind !== RECORD_MARKER && kind !== RECORD_SEGMENT_START && names[kind] !== undefined;
}

/** A place in the log: file number and byte offset. Segment 0 is before every record. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

/** Negative, zero or positive as position a lies before, at or after (segment, offset). */
export function comparePosition(a: LogPosition, segment: number, offset: number): number {
  return a.segment - segment || a.offset - offset;
}

/** Writes all of a header but the checksum; `view` covers the array that the record is built in. */
export function encodeHeader(
  view: DataView,
  at: number,
  bodyLength: number,
  kind: number,
  incarnation: number,
  segment: number,
  sequence: number,
  syncedSegment: number,
  syncedOffset: number,
  /** Undefined: timestamps are off. */
  timestampMs: number | undefined,
): void {
  view.setUint32(at + 4, bodyLength, true);
  view.setUint32(at + 8, timestampMs === undefined ? kind : kind | (FLAG_TIMESTAMP << 8), true);
  view.setUint32(at + 12, incarnation, true);
  view.setUint32(at + 16, segment, true);
  const high = Math.floor(sequence / 4294967296);
  view.setUint32(at + 20, sequence - high * 4294967296, true);
  view.setUint32(at + 24, high, true);
  view.setUint32(at + 28, syncedSegment, true);
  view.setUint32(at + 32, syncedOffset, true);
  view.setFloat64(at + 36, timestampMs ?? 0, true);
}

/** A decoded header. One is reused per reader; `decode` believes nothing, `recordIsIntact` says whether to. */
export class RecordHeader {
  checksum = 0;
  bodyLength = 0;
  kind = 0;
  flags = 0;
  zero = 0;
  incarnation = 0;
  segment = 0;
  sequence = 0;
  syncedSegment = 0;
  syncedOffset = 0;
  timestampMs = 0;

  /** Reads 44 bytes at `at` of what `view` covers; the caller has made sure that they are there. */
  decode(view: DataView, at: number): void {
    this.checksum = view.getUint32(at, true);
    this.bodyLength = view.getUint32(at + 4, true);
    this.kind = view.getUint8(at + 8);
    this.flags = view.getUint8(at + 9);
    this.zero = view.getUint16(at + 10, true);
    this.incarnation = view.getUint32(at + 12, true);
    this.segment = view.getUint32(at + 16, true);
    this.sequence = view.getUint32(at + 20, true) + view.getUint32(at + 24, true) * 4294967296;
    this.syncedSegment = view.getUint32(at + 28, true);
    this.syncedOffset = view.getUint32(at + 32, true);
    this.timestampMs = view.getFloat64(at + 36, true);
  }

  get hasTimestamp(): boolean {
    return (this.flags & FLAG_TIMESTAMP) !== 0;
  }

  /** True for the kinds, flags and spare bytes that this release knows. */
  get isSupported(): boolean {
    return names[this.kind] !== undefined && (this.flags & ~FLAG_TIMESTAMP) === 0 && this.zero === 0;
  }
}

/** Length in bytes of the intact record at `at` of what `view` covers; 0 when it is cut or its checksum is wrong. */
export function intactRecordLength(view: DataView, at: number, end: number): number {
  if (end - at < HEADER_BYTES) return 0;
  const length = HEADER_BYTES + view.getUint32(at + 4, true);
  if (length > end - at) return 0;
  return crc32cOf(view, at + 4, at + length, 0) === view.getUint32(at, true) ? length : 0;
}

/** What a segment says about the one before it. */
export interface SegmentLink {
  readonly recycled: boolean;
  readonly lastSequence: number;
  readonly segment: number;
  readonly endOffset: number;
}

/** Body of a segment-start record. */
export function encodeSegmentStart(bytes: Uint8Array, at: number, link: SegmentLink): void {
  putU32(bytes, at, link.recycled ? FLAG_RECYCLED : 0);
  putU64(bytes, at + 4, link.lastSequence);
  putU32(bytes, at + 12, link.segment);
  putU32(bytes, at + 16, link.endOffset);
}

/** The same back; the caller has checked that it is an intact record of that kind with 20 bytes of body. */
export function decodeSegmentStart(bytes: Uint8Array, at: number): SegmentLink {
  return {
    recycled: (getU32(bytes, at) & FLAG_RECYCLED) !== 0,
    lastSequence: getU64(bytes, at + 4),
    segment: getU32(bytes, at + 12),
    endOffset: getU32(bytes, at + 16),
  };
}
