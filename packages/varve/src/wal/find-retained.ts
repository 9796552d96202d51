/**
 * Which of the segments that a replay does not need are what the log was before it: those that its first segment follows,
 * one after the other, as far back as each says which file it follows and that file is still the segment it was. All others
 * are left over (spares of an earlier open, removals that a crash undid) and are nobody's.
 *
 * Looks at the first bytes of each; the records are checked when a feed reads them. Owner's thread, at open.
 */
import { viewOf } from '../base/bytes.ts';
import { inDirectory, logName } from '../fs/file-names.ts';
import { type FileSystem, readFully } from '../fs/file-system.ts';
import { HEADER_BYTES, isDataKind, RecordHeader, SEGMENT_START_BYTES } from '../record/log-record.ts';
import type { ReplayReport } from './replay-run.ts';
import type { RetainedSegment } from './retained-log.ts';
import { inspectSegment } from './segment-reader.ts';
import type { LogSegment } from './segment-writer.ts';

export interface RetainedSearch {
  readonly fs: FileSystem;
  readonly directory: string;
  /** Numbers of all log files in the directory. */
  readonly segments: readonly number[];
  readonly report: ReplayReport;
  /** Sequence that the log ends with. */
  readonly lastSequence: number;
  /** Of the open before this one. */
  readonly incarnation: number;
  /** Stored time now. */
  readonly now: number;
}

/** Oldest first. */
export function findRetained(search: RetainedSearch): RetainedSegment[] {
  const { fs, directory, report, now } = search;
  const there = new Set(search.segments);
  let { incarnation, lastSequence } = search;
  let number = report.end.segment;
  let endOffset = 0;
  let endTime = now;
  const first = report.segments[0];
  if (first !== undefined) {
    const { start } = inspectSegment(fs, directory, first.number);
    if (start === undefined) return [];
    ({ segment: number, endOffset, lastSequence } = start.link);
    incarnation = start.incarnation;
    endTime = firstTime(fs, first.path, first.number, now);
  }
  const found: RetainedSegment[] = [];
  while (there.has(number)) {
    const { start, size, path } = inspectSegment(fs, directory, number);
    if (start === undefined || start.incarnation > incarnation) break;
    if (start.sequence > lastSequence || size < endOffset) break;
    const bytes = endOffset === 0 ? size : endOffset;
    found.push({ number, path, firstSequence: start.sequence + 1, lastSequence, bytes, endTime });
    endTime = firstTime(fs, path, number, now);
    ({ incarnation } = start);
    // A segment follows earlier ones only.
    if (start.link.segment >= number) break;
    ({ segment: number, endOffset, lastSequence } = start.link);
  }
  return found.reverse();
}

/** Stored time of the segment's first record: the segment before it had ended then. `now` where it does not say. */
function firstTime(fs: FileSystem, path: string, number: number, now: number): number {
  const file = fs.open(path, 'read');
  try {
    const bytes = new Uint8Array(HEADER_BYTES);
    const at = HEADER_BYTES + SEGMENT_START_BYTES;
    if (readFully(file, bytes, 0, HEADER_BYTES, at) < HEADER_BYTES) return now;
    const header = new RecordHeader();
    header.decode(viewOf(bytes), 0);
    const isTold = header.segment === number && isDataKind(header.kind) && header.hasTimestamp;
    return isTold && header.timestampMs < now ? header.timestampMs : now;
  } finally {
    file.close();
  }
}

/** Paths of segments in `numbers` below `firstSegment` that are none of `kept`. */
export function unretained(
  directory: string,
  numbers: readonly number[],
  firstSegment: number,
  kept: readonly LogSegment[],
): string[] {
  const keptNumbers = new Set(kept.map(({ number }) => number));
  return numbers
    .filter((number) => number < firstSegment && !keptNumbers.has(number))
    .map((number) => inDirectory(directory, logName(number)));
}
