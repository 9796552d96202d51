/**
 * Reads segments of the log: walks the intact records of one file, or searches it for any further intact record.
 *
 * The file is read whole into a buffer that is reused for the next one; nothing is allocated per record. A record counts
 * only when its checksum is right and it names this segment and the incarnation of the segment's start: what is left of
 * an earlier life of a recycled file never passes. Used by recovery, the dump command and tests; any thread.
 */
import { viewOf } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { putU32 } from '../base/fixed.ts';
import { inDirectory, logName } from '../fs/file-names.ts';
import { type FileSystem, readFully } from '../fs/file-system.ts';
import {
  decodeSegmentStart,
  HEADER_BYTES,
  intactRecordLength,
  RECORD_SEGMENT_START,
  RecordHeader,
  recordKindName,
  SEGMENT_START_BYTES,
  type SegmentLink,
} from '../record/log-record.ts';

const START_BYTES: number = HEADER_BYTES + SEGMENT_START_BYTES;
/** Offset of the field `segment` in a header; `incarnation` lies right before it. */
const SEGMENT_AT = 16;
const INCARNATION_AT = 12;

/** The first record of a segment. */
export interface SegmentStart {
  readonly incarnation: number;
  /** Last sequence used before the segment. */
  readonly sequence: number;
  readonly link: SegmentLink;
}

/** A segment file as found in the directory. */
export interface SegmentFile {
  readonly number: number;
  readonly path: string;
  readonly size: number;
  /** Undefined when its first record is not intact: never begun, or damaged. */
  readonly start: SegmentStart | undefined;
}

/** Looks at the head of segment `number`. */
export function inspectSegment(fs: FileSystem, directory: string, number: number): SegmentFile {
  const path = inDirectory(directory, logName(number));
  const file = fs.open(path, 'read');
  try {
    const head = new Uint8Array(START_BYTES);
    const got = readFully(file, head, 0, START_BYTES, 0);
    return { number, path, size: file.size(), start: decodeStart(head, got, number) };
  } finally {
    file.close();
  }
}

function decodeStart(bytes: Uint8Array, end: number, number: number): SegmentStart | undefined {
  const view = viewOf(bytes);
  if (intactRecordLength(view, 0, Math.min(end, START_BYTES)) !== START_BYTES) return undefined;
  const header = new RecordHeader();
  header.decode(view, 0);
  if (header.kind !== RECORD_SEGMENT_START || header.segment !== number) return undefined;
  return {
    incarnation: header.incarnation,
    sequence: header.sequence,
    link: decodeSegmentStart(bytes, HEADER_BYTES),
  };
}

export class SegmentReader {
  /** Bytes of the file are [0, size); what follows is of no meaning. */
  bytes: Uint8Array = new Uint8Array(0);
  size = 0;
  path = '';
  start: SegmentStart | undefined;
  /** The current record: its header, where it starts in the file, and its body. */
  readonly header: RecordHeader = new RecordHeader();
  offset = 0;
  bodyStart = 0;
  bodyEnd = 0;
  #view: DataView = viewOf(this.bytes);
  #number = 0;
  #pattern: Buffer = Buffer.alloc(8);
  #buffer: Buffer = Buffer.alloc(0);

  /** Reads the file; stands before its first record then. */
  load(fs: FileSystem, path: string, number: number): void {
    const file = fs.open(path, 'read');
    try {
      const size = file.size();
      if (size > this.bytes.length) {
        this.bytes = new Uint8Array(size);
        this.#view = viewOf(this.bytes);
      }
      this.size = readFully(file, this.bytes, 0, size, 0);
    } finally {
      file.close();
    }
    this.#loaded(path, number);
    this.moveTo(0);
  }

  /**
   * Reads the first record and `length` bytes from `from` on, as far as they are there, and stands before the record at
   * `from`; the file ends behind them then. Returns the true size of the file.
   */
  loadWindow(fs: FileSystem, path: string, number: number, from: number, length: number): number {
    const file = fs.open(path, 'read');
    let size: number;
    try {
      size = file.size();
      const end = Math.min(size, from + length);
      if (end > this.bytes.length) {
        this.bytes = new Uint8Array(Math.max(end, Math.min(size, this.bytes.length * 2)));
        this.#view = viewOf(this.bytes);
      }
      const head = readFully(file, this.bytes, 0, Math.min(START_BYTES, end), 0);
      const got = from < end ? readFully(file, this.bytes, from, end - from, from) : 0;
      this.size = got > 0 ? from + got : head;
    } finally {
      file.close();
    }
    this.#loaded(path, number);
    this.moveTo(from);
    return size;
  }

  #loaded(path: string, number: number): void {
    this.path = path;
    this.#number = number;
    this.#buffer = Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.size);
    this.start = decodeStart(this.bytes, this.size, number);
    putU32(this.#pattern, 0, this.start?.incarnation ?? 0);
    putU32(this.#pattern, 4, number);
  }

  /** Bytes that the record at `nextOffset`, which does not count, would take by its header if it is of this segment; else 0. */
  get lengthClaimed(): number {
    const at = this.bodyEnd;
    if (at + HEADER_BYTES > this.size) return HEADER_BYTES;
    this.header.decode(this.#view, at);
    return this.header.segment === this.#number ? HEADER_BYTES + this.header.bodyLength : 0;
  }

  /** The next record is expected at `offset`. */
  moveTo(offset: number): void {
    this.offset = offset;
    this.bodyStart = offset;
    this.bodyEnd = offset;
  }

  /** Where the next record is expected. */
  get nextOffset(): number {
    return this.bodyEnd;
  }

  /** Does the file begin with an intact record? */
  get startsIntact(): boolean {
    return intactRecordLength(this.#view, 0, this.size) !== 0;
  }

  /** To the record that starts where the current one ends; false when none that counts does (`moveTo` position kept). */
  next(): boolean {
    if (!this.#isOwn(this.bodyEnd)) {
      this.moveTo(this.bodyEnd);
      return false;
    }
    const header = this.header;
    if (!header.isSupported) {
      const what = `a log record of kind ${recordKindName(header.kind)} (flags ${header.flags}, spare ${header.zero})`;
      throw invalid('UNSUPPORTED_KIND', `${what} can not be read by this release`, {
        file: this.path,
        offset: this.bodyEnd,
        kind: header.kind,
      });
    }
    this.offset = this.bodyEnd;
    this.bodyStart = this.offset + HEADER_BYTES;
    this.bodyEnd = this.bodyStart + header.bodyLength;
    return true;
  }

  /** Searches for a record that counts, from `from` on at any byte; then stands before it. -1 when there is none. */
  find(from: number): number {
    const exact = this.start !== undefined;
    const pattern = exact ? this.#pattern : this.#pattern.subarray(4);
    const lead = exact ? INCARNATION_AT : SEGMENT_AT;
    for (let at = from; at + HEADER_BYTES <= this.size; ) {
      const hit = this.#buffer.indexOf(pattern, at + lead);
      if (hit < 0) return -1;
      at = hit - lead;
      if (this.#isOwn(at)) {
        this.moveTo(at);
        return at;
      }
      at++;
    }
    return -1;
  }

  /**
   * Does a header at `offset`, whose record does not count, look like one of this segment that was torn? Its segment
   * field says so, or its sequence is the one that has to come next (stale records have lower ones).
   */
  looksTorn(offset: number, lastSequence: number): boolean {
    if (offset + HEADER_BYTES > this.size) return false;
    this.header.decode(this.#view, offset);
    return this.header.segment === this.#number || this.header.sequence === lastSequence + 1;
  }

  /** Decodes the header at `at`; true when an intact record of this segment starts there. */
  #isOwn(at: number): boolean {
    const { size, header } = this;
    const view = this.#view;
    if (at + HEADER_BYTES > size) return false;
    header.decode(view, at);
    if (header.segment !== this.#number) return false;
    if (this.start !== undefined && header.incarnation !== this.start.incarnation) return false;
    // A record states what was on disk before it was written; nothing else is worth a checksum.
    if (header.syncedSegment > this.#number) return false;
    if (header.syncedSegment === this.#number && header.syncedOffset > at) return false;
    return Number.isSafeInteger(header.sequence) && intactRecordLength(view, at, size) !== 0;
  }
}
