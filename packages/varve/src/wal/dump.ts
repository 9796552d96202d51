/**
 * All that can be read of one log segment, for the `dump` command and for tests: records in file order, and where bytes
 * do not form one. Reads only, needs no open database, believes nothing. One object a record: not for hot paths.
 */
import type { FileSystem } from '../fs/file-system.ts';
import {
  decodeSegmentStart,
  type LogPosition,
  RECORD_SEGMENT_START,
  recordKindName,
  type SegmentLink,
} from '../record/log-record.ts';
import { SegmentReader } from './segment-reader.ts';

export interface DumpedRecord {
  readonly what: 'record';
  readonly offset: number;
  readonly bytes: number;
  readonly kind: number;
  readonly kindName: string;
  readonly incarnation: number;
  readonly segment: number;
  readonly sequence: number;
  readonly synced: LogPosition;
  /** Milliseconds since 1970; undefined when timestamps were off. */
  readonly timestampMs: number | undefined;
  /** Lent until the next step; of kind batch: see record/batch. */
  readonly body: Uint8Array;
  /** Of the first record only. */
  readonly link: SegmentLink | undefined;
}

/** Bytes that are no record of this segment: damage when records follow, else a torn tail or what a recycled file holds. */
export interface DumpedGap {
  readonly what: 'unreadable';
  readonly offset: number;
  readonly bytes: number;
}

/** Walks segment `number` at `path`. Errors: `io`; `UNSUPPORTED_KIND` at a record of a later release. */
export function* dumpSegment(
  fs: FileSystem,
  path: string,
  number: number,
): Generator<DumpedRecord | DumpedGap, void> {
  const reader = new SegmentReader();
  reader.load(fs, path, number);
  for (;;) {
    const expected = reader.nextOffset;
    if (reader.next()) {
      yield describe(reader);
      continue;
    }
    const found = reader.find(expected);
    const end = found < 0 ? reader.size : found;
    if (end > expected) yield { what: 'unreadable', offset: expected, bytes: end - expected };
    if (found < 0) return;
  }
}

function describe(reader: SegmentReader): DumpedRecord {
  const { header, offset, bytes, bodyStart, bodyEnd } = reader;
  return {
    what: 'record',
    offset,
    bytes: bodyEnd - offset,
    kind: header.kind,
    kindName: recordKindName(header.kind),
    incarnation: header.incarnation,
    segment: header.segment,
    sequence: header.sequence,
    synced: { segment: header.syncedSegment, offset: header.syncedOffset },
    timestampMs: header.hasTimestamp ? header.timestampMs : undefined,
    body: bytes.subarray(bodyStart, bodyEnd),
    link:
      header.kind === RECORD_SEGMENT_START && offset === 0 ? decodeSegmentStart(bytes, bodyStart) : undefined,
  };
}
