/**
 * Adaptive read-ahead of one walk over a table: the second block in a row makes it read more at once, doubling up to
 * `bytesMax`; a jump starts over with single blocks. Works in both directions. Holds the only copy of what it read.
 */
import { EMPTY } from '../base/bytes.ts';
import { type FileHandle, readFully } from '../fs/file-system.ts';
import { ownMemory } from './own-memory.ts';

/** Blocks of another kind (index partitions) may lie between two blocks of a walk. */
const GAP_BYTES = 64 * 1024;
const FIRST_WINDOW_BYTES = 16 * 1024;
const KEEP_BYTES_MAX = 1024 * 1024;

export class ReadAhead {
  bytes: Uint8Array = EMPTY;
  readonly #bytesMax: number;
  /** The buffer holds [start, end) of the file. */
  #start = 0;
  #end = 0;
  /** Where the block before began and ended; -1: none. */
  #lastStart = -1;
  #lastEnd = -1;
  #window: number;
  readonly #firstWindow: number;

  /** `eager` reads `bytesMax` from the first block on, for jobs that are sure to read everything. */
  constructor(bytesMax: number, eager: boolean) {
    this.#bytesMax = bytesMax;
    this.#firstWindow = eager ? bytesMax : 0;
    this.#window = this.#firstWindow;
  }

  /** Index in `bytes` of the block [offset, offset + length), read from the file if need be; -1 when it is cut short. */
  read(file: FileHandle, offset: number, length: number, limit: number): number {
    const isForward = offset >= this.#lastEnd && offset - this.#lastEnd < GAP_BYTES && this.#lastEnd >= 0;
    const isBackward = offset + length <= this.#lastStart && this.#lastStart - offset - length < GAP_BYTES;
    this.#lastStart = offset;
    this.#lastEnd = offset + length;
    if (offset >= this.#start && offset + length <= this.#end) return offset - this.#start;
    if (isForward || isBackward) {
      this.#window = Math.min(this.#bytesMax, Math.max(FIRST_WINDOW_BYTES, this.#window * 2));
    } else this.#window = this.#firstWindow;
    let from = offset;
    let to = Math.min(limit, offset + Math.max(length, this.#window));
    if (isBackward) {
      to = offset + length;
      from = Math.max(0, to - Math.max(length, this.#window));
    }
    this.fill(file, from, to);
    return offset + length <= this.#end ? offset - from : -1;
  }

  /** The next read is one of another file. The memory is kept. */
  forget(): void {
    this.#start = 0;
    this.#end = 0;
    this.#lastStart = -1;
    this.#lastEnd = -1;
    this.#window = this.#firstWindow;
  }

  /** Reads [from, to) of the file into the buffer. */
  fill(file: FileHandle, from: number, to: number): void {
    const wanted = to - from;
    this.#end = this.#start;
    if (wanted > this.bytes.length || this.bytes.length > Math.max(wanted, KEEP_BYTES_MAX)) {
      this.bytes = ownMemory(wanted);
    }
    const got = readFully(file, this.bytes, 0, wanted, from);
    this.#start = from;
    this.#end = from + got;
  }
}
