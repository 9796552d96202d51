/**
 * Segments that the database itself is past and that change feeds may still read: kept in the order of the log, oldest
 * first, in front of the live ones.
 *
 * A segment comes here when it is released (wal/segment-list.ts) and leaves for good when no open feed is before its end
 * and the retention that the user has set does not ask for it, or when all that is kept takes more than `bytesMax`: then the
 * feeds that are before its end are told that they are too late. Owner's thread.
 */
import type { LogSegment, SegmentWriter } from './segment-writer.ts';

/** How much log is kept for feeds. */
export interface LogRetention {
  /** Segments behind which there is less log than this are kept. Undefined: whatever there is. */
  readonly bytes: number | undefined;
  /** Segments that ended less than this ago are kept. Undefined: whenever it was. */
  readonly ms: number | undefined;
  /** Most bytes that are kept, also for feeds that are open. */
  readonly bytesMax: number;
}

/** Nothing but what open feeds need. */
export const NO_RETENTION: LogRetention = { bytes: undefined, ms: undefined, bytesMax: 1024 ** 3 };

/** A segment that is kept. */
export interface RetainedSegment extends LogSegment {
  /** Stored time, at or after that of its last record. */
  readonly endTime: number;
  /** What this process wrote can be recycled. */
  readonly writer?: SegmentWriter;
}

/** What the change feeds tell the log. */
export interface LogReaders {
  /** The smallest sequence that an open feed stands at: what comes after it is needed. Infinity when none is open. */
  oldest(): number;
  /** The log up to `sequence` goes, whoever needs it. */
  overrun(sequence: number): void;
}

const nobody: LogReaders = { oldest: () => Number.POSITIVE_INFINITY, overrun: () => undefined };

export class RetainedLog {
  /** Set once, by whoever reads the log. */
  readers: LogReaders = nobody;
  readonly #retention: LogRetention;
  readonly #now: () => number;
  #segments: RetainedSegment[];
  #bytes = 0;

  /** @param now the stored clock */
  constructor(retention: LogRetention, now: () => number, found: readonly RetainedSegment[] = []) {
    this.#retention = retention;
    this.#now = now;
    this.#segments = [...found];
    for (const { bytes } of found) this.#bytes += bytes;
  }

  /** Oldest first. */
  get segments(): readonly RetainedSegment[] {
    return this.#segments;
  }

  /** Is log kept also when no feed is open? */
  get isWanted(): boolean {
    const { bytes, ms } = this.#retention;
    return bytes !== undefined || ms !== undefined;
  }

  /** Is there anybody who will want what is written now? */
  get isKeeping(): boolean {
    return this.isWanted || this.readers.oldest() !== Number.POSITIVE_INFINITY;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A segment that the log itself has no use for any more. */
  add(segment: LogSegment, endTime: number | undefined, writer: SegmentWriter | undefined): void {
    const { number, path, firstSequence, lastSequence, bytes } = segment;
    const kept = { number, path, firstSequence, lastSequence, bytes, endTime: endTime ?? this.#now() };
    this.#segments.push(writer === undefined ? kept : { ...kept, writer });
    this.#bytes += bytes;
  }

  /** Takes out, oldest first, what is not to be kept. `liveBytes` is what the log has behind it all. */
  trim(liveBytes: number): RetainedSegment[] {
    const segments = this.#segments;
    let gone = 0;
    for (; gone < segments.length; gone++) {
      const segment = segments[gone]!;
      const isHeld = segment.lastSequence > this.readers.oldest();
      if (this.#bytes > this.#retention.bytesMax) {
        if (isHeld) this.readers.overrun(segment.lastSequence);
      } else if (isHeld || this.#isWanted(segment, this.#bytes - segment.bytes + liveBytes)) break;
      this.#bytes -= segment.bytes;
    }
    return gone === 0 ? [] : segments.splice(0, gone);
  }

  #isWanted({ endTime }: RetainedSegment, bytesBehind: number): boolean {
    const { bytes, ms } = this.#retention;
    if (!this.isWanted) return false;
    if (bytes !== undefined && bytesBehind >= bytes) return false;
    return ms === undefined || this.#now() - endTime < ms;
  }
}
