/**
 * Follows the log that another process writes: goes on behind the last record that was applied, from segment to segment.
 * The counterpart of wal/replay for a log that has not ended. A reader's thread; changes no file.
 *
 * The rules for what counts are those of replay: intact records of the segment and its incarnation, in unbroken sequence,
 * and a next segment that says it follows exactly here. What does not count at the end is not there yet, never damage.
 * `gap`: the log goes on, but not from here. The writer has released or recycled what lies between, or another writer has
 * taken over; the manifest knows (`skipTo`), and it was on disk before that happened.
 */
import { systemCode } from '../base/errors.ts';
import { inDirectory, logName, parseFileName } from '../fs/file-names.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { type LogPosition, RECORD_MARKER, RECORD_SEGMENT_START } from '../record/log-record.ts';
import { deliver, type ReplayReport, type ReplaySink, ReplayTally } from './replay-run.ts';
import { inspectSegment, type SegmentFile, SegmentReader } from './segment-reader.ts';

/** Read at a time; recycled segments have stale bytes behind their end, which nobody needs. */
const WINDOW_BYTES = 256 * 1024;

/** `end`: everything that was handed over is applied. `more`: the budget is used up. */
export type FollowOutcome = 'end' | 'more' | 'gap';

export class LogFollower {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #reader = new SegmentReader();
  readonly #tally: ReplayTally;
  /** The segment that is read; before the first one is found, the number that it has to be above. */
  #segment: number;
  #offset: number;
  #isBegun: boolean;

  /** Goes on where a replay has stopped. */
  constructor(fs: FileSystem, directory: string, from: ReplayReport, sink: ReplaySink) {
    this.#fs = fs;
    this.#directory = directory;
    this.#tally = new ReplayTally(sink);
    this.#tally.last = from.lastSequence;
    this.#segment = from.end.segment;
    this.#offset = from.end.offset;
    this.#isBegun = from.segments.length > 0;
  }

  /** End of the last record that was applied. */
  get position(): LogPosition {
    return { segment: this.#segment, offset: this.#offset };
  }

  /** False while no segment was found that a replay would begin with. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Sequence of the last record that was applied. */
  get lastSequence(): number {
    return this.#tally.last;
  }

  /** Records applied by this follower. */
  get batches(): number {
    return this.#tally.batches;
  }

  /** The manifest says that segments before `first` are not needed: nothing is read from them any more. */
  skipTo(first: number): void {
    if (this.#isBegun ? this.#segment >= first : this.#segment >= first - 1) return;
    this.#segment = first - 1;
    this.#offset = 0;
    this.#isBegun = false;
  }

  /** Applies records until there are no more or `bytesMax` were read. Segments of a later incarnation are a gap. */
  advance(incarnationMax: number, bytesMax: number): FollowOutcome {
    let bytes = 0;
    let looked = 0;
    for (;;) {
      if (this.#isBegun) {
        let read = this.#walk();
        for (; read > 0; read = this.#walk()) if ((bytes += read) >= bytesMax) return 'more';
        if (read < 0) return 'gap';
      }
      const next = this.#next();
      if (next === 'gap' || next === undefined) return next ?? 'end';
      const { link, sequence, incarnation } = next.start!;
      if (incarnation > incarnationMax) return 'gap';
      if (!this.#isBegun) {
        if (link.segment > this.#segment) return 'gap';
        this.#tally.last = sequence;
      } else if (
        link.segment !== this.#segment ||
        link.endOffset !== this.#offset ||
        sequence !== this.#tally.last
      ) {
        // The rest of this segment may have come after it was read, and then the next one began.
        if (link.segment !== this.#segment || looked === this.#segment) return 'gap';
        looked = this.#segment;
        continue;
      }
      this.#segment = next.number;
      this.#offset = 0;
      this.#isBegun = true;
    }
  }

  /** Applies what is there of the current segment, up to a window; returns how many bytes, -1 when the file is gone. */
  #walk(): number {
    const from = this.#offset;
    const path = inDirectory(this.#directory, logName(this.#segment));
    let window = WINDOW_BYTES;
    for (;;) {
      let size: number;
      try {
        size = this.#reader.loadWindow(this.#fs, path, this.#segment, from, window);
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return -1;
        throw error;
      }
      if (this.#reader.start === undefined) return 0;
      this.#apply();
      if (this.#offset > from || from + window >= size) return this.#offset - from;
      // A record that is larger than the window.
      const claimed = this.#reader.lengthClaimed;
      if (claimed <= window) return 0;
      window = claimed;
    }
  }

  #apply(): void {
    const reader = this.#reader;
    const tally = this.#tally;
    const { header } = reader;
    while (reader.next()) {
      const consumes = header.kind !== RECORD_MARKER && header.kind !== RECORD_SEGMENT_START;
      if (header.sequence !== (consumes ? tally.last + 1 : tally.last)) return;
      if (header.kind === RECORD_SEGMENT_START && reader.offset > 0) return;
      if (consumes) this.#deliver();
      this.#offset = reader.nextOffset;
    }
  }

  /** A sink that throws has not taken the record: it comes again. */
  #deliver(): void {
    const before = this.#tally.last;
    try {
      deliver(this.#reader, this.#tally);
    } catch (error) {
      this.#tally.last = before;
      throw error;
    }
  }

  /** The first segment behind this one that was begun. */
  #next(): SegmentFile | 'gap' | undefined {
    const numbers: number[] = [];
    for (const name of this.#fs.list(this.#directory)) {
      const parsed = parseFileName(name);
      if (parsed?.kind === 'log' && parsed.number > this.#segment) numbers.push(parsed.number);
    }
    numbers.sort((a, b) => a - b);
    try {
      for (const number of numbers) {
        const file = inspectSegment(this.#fs, this.#directory, number);
        if (file.start !== undefined) return file;
      }
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return 'gap';
      throw error;
    }
    return undefined;
  }
}
