/**
 * What lies behind the place where replay stopped: nothing, a torn tail that may be cut, or proof that bytes which had
 * been on disk are damaged. The proof is an intact record further on that states a synced position beyond the stop.
 */
import { comparePosition, HEADER_BYTES, type LogPosition } from '../record/log-record.ts';
import type { SegmentReader } from './segment-reader.ts';

/** A record that states that the log had been on disk through a position beyond the stop. */
export interface SyncedStatement {
  readonly file: string;
  readonly offset: number;
  readonly synced: LogPosition;
}

export interface TailFindings {
  /** Bytes that belong to records of this segment: all of them but stale ones of a recycled file, none if all are zero. */
  readonly cutBytes: number;
  /** End of the last intact record of this segment behind `from`; `from` when there is none. */
  readonly intactEnd: number;
  readonly statement: SyncedStatement | undefined;
}

/** Inspects the loaded segment from `from` on, where no record that continues the log starts. */
export function inspectTail(
  reader: SegmentReader,
  from: number,
  stop: LogPosition,
  lastSequence: number,
): TailFindings {
  let statement: SyncedStatement | undefined;
  let intactEnd = from;
  for (let at = reader.find(from); at >= 0; at = reader.find(intactEnd)) {
    const { syncedSegment: segment, syncedOffset: offset, bodyLength } = reader.header;
    if (statement === undefined && comparePosition(stop, segment, offset) < 0)
      statement = { file: reader.path, offset: at, synced: { segment, offset } };
    intactEnd = at + HEADER_BYTES + bodyLength;
  }
  let cutBytes: number;
  if (isRecycled(reader)) {
    let end = intactEnd;
    if (reader.looksTorn(from, lastSequence))
      end = Math.max(end, Math.min(reader.size, from + HEADER_BYTES + reader.header.bodyLength));
    cutBytes = end - from;
  } else cutBytes = hasBytes(reader.bytes, from, reader.size) ? reader.size - from : 0;
  return { cutBytes, intactEnd, statement };
}

/** Does the file hold an earlier segment's bytes? Without a start record of its own, an intact one of another tells. */
function isRecycled(reader: SegmentReader): boolean {
  return reader.start?.link.recycled ?? reader.startsIntact;
}

function hasBytes(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return true;
  return false;
}
