/**
 * Replay for recovery mode 'salvage': every intact record of every needed segment, in rising sequence, stepping over what
 * is damaged or missing and saying so. The result may have holes, which is what was asked for.
 *
 * The damage stays in the files: until everything is flushed and these segments are released, only salvage opens them.
 */
import { type LogPosition, RECORD_MARKER, RECORD_SEGMENT_START } from '../record/log-record.ts';
import {
  deliver,
  type ReplayOptions,
  type ReplayReport,
  type ReplaySink,
  ReplayTally,
} from './replay-run.ts';
import { type SegmentFile, SegmentReader } from './segment-reader.ts';
import type { LogSegment } from './segment-writer.ts';
import { inspectTail } from './tail.ts';

/** Replays what can be read. Errors: `UNSUPPORTED_KIND`; `io`; and whatever the sink throws. */
export function salvage(
  options: ReplayOptions,
  files: readonly SegmentFile[],
  sink: ReplaySink,
): ReplayReport {
  const { fs, firstSegment } = options;
  const tally = new ReplayTally(sink);
  tally.last = files[0]?.start?.sequence ?? -1;
  const segments: LogSegment[] = [];
  const remove: string[] = [];
  const warnings: string[] = [];
  const reader = new SegmentReader();
  let end: LogPosition = { segment: Math.max(0, firstSegment - 1), offset: 0 };
  let cutBytes = 0;
  if ((files[0]?.start?.link.segment ?? 0) >= Math.max(1, firstSegment))
    warnings.push(`${files[0]!.path}: segments before this one are missing`);
  for (const { number, path } of files) {
    const firstSequence = Math.max(0, tally.last) + 1;
    reader.load(fs, path, number);
    cutBytes += salvageSegment(reader, tally, warnings);
    const bytes = reader.nextOffset;
    const torn = inspectTail(reader, bytes, { segment: number, offset: bytes }, tally.last).cutBytes;
    if (torn > 0) warnings.push(`${path}:${bytes}: ${torn} bytes at the end can not be read`);
    cutBytes += torn;
    if (bytes === 0) {
      remove.unshift(path);
      continue;
    }
    segments.push({ number, path, firstSequence, lastSequence: Math.max(0, tally.last), bytes });
    end = { segment: number, offset: bytes };
  }
  return {
    ...tally.counts(),
    cutBytes,
    lastSequence: Math.max(0, tally.last),
    end,
    incarnationSeen: files.reduce((most, file) => Math.max(most, file.start?.incarnation ?? 0), 0),
    segments,
    remove,
    syncFrom: 0,
    warnings,
  };
}

/** All records of the loaded segment that can be read; returns the bytes stepped over. */
function salvageSegment(reader: SegmentReader, tally: ReplayTally, warnings: string[]): number {
  const { header } = reader;
  let lost = 0;
  for (;;) {
    const expected = reader.nextOffset;
    if (!reader.next()) {
      const found = reader.find(expected);
      if (found < 0) {
        reader.moveTo(expected);
        return lost;
      }
      warnings.push(`${reader.path}:${expected}: ${found - expected} bytes were stepped over`);
      lost += found - expected;
      continue;
    }
    if (header.kind === RECORD_MARKER || header.kind === RECORD_SEGMENT_START) continue;
    const { sequence } = header;
    // Not rising: a copy of a record inside the body of a damaged one.
    if (sequence <= tally.last) continue;
    const due = tally.last + 1;
    if (due > 0 && sequence > due)
      warnings.push(`${reader.path}:${reader.offset}: sequences ${due} to ${sequence - 1} are missing`);
    deliver(reader, tally);
  }
}
