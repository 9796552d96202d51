/**
 * Walks the records of a log segment through a window of the file, from any record on, while the log goes on being written
 * behind it: how change feeds read the log.
 *
 * Opens the file for each window and holds nothing in between. A record counts by the rules of replay: its checksum is right
 * and it names this segment and the incarnation of the segment's start. What does not count is left to the caller, who knows
 * whether more has to be there. The window's memory is reused: what it lends is good until the next `load`.
 */
import { viewOf } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { type FileHandle, type FileSystem, readFully } from '../fs/file-system.ts';
import { HEADER_BYTES, intactRecordLength, RecordHeader, recordKindName } from '../record/log-record.ts';
import type { LogSegment } from './segment-writer.ts';

/** Read at a time. */
const WINDOW_BYTES = 256 * 1024;
/** The memory of a window that follows the end of the log is no larger than what comes at a time. */
const BYTES_MIN = 4096;
/** A window that grew past this for one large record is given back. */
const KEPT_BYTES_MAX = 1024 * 1024;

export class RecordWindow {
  /** Of the current record; its body is [bodyStart, bodyEnd) of `bytes`. */
  readonly header: RecordHeader = new RecordHeader();
  bytes: Uint8Array = new Uint8Array(0);
  bodyStart = 0;
  bodyEnd = 0;
  /** The file, for errors. */
  path = '';
  #view: DataView = viewOf(this.bytes);
  #segment = 0;
  /** 0: not known, the next record is the first of the segment. */
  #incarnation = 0;
  /** Where in the file the window begins, and how much of it is filled. */
  #start = 0;
  #filled = 0;
  /** Where in the window the next record begins. */
  #at = 0;

  /** Number of the segment that is walked. */
  get segment(): number {
    return this.#segment;
  }

  /** Where in the file the current record begins. */
  get offset(): number {
    return this.#start + this.bodyStart - HEADER_BYTES;
  }

  /** Where in the file the next record is expected. */
  get nextOffset(): number {
    return this.#start + this.#at;
  }

  /** Before the first record of `segment`; `load` comes next. */
  begin(segment: LogSegment): void {
    this.#segment = segment.number;
    this.path = segment.path;
    this.#incarnation = 0;
    this.#start = 0;
    this.#filled = 0;
    this.#at = 0;
  }

  /** At the place where `other` is; `load` comes next. */
  beginAt(other: RecordWindow): void {
    this.#segment = other.#segment;
    this.path = other.path;
    this.#incarnation = other.#incarnation;
    this.#start = other.nextOffset;
    this.#filled = 0;
    this.#at = 0;
  }

  /** Reads on from the next record, as far as the segment goes to `end`; false when there is nothing behind it. */
  load(fs: FileSystem, end: number): boolean {
    const from = this.nextOffset;
    if (from >= end) return false;
    const file = fs.open(this.path, 'read');
    try {
      this.#fill(file, from, Math.min(WINDOW_BYTES, end - from));
      // A record that is larger than the window.
      const claimed = this.#claimed();
      if (claimed > this.#filled && from + claimed <= end) this.#fill(file, from, claimed);
    } finally {
      file.close();
    }
    return true;
  }

  /** To the next record; false when none that counts is whole in the window. @throws invalid `UNSUPPORTED_KIND` */
  next(): boolean {
    const { header } = this;
    const length = intactRecordLength(this.#view, this.#at, this.#filled);
    if (length === 0) return false;
    header.decode(this.#view, this.#at);
    if (header.segment !== this.#segment) return false;
    if (this.#incarnation === 0) this.#incarnation = header.incarnation;
    else if (header.incarnation !== this.#incarnation) return false;
    if (!header.isSupported) {
      const what = `a log record of kind ${recordKindName(header.kind)}`;
      throw invalid('UNSUPPORTED_KIND', `${what} can not be read by this release`, {
        file: this.path,
        offset: this.nextOffset,
        kind: header.kind,
      });
    }
    this.bodyStart = this.#at + HEADER_BYTES;
    this.bodyEnd = this.#at + length;
    this.#at = this.bodyEnd;
    return true;
  }

  /** The current record is the next one again. */
  back(): void {
    this.#at = this.bodyStart - HEADER_BYTES;
  }

  #fill(file: FileHandle, from: number, length: number): void {
    if (length > this.bytes.length || this.bytes.length > KEPT_BYTES_MAX) {
      this.bytes = new Uint8Array(
        Math.max(BYTES_MIN, length > WINDOW_BYTES ? length : 2 ** Math.ceil(Math.log2(length))),
      );
      this.#view = viewOf(this.bytes);
    }
    this.#filled = readFully(file, this.bytes, 0, length, from);
    this.#start = from;
    this.#at = 0;
  }

  /** Bytes that the next record takes by its header. */
  #claimed(): number {
    if (this.#at + HEADER_BYTES > this.#filled) return HEADER_BYTES;
    this.header.decode(this.#view, this.#at);
    return HEADER_BYTES + this.header.bodyLength;
  }
}
