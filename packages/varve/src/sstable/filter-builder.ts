/**
 * Makes the filter of a table that is being written: collects hashes, and lays out and fills the blooms when all of them
 * are known. Byte table in filter.ts. Flush and compaction, on whatever thread they run.
 *
 * Up to `wholeBytesMax` a filter is one block; larger ones lie in parts, so that whoever opens the table need not read them
 * (filter-parts.ts). From TWO_BLOOMS_BITS a key on the bits are shared out between two blooms with lines of their own: the
 * uneven filling of lines limits one bloom, and two of half the size let through 0.6 to 0.3 of what one does, measured in
 * docs/decisions/0011-filters.md.
 */
import { EMPTY } from '../base/bytes.ts';
import { putU32 } from '../base/fixed.ts';
import {
  type BloomShape,
  bloomsHeaderBytes,
  FILTER_KIND_BLOOMS,
  FILTER_KIND_ONE,
  GOLDEN,
  LINE_BYTES,
  LINE_WORDS,
  ONE_HEADER_BYTES,
  PROBES_MAX,
  SCALE,
  secondHigh,
  secondLow,
} from './filter.ts';

/** Keys spread unevenly over lines; this much more room gives 0.86 % false positives at 10 bits instead of 0.98 %. */
const SPARE = 1.025;
const TWO_BLOOMS_BITS = 16;
/** Four parts: below that a table is small, and one read more would cost as much as the bytes. */
const WHOLE_BYTES_MAX = 16 * 1024;
/** 64 lines: 4 KiB, a slot of the block cache. */
const PART_LOG = 6;
export const PART_BYTES: number = LINE_BYTES << PART_LOG;

/** Upper limits of bits per key (times 1000) for 1, 2, 3 ... probes; found by simulation for 512-bit lines (RocksDB). */
const probeLimits = [2080, 3580, 5100, 6640, 8300, 10_070, 11_720, 14_001, 16_050, 18_300, 22_001, 25_501];

function probesFor(bitsPerKey: number): number {
  const milli = Math.round(bitsPerKey * 1000);
  const index = probeLimits.findIndex((limit) => milli <= limit);
  if (index >= 0) return index + 1;
  return Math.min(PROBES_MAX, Math.max(12, Math.floor((milli - 1) / 2000) - 1));
}

/** Collects the hashes of a table's keys, each distinct key once, and makes the filter at the end. */
export class FilterBuilder {
  /** After `finish`: lines to store in parts of PART_BYTES in front of the filter's block; empty when they are in it. */
  parts: Uint8Array = EMPTY;
  #hashes = new Uint32Array(2048);
  #count = 0;
  /** Of each bloom. */
  readonly #bits: number;
  readonly #blooms: number;
  readonly #wholeBytesMax: number;

  constructor(
    bitsPerKey: number,
    wholeBytesMax: number = WHOLE_BYTES_MAX,
    blooms: number = bitsPerKey >= TWO_BLOOMS_BITS ? 2 : 1,
  ) {
    this.#blooms = blooms;
    this.#bits = bitsPerKey / blooms;
    this.#wholeBytesMax = wholeBytesMax;
  }

  add(low: number, high: number): void {
    const at = this.#count * 2;
    if (at === this.#hashes.length) {
      const larger = new Uint32Array(at * 2);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes[at] = low;
    this.#hashes[at + 1] = high;
    this.#count++;
  }

  /** Size of what `finish` will give, parts included. */
  get bytes(): number {
    if (this.#bits === 0 || this.#count === 0) return 0;
    const header = this.#isOneBlock() ? ONE_HEADER_BYTES : bloomsHeaderBytes(this.#blooms);
    return header + this.#lineBytes();
  }

  #lines(): number {
    return Math.max(1, Math.ceil((this.#count * this.#bits * SPARE) / (LINE_BYTES * 8)));
  }

  #lineBytes(): number {
    return this.#lines() * this.#blooms * LINE_BYTES;
  }

  #isInParts(): boolean {
    return this.#lineBytes() > this.#wholeBytesMax;
  }

  #isOneBlock(): boolean {
    return this.#blooms === 1 && !this.#isInParts();
  }

  /** The payload of the filter's block; undefined without keys or with 0 bits per key. Leaves the rest in `parts`. */
  finish(): Uint8Array | undefined {
    if (this.bytes === 0) return undefined;
    const bloom = { lines: this.#lines(), probes: probesFor(this.#bits * SPARE) };
    const blooms = this.#blooms === 1 ? [bloom] : [bloom, bloom];
    const isInParts = this.#isInParts();
    const header = this.#isOneBlock() ? oneHeader(bloom) : bloomsHeader(blooms, isInParts ? PART_LOG : 0);
    const bytes = new Uint8Array(header.length + (isInParts ? 0 : this.#lineBytes()));
    bytes.set(header);
    if (isInParts) this.parts = new Uint8Array(this.#lineBytes());
    const lines = isInParts ? this.parts : bytes.subarray(header.length);
    const words = new Uint32Array(lines.buffer, lines.byteOffset, lines.length / 4);
    const half = bloom.lines * LINE_WORDS;
    setFirst(words.subarray(0, half), bloom, this.#hashes, this.#count);
    if (blooms.length === 2) setSecond(words.subarray(half), bloom, this.#hashes, this.#count);
    return bytes;
  }
}

function oneHeader({ probes, lines }: BloomShape): Uint8Array {
  const bytes = new Uint8Array(ONE_HEADER_BYTES);
  bytes[0] = FILTER_KIND_ONE;
  bytes[1] = probes;
  putU32(bytes, 4, lines);
  return bytes;
}

function bloomsHeader(blooms: readonly BloomShape[], partLog: number): Uint8Array {
  const bytes = new Uint8Array(bloomsHeaderBytes(blooms.length));
  bytes[0] = FILTER_KIND_BLOOMS;
  bytes[1] = blooms.length;
  bytes[2] = partLog;
  blooms.forEach(({ probes, lines }, i) => {
    bytes[4 + 8 * i] = probes;
    putU32(bytes, 8 + 8 * i, lines);
  });
  return bytes;
}

function setFirst(
  words: Uint32Array,
  { lines, probes }: BloomShape,
  hashes: Uint32Array,
  count: number,
): void {
  for (let i = 0; i < count; i++) setKey(words, lines * SCALE, probes, hashes[i * 2]!, hashes[i * 2 + 1]!);
}

function setSecond(
  words: Uint32Array,
  { lines, probes }: BloomShape,
  hashes: Uint32Array,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    const low = hashes[i * 2]!;
    const high = hashes[i * 2 + 1]!;
    setKey(words, lines * SCALE, probes, secondLow(low, high), secondHigh(low, high));
  }
}

function setKey(words: Uint32Array, scale: number, probes: number, low: number, high: number): void {
  const line = (((low >>> 0) * scale) | 0) * LINE_WORDS;
  let h = high | 0;
  for (let probe = 0; probe < probes; probe++) {
    const bit = h >>> 23;
    words[line + (bit >>> 5)]! |= 1 << (bit & 31);
    h = Math.imul(h, GOLDEN);
  }
}
