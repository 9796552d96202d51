/**
 * The segments that a log has: live ones, oldest first, of which the last is being written, and spares to be recycled.
 *
 * A segment is released when the engine has no use for its records any more and it is synced whole. One that this process
 * wrote is kept aside, under its old name, to become a later segment: overwriting blocks that are allocated makes fsync
 * cheaper. One from before the open is returned for removal: after a crash in a rename two names can stand for it.
 * A spare that a running fsync was given by name waits, because that fsync opens it by that name.
 * Between the two stands what change feeds may still read (wal/retained-log.ts).
 */
import { comparePosition, type LogPosition } from '../record/log-record.ts';
import { NO_RETENTION, RetainedLog } from './retained-log.ts';
import type { LogSegment, SegmentWriter } from './segment-writer.ts';

/** Spares beyond this are removed. */
const SPARES_MAX = 2;

/** A request for an fsync that has not been reported done. Requests are done in the order of asking. */
interface AskedSync {
  readonly upTo: LogPosition;
  readonly segments: readonly number[];
  readonly directoryChanges: number;
}

export class SegmentList {
  /** Segments of earlier opens that recovery read; on disk whole. */
  #recovered: LogSegment[];
  #written: SegmentWriter[] = [];
  #spares: SegmentWriter[] = [];
  #asked: AskedSync[] = [];
  #directoryChanges = 0;
  #directoryChangesSynced = 0;
  /** Bytes of all live segments but the current. */
  #bytesBefore = 0;

  readonly #spareBytesMax: number;
  readonly retained: RetainedLog;
  /** Records up to here have holes between them, which no feed may pass over. */
  readonly #holesUpTo: number;
  /** Readers of whole segments that are under way. */
  #readers = 0;

  /** Segments of more than `spareBytesMax` (one huge batch made them so) are removed, not recycled. */
  constructor(
    recovered: readonly LogSegment[],
    spareBytesMax: number,
    retained: RetainedLog = new RetainedLog(NO_RETENTION, () => 0),
    holesUpTo = 0,
  ) {
    this.#spareBytesMax = spareBytesMax;
    this.retained = retained;
    this.#holesUpTo = holesUpTo;
    this.#recovered = [...recovered].sort((a, b) => a.number - b.number);
    for (const segment of this.#recovered) this.#bytesBefore += segment.bytes;
  }

  /** The one that is written; undefined before the first append. */
  get current(): SegmentWriter | undefined {
    return this.#written.at(-1);
  }

  /** Bytes handed over in live segments. */
  get bytes(): number {
    return this.#bytesBefore + (this.current?.bytes ?? 0);
  }

  /** The oldest live segment that is finished: what has to be flushed for the log to become smaller. */
  get oldest(): LogSegment | undefined {
    return this.#recovered[0] ?? (this.#written.length > 1 ? this.#written[0] : undefined);
  }

  /** Live segments, oldest first. */
  live(): LogSegment[] {
    return [...this.#recovered, ...this.#written];
  }

  /**
   * The segments that continue each other up to the current one, oldest first, kept ones among them: what a feed can read.
   * Those that hold no record are left out.
   */
  readable(): LogSegment[] {
    const all = [...this.retained.segments, ...this.live()];
    const readable: LogSegment[] = [];
    let next: LogSegment | undefined;
    for (let i = all.length - 1; i >= 0; i--) {
      const segment = all[i]!;
      if (segment.lastSequence <= this.#holesUpTo) break;
      if (next !== undefined && segment.lastSequence !== next.firstSequence - 1) break;
      next = segment;
      if (segment.lastSequence >= segment.firstSequence) readable.push(segment);
    }
    return readable.reverse();
  }

  /** `segment` is now the current one; its name is not on disk yet. */
  add(segment: SegmentWriter): void {
    this.#bytesBefore += this.current?.bytes ?? 0;
    this.#written.push(segment);
    this.#directoryChanges++;
  }

  /** A name was made in the directory that is to be on disk with what is appended next. */
  nameMade(): void {
    this.#directoryChanges++;
  }

  /** A spare that may be renamed now; it is no spare any more. */
  takeSpare(): SegmentWriter | undefined {
    const at = this.#spares.findIndex(
      (spare) => !this.#asked.some((ask) => ask.segments.includes(spare.number)),
    );
    return at < 0 ? undefined : this.#spares.splice(at, 1)[0];
  }

  /** Live segments with handed-over bytes that are not known to be on disk, oldest first. */
  unsynced(): SegmentWriter[] {
    return this.#written.filter((segment) => !segment.isSynced);
  }

  get directoryUnsynced(): boolean {
    return this.#directoryChanges !== this.#directoryChangesSynced;
  }

  /** Remembers that an fsync through `upTo` was asked for. */
  ask(upTo: LogPosition, segments: readonly SegmentWriter[]): void {
    const numbers = segments.map((segment) => segment.number);
    this.#asked.push({ upTo, segments: numbers, directoryChanges: this.#directoryChanges });
  }

  /** The fsync that was asked for through `upTo` is done; all that were asked for earlier are over too. */
  done(upTo: LogPosition): void {
    const at = this.#asked.findIndex((ask) => comparePosition(ask.upTo, upTo.segment, upTo.offset) === 0);
    if (at >= 0) {
      this.#directoryChangesSynced = Math.max(
        this.#directoryChangesSynced,
        this.#asked[at]!.directoryChanges,
      );
      this.#asked.splice(0, at + 1);
    }
    this.#mark(upTo);
  }

  /** Everything handed over, and every name, is on disk: the owner's thread synced it itself. */
  doneNow(upTo: LogPosition): void {
    this.#directoryChangesSynced = this.#directoryChanges;
    this.#mark(upTo);
  }

  /** See `Log.firstNeeded`; undefined when no live segment is needed. */
  firstNeeded(upToSequence: number): number | undefined {
    const current = this.current;
    const needed = this.live().find((segment) => segment === current || segment.lastSequence > upToSequence);
    return needed?.number;
  }

  /** See `Log.pin`. */
  pin(): () => void {
    this.#readers++;
    let isPinned = true;
    return () => {
      if (isPinned) this.#readers--;
      isPinned = false;
    };
  }

  /** See `Log.release`. */
  release(upToSequence: number, manifestSegment: number): string[] {
    const current = this.current;
    const holed: string[] = [];
    for (const segment of this.live()) {
      if (segment === current || segment.lastSequence > upToSequence || segment.number >= manifestSegment)
        break;
      const writer = this.#recovered.length > 0 ? undefined : this.#written[0]!;
      if (writer?.isSynced === false) break;
      if (writer === undefined) this.#recovered.shift();
      else this.#written.shift();
      writer?.close();
      this.#bytesBefore -= segment.bytes;
      // Kept, it would be offered to the feeds of the next open.
      if (writer === undefined && segment.lastSequence <= this.#holesUpTo) holed.push(segment.path);
      else this.retained.add(segment, writer?.endTime, writer);
    }
    return [...holed, ...this.trim()];
  }

  /** See `Log.trim`. */
  trim(): string[] {
    const removable: string[] = [];
    for (const { writer, path, bytes } of this.retained.trim(this.bytes)) {
      const keep = this.#readers === 0 && bytes <= this.#spareBytesMax && this.#spares.length < SPARES_MAX;
      if (writer !== undefined && keep) this.#spares.push(writer);
      else removable.push(path);
    }
    return removable;
  }

  /** Closes every descriptor; returns the spares, which are of no use to a later open. */
  close(): string[] {
    for (const segment of this.#written) segment.close();
    return this.#spares.splice(0).map((spare) => spare.path);
  }

  #mark({ segment: number, offset }: LogPosition): void {
    const current = this.current;
    for (const segment of this.#written) {
      if (segment.number > number) break;
      segment.syncedBytes = segment.number < number ? segment.bytes : Math.max(segment.syncedBytes, offset);
      if (segment !== current && segment.isSynced) segment.close();
    }
  }
}
