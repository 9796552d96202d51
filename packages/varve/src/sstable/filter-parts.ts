/**
 * A filter that lies in parts, one stored block each, asked without holding it: a question reads the line of one part, which
 * comes through the block cache. Cut by line, which is to say by hash: where a key's part lies is arithmetic, so an open
 * table keeps nothing but a place in the cache for each part. Form in filter.ts.
 *
 * One thread, like the loader that it reads with. A question allocates nothing.
 */
import { corruption } from '../base/errors.ts';
import type { BlockLoader } from './block-loader.ts';
import { COLD } from './cold-reads.ts';
import { HeldBlock } from './held-block.ts';
import { Filter, type FilterLayout, GOLDEN, LINE_BYTES, SCALE, secondHigh, secondLow } from './filter.ts';
import { BLOCK_FILTER_PART, TRAILER_BYTES } from './format.ts';
import { ReadAhead } from './read-ahead.ts';

const READ_AHEAD_BYTES = 256 * 1024;

export class FilterParts {
  readonly count: number;
  /** All lines together, in memory. */
  readonly lineBytes: number;
  /** Where in the file the first part begins. */
  readonly start: number;
  /** In the file, with trailers. */
  readonly storedBytes: number;
  readonly #layout: FilterLayout;
  readonly #partLog: number;
  readonly #lineMask: number;
  readonly #firstLines: number;
  readonly #firstProbes: number;
  /** 0: there is one bloom. */
  readonly #secondLines: number;
  readonly #secondProbes: number;
  /** Where in the cache each part was last found. */
  readonly #slots: Uint32Array;

  /**
   * Of the filter whose block begins at `offset` of the file.
   * @throws VarveError corruption: there is not that much room in front of it.
   */
  constructor(layout: FilterLayout, file: string, offset: number) {
    const [first, second] = layout.blooms;
    const lines = first!.lines + (second?.lines ?? 0);
    this.#layout = layout;
    this.#partLog = layout.partLog;
    this.#lineMask = 2 ** layout.partLog - 1;
    this.#firstLines = first!.lines;
    this.#firstProbes = first!.probes;
    this.#secondLines = second?.lines ?? 0;
    this.#secondProbes = second?.probes ?? 0;
    this.count = Math.ceil(lines / 2 ** layout.partLog);
    this.lineBytes = lines * LINE_BYTES;
    this.storedBytes = this.lineBytes + this.count * TRAILER_BYTES;
    this.start = offset - this.storedBytes;
    if (this.start < 0) {
      throw corruption('the parts of the filter do not fit in front of it', { file, offset, lines });
    }
    this.#slots = new Uint32Array(this.count);
  }

  get memoryBytes(): number {
    return this.#slots.byteLength;
  }

  /** As `Filter.mayContain`; may read one or two parts with the table's loader, whose block before is lent no longer. */
  mayContain(low: number, high: number, loader: BlockLoader): boolean {
    if (!this.#ask(low, high, 0, this.#firstLines, this.#firstProbes, loader)) return false;
    const lines = this.#secondLines;
    if (lines === 0) return true;
    const low2 = secondLow(low, high);
    return this.#ask(low2, secondHigh(low, high), this.#firstLines, lines, this.#secondProbes, loader);
  }

  #ask(low: number, high: number, from: number, lines: number, probes: number, loader: BlockLoader): boolean {
    const line = from + (((low >>> 0) * (lines * SCALE)) | 0);
    const part = line >>> this.#partLog;
    loader.fetchFilterPart(this.#slots, part, this.offsetOf(part), this.lengthOf(part));
    const { bytes } = loader;
    const at = loader.start + (line & this.#lineMask) * LINE_BYTES;
    let h = high | 0;
    for (let probe = probes; probe > 0; probe--) {
      const bit = h >>> 23;
      if ((bytes[at + (bit >>> 3)]! & (1 << (bit & 7))) === 0) return false;
      h = Math.imul(h, GOLDEN);
    }
    return true;
  }

  offsetOf(part: number): number {
    return this.start + part * (this.#fullBytes + TRAILER_BYTES);
  }

  /** With its trailer. */
  lengthOf(part: number): number {
    const full = this.#fullBytes;
    return Math.min(full, this.lineBytes - part * full) + TRAILER_BYTES;
  }

  /** Stored length of the part that begins at an offset of the file; 0 when none does. */
  lengthAt(offset: number): number {
    const part = (offset - this.start) / (this.#fullBytes + TRAILER_BYTES);
    return Number.isInteger(part) && part >= 0 && part < this.count ? this.lengthOf(part) : 0;
  }

  get #fullBytes(): number {
    return LINE_BYTES << this.#partLog;
  }

  /** When other threads read for this one: asks for all parts that have not come, at once. COLD when there are such. */
  wantAll(loader: BlockLoader): void {
    const { attempt } = loader;
    if (attempt === undefined) return;
    let isCold = false;
    for (let part = 0; part < this.count; part++) {
      const offset = this.offsetOf(part);
      if (loader.hasCached(offset) || attempt.find(loader.fileNumber, offset) !== undefined) continue;
      loader.want(attempt, offset, this.lengthOf(part), BLOCK_FILTER_PART);
      isCold = true;
    }
    if (isCold) throw COLD;
  }

  /** Reads all parts into a filter that is held whole; yields after each. */
  *load(loader: BlockLoader): Generator<void, Filter> {
    const lines = new Uint8Array(this.lineBytes);
    const held = new HeldBlock(new ReadAhead(READ_AHEAD_BYTES, true));
    for (let part = 0; part < this.count; part++) {
      const length = this.lengthOf(part);
      loader.aim(this.offsetOf(part), length);
      loader.fetchInto(held, BLOCK_FILTER_PART, false);
      const content = held.bytes.subarray(held.start, held.start + length - TRAILER_BYTES);
      lines.set(content, part * this.#fullBytes);
      yield;
    }
    return Filter.of(this.#layout.blooms, lines);
  }
}
