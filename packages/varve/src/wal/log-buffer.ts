/**
 * The buffer that log records are built in: header, body and checksum, one after the other, until they are handed over.
 * Hot: an append here is a third of what a put costs. Allocates nothing; the checksum is computed over the bytes in place.
 */
import { Copier } from '../base/copier.ts';
import { crc32c } from '../base/crc32c.ts';
import {
  encodeHeader,
  encodeSegmentStart,
  HEADER_BYTES,
  RECORD_BATCH,
  RECORD_KEYSPACE,
  RECORD_SEGMENT_START,
  SEGMENT_START_BYTES,
  type SegmentLink,
} from '../record/log-record.ts';

export class LogBuffer {
  readonly bytes: Uint8Array;
  /** Bytes of whole records, from the start. */
  used = 0;
  /** What goes into the header of the next record. */
  segment = 0;
  syncedSegment = 0;
  syncedOffset = 0;
  readonly #view: DataView;
  readonly #copier = new Copier();
  readonly #incarnation: number;
  readonly #timestamps: boolean;

  constructor(bytes: number, incarnation: number, timestamps: boolean) {
    this.bytes = new Uint8Array(Math.max(bytes, HEADER_BYTES + SEGMENT_START_BYTES));
    this.#view = new DataView(this.bytes.buffer);
    this.#incarnation = incarnation;
    this.#timestamps = timestamps;
  }

  /** Adds a record; the caller has made sure that there is room. */
  add(kind: number, sequence: number, timeMs: number, body: Uint8Array, start: number, end: number): void {
    const { bytes, used: at } = this;
    const to = at + HEADER_BYTES;
    this.#encode(at, end - start, kind, sequence, timeMs);
    this.#copier.copy(body, start, end, bytes, to);
    this.used = to + end - start;
    this.#view.setUint32(at, crc32c(bytes, at + 4, this.used), true);
  }

  /** Adds the first record of a segment to the empty buffer. */
  addSegmentStart(sequence: number, link: SegmentLink): void {
    this.#encode(0, SEGMENT_START_BYTES, RECORD_SEGMENT_START, sequence, 0);
    encodeSegmentStart(this.bytes, HEADER_BYTES, link);
    this.used = HEADER_BYTES + SEGMENT_START_BYTES;
    this.#view.setUint32(0, crc32c(this.bytes, 4, this.used), true);
  }

  /** Puts the header of a record whose body stays where it is at the start of the empty buffer; `used` stays 0. */
  encodeAlone(
    kind: number,
    sequence: number,
    timeMs: number,
    body: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#encode(0, end - start, kind, sequence, timeMs);
    this.#view.setUint32(0, crc32c(body, start, end, crc32c(this.bytes, 4, HEADER_BYTES)), true);
  }

  #encode(at: number, bodyLength: number, kind: number, sequence: number, timeMs: number): void {
    encodeHeader(
      this.#view,
      at,
      bodyLength,
      kind,
      this.#incarnation,
      this.segment,
      sequence,
      this.syncedSegment,
      this.syncedOffset,
      this.#timestamps && (kind === RECORD_BATCH || kind === RECORD_KEYSPACE) ? timeMs : undefined,
    );
  }
}
