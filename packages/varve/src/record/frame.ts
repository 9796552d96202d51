/**
 * Frames: how the manifest stores its records. One append-only file, one frame a record, one sync a frame.
 *
 *   offset  size  type   field
 *        0     4  u32    crc32c of bytes 4 to the end mark included
 *        4     4  u32    payloadLength
 *        8     1  u8     kind
 *        9        bytes  payload
 *              1  u8     end mark, 0xa5: the last sector of a frame is never all zeros
 *
 * A reader tells three ends apart: `clean` (the range ends with a frame), `torn` (the last frame was being written at
 * a crash) and `damaged`. Basis: a crash loses whole sectors of 512 bytes that were not synced, which then read as zeros or
 * lie past the end of the file; frames before the last one were synced. So a bad frame is torn only when nothing intact
 * follows and it runs past the end or misses a sector; otherwise somebody changed bytes that had been stored.
 * Invariant for the writer: a frame is synced before the next one is appended; what belongs together is one frame.
 */
import { crc32c } from '../base/crc32c.ts';
import { getU32, putU32 } from '../base/fixed.ts';

const HEAD_BYTES = 9;
const END_MARK = 0xa5;
const SECTOR_BYTES = 512;

/** Bytes that a frame adds to its payload. */
export const FRAME_OVERHEAD: number = HEAD_BYTES + 1;

/** Frames appended to a growable buffer: a manifest's snapshot is written in one go. */
export class FrameWriter {
  bytes: Uint8Array = new Uint8Array(1024);
  length = 0;

  /** Appends a frame around [start, end) of `payload`. */
  append(kind: number, payload: Uint8Array, start = 0, end: number = payload.length): void {
    const at = this.length;
    const total = end - start + FRAME_OVERHEAD;
    if (at + total > this.bytes.length) this.#grow(at + total);
    const bytes = this.bytes;
    putU32(bytes, at + 4, end - start);
    bytes[at + 8] = kind;
    bytes.set(payload.subarray(start, end), at + HEAD_BYTES);
    bytes[at + total - 1] = END_MARK;
    putU32(bytes, at, crc32c(bytes, at + 4, at + total));
    this.length = at + total;
  }

  clear(): void {
    this.length = 0;
  }

  #grow(wanted: number): void {
    const grown = new Uint8Array(Math.max(wanted, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** One frame as fresh bytes. */
export function encodeFrame(kind: number, payload: Uint8Array): Uint8Array {
  const writer = new FrameWriter();
  writer.append(kind, payload);
  return writer.bytes.slice(0, writer.length);
}

export type FrameEnd = 'clean' | 'torn' | 'damaged';

/** A walk over the frames of a whole file (offset in `bytes` = offset in the file). */
export class FrameReader {
  readonly bytes: Uint8Array;
  /** Where the current frame starts; behind the last good one once `next` said false. */
  offset: number;
  kind = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /** How the walk ended; meaningful once `next` said false. */
  ending: FrameEnd = 'clean';
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.offset = start;
    this.#at = start;
    this.#end = end;
  }

  /** To the next frame; false at the end, for which see `ending`. */
  next(): boolean {
    const at = this.#at;
    this.offset = at;
    const total = intactFrame(this.bytes, at, this.#end);
    if (total === 0) {
      this.ending = at === this.#end ? 'clean' : isTorn(this.bytes, at, this.#end) ? 'torn' : 'damaged';
      return false;
    }
    this.kind = this.bytes[at + 8]!;
    this.payloadStart = at + HEAD_BYTES;
    this.payloadEnd = at + total - 1;
    this.#at = at + total;
    return true;
  }
}

/** Length of the intact frame at `at`; 0 when there is none. */
function intactFrame(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < FRAME_OVERHEAD) return 0;
  const total = getU32(bytes, at + 4) + FRAME_OVERHEAD;
  if (total > end - at || bytes[at + total - 1] !== END_MARK) return 0;
  return crc32c(bytes, at + 4, at + total) === getU32(bytes, at) ? total : 0;
}

/** Was the bad frame at `at` being written when the system went down? */
function isTorn(bytes: Uint8Array, at: number, end: number): boolean {
  for (let other = at + 1; other + FRAME_OVERHEAD <= end; other++) {
    if (intactFrame(bytes, other, end) !== 0) return false;
  }
  if (missesSector(bytes, at, end)) return true;
  if (end - at < HEAD_BYTES) return true;
  const total = getU32(bytes, at + 4) + FRAME_OVERHEAD;
  return total > end - at && !isWholeButForItsLength(bytes, at, end);
}

/** Does the part of any sector between `at` and `end` read as zeros only? */
function missesSector(bytes: Uint8Array, at: number, end: number): boolean {
  for (let from = at; from < end; ) {
    const to = Math.min(end, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    let i = from;
    while (i < to && bytes[i] === 0) i++;
    if (i === to) return true;
    from = to;
  }
  return false;
}

/** A length that points past the end while the bytes that are there are a whole frame: the length was changed. */
function isWholeButForItsLength(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < FRAME_OVERHEAD) return false;
  const copy = bytes.slice(at, end);
  putU32(copy, 4, end - at - FRAME_OVERHEAD);
  return crc32c(copy, 4) === getU32(copy, 0);
}
