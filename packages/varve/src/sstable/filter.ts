/**
 * Blocked bloom filter over the user keys of a table: all probes of a key fall into one 64-byte line, so that a lookup
 * costs one cache miss. Built from the two hash halves of base/hash; sized when all keys are known.
 *
 *   offset  size  type  field              PERSISTED through the table: another layout is another kind
 *        0     1  u8    kind               1 = blocked bloom, lines of 512 bits
 *        1     1  u8    probes             per key, 1..24
 *        2     2  u16   zero
 *        4     4  u32   lines
 *        8  64*n  bits  lines              bit p of a line: byte p/8, bit p%8
 *
 * Line: low * lines / 2^32. Probe i: the top 9 bits of high * GOLDEN^i (as RocksDB's FastLocalBloom does).
 * Source: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007).
 */
import { corruption, invalid } from '../base/errors.ts';
import { getU16, getU32, putU32 } from '../base/fixed.ts';

const FILTER_KIND_BLOCKED_BLOOM = 1;
const HEADER_BYTES = 8;
const LINE_BYTES = 64;
const PROBES_MAX = 24;
const GOLDEN = 0x9e3779b9;
const SCALE = 1 / 4294967296;
/** Keys spread unevenly over lines; this much more room gives 0.86 % false positives at 10 bits instead of 0.98 %. */
const SPARE = 1.025;

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
  #hashes = new Uint32Array(2048);
  #count = 0;
  readonly #bitsPerKey: number;

  constructor(bitsPerKey: number) {
    this.#bitsPerKey = bitsPerKey;
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

  /** Size of what `finish` will give. */
  get bytes(): number {
    return this.#bitsPerKey === 0 || this.#count === 0 ? 0 : HEADER_BYTES + this.#lines() * LINE_BYTES;
  }

  #lines(): number {
    return Math.max(1, Math.ceil((this.#count * this.#bitsPerKey * SPARE) / (LINE_BYTES * 8)));
  }

  /** The filter as bytes; undefined without keys or with 0 bits per key. */
  finish(): Uint8Array | undefined {
    if (this.bytes === 0) return undefined;
    const lines = this.#lines();
    const probes = probesFor(this.#bitsPerKey * SPARE);
    const bytes = new Uint8Array(HEADER_BYTES + lines * LINE_BYTES);
    bytes[0] = FILTER_KIND_BLOCKED_BLOOM;
    bytes[1] = probes;
    putU32(bytes, 4, lines);
    const words = new Uint32Array(bytes.buffer, HEADER_BYTES);
    setAll(words, lines * SCALE, probes, this.#hashes, this.#count);
    return bytes;
  }
}

function setAll(words: Uint32Array, scale: number, probes: number, hashes: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const line = ((hashes[i * 2] * scale) | 0) * 16;
    let h = hashes[i * 2 + 1] | 0;
    for (let probe = 0; probe < probes; probe++) {
      const bit = h >>> 23;
      words[line + (bit >>> 5)] |= 1 << (bit & 31);
      h = Math.imul(h, GOLDEN);
    }
  }
}

/** A filter in memory. */
export class Filter {
  readonly #words: Uint32Array;
  readonly #scale: number;
  readonly probes: number;
  readonly lines: number;

  private constructor(words: Uint32Array, lines: number, probes: number) {
    this.#words = words;
    this.#scale = lines * SCALE;
    this.lines = lines;
    this.probes = probes;
  }

  /**
   * Copies the filter out of a block's bytes.
   * @throws VarveError corruption; `UNSUPPORTED_FILTER` (invalid) for a kind of a later release.
   */
  static decode(bytes: Uint8Array, start: number, end: number, file: string, offset: number): Filter {
    const where = { file, offset };
    if (end - start < HEADER_BYTES) throw corruption('the filter is shorter than its header', where);
    const kind = bytes[start];
    if (kind !== FILTER_KIND_BLOCKED_BLOOM) {
      throw invalid('UNSUPPORTED_FILTER', `filter kind ${kind} is not known here`, { ...where, kind });
    }
    const probes = bytes[start + 1];
    const lines = getU32(bytes, start + 4);
    if (
      probes === 0 ||
      probes > PROBES_MAX ||
      getU16(bytes, start + 2) !== 0 ||
      lines === 0 ||
      end - start !== HEADER_BYTES + lines * LINE_BYTES
    ) {
      throw corruption('the filter header does not fit its block', { ...where, probes, lines });
    }
    const words = new Uint32Array(lines * 16);
    new Uint8Array(words.buffer).set(bytes.subarray(start + HEADER_BYTES, end));
    return new Filter(words, lines, probes);
  }

  get memoryBytes(): number {
    return this.#words.byteLength;
  }

  /** Reads the line of a key, so that the processor has it when `mayContain` asks. */
  touch(low: number): number {
    return this.#words[((low * this.#scale) | 0) * 16]!;
  }

  /** False: the key is not in the table. True: it may be. Takes the halves that base/hash `hashKey` gives. */
  mayContain(low: number, high: number): boolean {
    const words = this.#words;
    const line = (((low >>> 0) * this.#scale) | 0) * 16;
    let h = high | 0;
    for (let probe = this.probes; probe > 0; probe--) {
      const bit = h >>> 23;
      if ((words[line + (bit >>> 5)] & (1 << (bit & 31))) === 0) return false;
      h = Math.imul(h, GOLDEN);
    }
    return true;
  }
}
