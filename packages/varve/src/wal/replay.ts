/**
 * Recovery of the log: gives the records of all segments to a sink, in unbroken sequence order, and says where and why it
 * stopped. Pure: changes no file (wal/cut-tail does). Owner's thread, at open.
 *
 * Replay begins at the first segment that the manifest calls needed, walks its records, and goes on in the next segment
 * whose start record says that it follows exactly here. It stops at the first place where nothing continues. What lies
 * behind the stop is the torn tail of a crash, cut and counted, unless a record behind it or the manifest states that the
 * log had been on disk beyond the stop: then it is damage, and `corruption`.
 * What this rests on: a segment is removed or recycled only after a manifest on disk calls a later one the first needed.
 */
import { corruption, VarveError } from '../base/errors.ts';
import { inDirectory, logName } from '../fs/file-names.ts';
import {
  comparePosition,
  type LogPosition,
  RECORD_MARKER,
  RECORD_SEGMENT_START,
} from '../record/log-record.ts';
import {
  deliver,
  type ReplayOptions,
  type ReplayReport,
  type ReplaySink,
  ReplayTally,
} from './replay-run.ts';
import { salvage } from './salvage.ts';
import type { LogSegment } from './segment-writer.ts';
import { inspectSegment, type SegmentFile, SegmentReader, type SegmentStart } from './segment-reader.ts';
import { inspectTail, type SyncedStatement } from './tail.ts';

/** Reads the log. Errors: `corruption`; `LOG_TAIL_CUT`; `UNSUPPORTED_KIND`; `io`; and whatever the sink throws. */
export function replay(options: ReplayOptions, sink: ReplaySink): ReplayReport {
  const numbers = options.segments.filter((number) => number >= options.firstSegment).sort((a, b) => a - b);
  const files = numbers.map((number) => inspectSegment(options.fs, options.directory, number));
  if (options.mode === 'salvage') return salvage(options, files, sink);
  for (const file of files) checkIncarnation(file, options.incarnationMax);
  const walk = new Walk(options, files, sink);
  walk.run();
  const cutBytes = walk.inspectRest();
  if (cutBytes > 0 && options.mode === 'strict') {
    const message = `the log ends in ${cutBytes} bytes of torn records, which recovery 'strict' does not cut`;
    throw new VarveError('corruption', 'LOG_TAIL_CUT', message, { ...walk.suspect, cutBytes });
  }
  return walk.report(cutBytes);
}

function checkIncarnation(file: SegmentFile, incarnationMax: number): void {
  const got = file.start?.incarnation ?? 0;
  if (got <= incarnationMax) return;
  const message = `a log segment was written by incarnation ${got}, the manifest knows only ${incarnationMax}`;
  throw corruption(message, { file: file.path, offset: 0, got, expected: incarnationMax });
}

/** Offset that stands for the end of a segment that is not needed and may be gone. */
const WHOLE = 0xffffffff;

/** One replay under way. */
class Walk {
  readonly #options: ReplayOptions;
  readonly #files: readonly SegmentFile[];
  readonly #reader = new SegmentReader();
  readonly #tally: ReplayTally;
  /** Files that were walked, with where their records end. */
  readonly #kept: LogSegment[] = [];
  readonly #dropped: SegmentFile[] = [];
  /** Index of the file to inspect from `stop.offset` on; later ones are inspected whole. */
  #stopIndex = 0;
  /** End of what continues. */
  stop: LogPosition;
  /** Where to point when the stop proves to be damage: the stop, or the file behind it that should go on. */
  #suspect: { readonly file: string; readonly offset: number } | undefined;
  #statedSegment = 0;

  constructor(options: ReplayOptions, files: readonly SegmentFile[], sink: ReplaySink) {
    this.#options = options;
    this.#files = files;
    this.#tally = new ReplayTally(sink);
    this.stop = { segment: Math.max(0, options.firstSegment - 1), offset: WHOLE };
  }

  /** From segment to segment, as long as each says that it follows. */
  run(): void {
    const files = this.#files;
    let index = this.#begin();
    while (index >= 0) {
      const file = files[index]!;
      const end = this.#walk(file);
      this.stop = { segment: file.number, offset: end };
      this.#stopIndex = index;
      const next = files.findIndex((other, i) => i > index && other.start !== undefined);
      if (next < 0) return;
      if (!follows(file.number, end, this.#tally.last, files[next]!.start!)) {
        this.#suspectGap(files[next]!.start!.link.segment);
        return;
      }
      this.#dropped.push(...files.slice(index + 1, next));
      index = next;
    }
  }

  /** The next segment says that it follows `number`, and not at the stop. */
  #suspectGap(number: number): void {
    const file = this.#path(number);
    if (number === this.stop.segment) this.#suspect = { file, offset: this.stop.offset };
    else if (!this.#files.some((other) => other.number === number)) this.#suspect = { file, offset: 0 };
  }

  /** Index of the file to begin with; -1 when there is none that follows what the manifest calls not needed. */
  #begin(): number {
    const files = this.#files;
    const index = files.findIndex((file) => file.start !== undefined);
    if (index < 0) return -1;
    const { link, sequence } = files[index]!.start!;
    if (link.segment > this.stop.segment) {
      this.#suspectGap(link.segment);
      return -1;
    }
    this.#dropped.push(...files.slice(0, index));
    this.#tally.last = sequence;
    return index;
  }

  /** Gives the records of one segment to the sink; returns where they end. */
  #walk(file: SegmentFile): number {
    const reader = this.#reader;
    const tally = this.#tally;
    const { header } = reader;
    const firstSequence = tally.last + 1;
    reader.load(this.#options.fs, file.path, file.number);
    let end = 0;
    while (reader.next()) {
      const consumes = header.kind !== RECORD_MARKER && header.kind !== RECORD_SEGMENT_START;
      if (header.sequence !== (consumes ? tally.last + 1 : tally.last)) break;
      if (header.kind === RECORD_SEGMENT_START && reader.offset > 0) break;
      if (consumes) deliver(reader, tally);
      if (header.syncedSegment > this.#statedSegment) this.#statedSegment = header.syncedSegment;
      end = reader.nextOffset;
    }
    const { number, path } = file;
    this.#kept.push({ number, path, firstSequence, lastSequence: tally.last, bytes: end });
    return end;
  }

  /** Looks behind the stop: throws when something there was on disk once, else returns how many bytes are torn. */
  inspectRest(): number {
    let cutBytes = 0;
    let statement: SyncedStatement | undefined;
    for (const file of this.#files.slice(this.#stopIndex)) {
      const from = file.number === this.stop.segment ? this.stop.offset : 0;
      if (this.#reader.path !== file.path) this.#reader.load(this.#options.fs, file.path, file.number);
      const found = inspectTail(this.#reader, from, this.stop, this.#tally.last);
      if (cutBytes === 0 && found.cutBytes > 0) this.#suspect ??= { file: file.path, offset: from };
      cutBytes += found.cutBytes;
      statement ??= found.statement;
      if (from === 0) this.#dropped.push(file);
    }
    if (statement !== undefined) {
      const { segment, offset } = statement.synced;
      throw this.#damage(`the record at ${statement.file}:${statement.offset}`, segment, offset);
    }
    this.#checkManifest();
    return cutBytes;
  }

  /** The manifest states how far the log was on disk: is that more than what replay reached? */
  #checkManifest(): void {
    const synced = this.#options.syncedPosition;
    if (synced === undefined || comparePosition(this.stop, synced.segment, synced.offset) >= 0) return;
    if (!this.#files.some((file) => file.number === synced.segment))
      this.#suspect ??= { file: this.#path(synced.segment), offset: 0 };
    throw this.#damage('the manifest', synced.segment, synced.offset);
  }

  /** Where the log stops to make sense. */
  get suspect(): { readonly file: string; readonly offset: number } {
    const { segment, offset } = this.stop;
    return this.#suspect ?? { file: this.#path(segment), offset };
  }

  #damage(statedBy: string, syncedSegment: number, syncedOffset: number): VarveError {
    const { suspect } = this;
    const message =
      `the log is damaged at ${suspect.file}:${suspect.offset}: nothing continues it there, ` +
      `and ${statedBy} says that it was on disk through ${this.#path(syncedSegment)}:${syncedOffset}`;
    return corruption(message, {
      ...suspect,
      synced: { segment: syncedSegment, offset: syncedOffset },
      statedBy,
    });
  }

  report(cutBytes: number): ReplayReport {
    const dropped = this.#dropped.sort((a, b) => b.number - a.number);
    return {
      ...this.#tally.counts(),
      cutBytes,
      lastSequence: this.#tally.last,
      end: this.stop.offset === WHOLE ? { segment: this.stop.segment, offset: 0 } : this.stop,
      incarnationSeen: this.#files.reduce((most, file) => Math.max(most, file.start?.incarnation ?? 0), 0),
      segments: this.#kept,
      remove: dropped.map((file) => file.path),
      syncFrom: Math.max(this.#statedSegment, this.#options.syncedPosition?.segment ?? 0),
      warnings: [],
    };
  }

  #path(number: number): string {
    return inDirectory(this.#options.directory, logName(number));
  }
}

/** Does a segment's start say that it goes on where segment `number` ends? */
function follows(
  number: number,
  end: number,
  lastSequence: number,
  { link, sequence }: SegmentStart,
): boolean {
  return link.segment === number && link.endOffset === end && sequence === lastSequence;
}
