/**
 * A place in the log that moves on record by record, from segment to segment, never past what is durable enough.
 *
 * Reads a window at a time and holds no file open. Every sequence has to be there: what is missing or damaged where the log says
 * that it goes on is `corruption`. One object a feed; a second one where a feed looks ahead.
 */
import { corruption } from '../base/errors.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { isDataKind } from '../record/log-record.ts';
import type { Log } from '../wal/log.ts';
import { RecordWindow } from '../wal/record-window.ts';

/** What `advance` has found: a record, nothing up to the limit, or nothing yet after a while. */
export type Advance = 'record' | 'none' | 'more';

/** Windows that are read in one go before others get a turn. */
const LOADS_MAX = 4;

export class ChangeFeedReader {
  /** The current record, lent until the next `advance`. */
  readonly record: RecordWindow = new RecordWindow();
  /** Of the record that was met last, or where it began. */
  sequence: number;
  /** How often it has begun a segment. */
  segments = 0;
  readonly #fs: FileSystem;
  readonly #log: Log;
  /** Where the window was loaded last, to tell when it does not help. */
  #loadedAt = -1;

  /** Behind `sequence`. */
  constructor(fs: FileSystem, log: Log, sequence: number) {
    this.#fs = fs;
    this.#log = log;
    this.sequence = sequence;
  }

  /** Another one that stands where this one does. */
  ahead(): ChangeFeedReader {
    const other = new ChangeFeedReader(this.#fs, this.#log, this.sequence);
    if (this.segments > 0) other.record.beginAt(this.record);
    return other;
  }

  /** To the next data record with a sequence up to `limit`. */
  advance(limit: number): Advance {
    if (this.sequence >= limit) return 'none';
    const { record } = this;
    const { header } = record;
    for (let loads = 0; ; loads++) {
      while (record.next()) {
        if (!isDataKind(header.kind) || header.sequence <= this.sequence) continue;
        if (header.sequence !== this.sequence + 1) throw this.#damaged('skips sequences');
        this.sequence = header.sequence;
        return 'record';
      }
      if (loads === LOADS_MAX) return 'more';
      this.#load();
    }
  }

  /** Reads on, in the segment that is read or in the one that goes on from it. */
  #load(): void {
    const { record } = this;
    const wanted = this.sequence + 1;
    const readable = this.#log.readable();
    let segment = readable.find(({ number }) => number === record.segment);
    if (segment === undefined || segment.lastSequence < wanted) {
      segment = readable.find((each) => each.firstSequence <= wanted && each.lastSequence >= wanted);
      if (segment === undefined) throw this.#damaged('has no segment to go on in');
      record.begin(segment);
      this.segments++;
    } else if (record.nextOffset === this.#loadedAt) throw this.#damaged('does not go on');
    if (!record.load(this.#fs, segment.bytes)) throw this.#damaged('ends');
    this.#loadedAt = record.nextOffset;
  }

  #damaged(what: string): Error {
    const { path: file, nextOffset: offset } = this.record;
    const expected = this.sequence + 1;
    return corruption(`the log ${what} before sequence ${expected} (${file}:${offset})`, {
      file,
      offset,
      expected,
    });
  }
}
