/**
 * The filter of a table: blocked bloom filters over its user keys and, by setting, the prefixes of them. All probes of a key
 * fall into one 64-byte line, so that a question costs one cache miss. Built by filter-builder.ts from the two hash halves
 * of base/hash. Here are its form in the file and the filter that is held whole; filter-parts.ts asks one by its parts.
 *
 *   offset  size  type  field              PERSISTED through the table: another layout is another kind
 *        0     1  u8    kind               1 = one bloom, its lines follow
 *        1     1  u8    probes             per key, 1..24
 *        2     2  u16   zero
 *        4     4  u32   lines              of 512 bits each
 *        8  64*n  bits  lines              bit p of a line: byte p/8, bit p%8
 *
 *        0     1  u8    kind               2 = blooms one after the other
 *        1     1  u8    blooms             1 or 2; the second is asked when the first says yes
 *        2     1  u8    part               0: the lines of all blooms follow; else they lie in parts of 2^part lines
 *        3     1  u8    zero
 *      4+8b     1  u8    probes             of bloom b
 *      5+8b     3  u24   zero
 *      8+8b     4  u32   lines              of bloom b
 *   4+8*blooms 64*n bits lines              of bloom 0, then of bloom 1; absent when they lie in parts
 *
 * Parts are stored blocks of their own type, without gaps in front of the filter's block: 2^part lines each, the last one
 * what is left. Line l of all lies in part l / 2^part.
 * Line of a key: low * lines / 2^32. Probe i: the top 9 bits of high * GOLDEN^i (as RocksDB's FastLocalBloom does). The
 * second bloom takes `secondLow` and `secondHigh` of the halves, a prefix the halves that `hashPrefix` gives.
 * Source: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007).
 */
import { corruption, invalid } from '../base/errors.ts';
import { getU16, getU32 } from '../base/fixed.ts';
import { hashHigh, hashKey } from '../base/hash.ts';

export const FILTER_KIND_ONE = 1;
export const FILTER_KIND_BLOOMS = 2;
export const LINE_BYTES = 64;
export const LINE_WORDS = 16;
export const PROBES_MAX = 24;
export const GOLDEN = 0x9e3779b9;
export const SCALE: number = 1 / 4294967296;
/** Bytes before the lines: in kind 1; in kind 2 with so many blooms. */
export const ONE_HEADER_BYTES = 8;
export const bloomsHeaderBytes = (blooms: number): number => 4 + 8 * blooms;
/** A line's number is computed in 32 signed bits. */
const LINES_MAX = 0x7fffffff;
const PART_LOG_MAX = 14;
/** Apart from the hash of a key with the same bytes. PERSISTED. */
const PREFIX_LOW = 0x51ed270b;
const PREFIX_HIGH = 0x2545f491;

/** Hash of the prefix [start, end), as `hashKey` gives it: the low half, with the high half in `hashHigh[0]`. */
export function hashPrefix(bytes: Uint8Array, start: number, end: number): number {
  const low = hashKey(bytes, start, end) ^ PREFIX_LOW;
  hashHigh[0]! ^= PREFIX_HIGH;
  return low >>> 0;
}

/** The halves for the second bloom, mixed so that they say nothing about the first one's line and bits. PERSISTED. */
export function secondLow(low: number, high: number): number {
  return Math.imul(high ^ (high >>> 15), 0x85ebca6b) ^ low;
}

export function secondHigh(low: number, high: number): number {
  const h = Math.imul(low ^ (low >>> 16), 0x2c1b3c6d) ^ high;
  return Math.imul(h ^ (h >>> 15), 0x297a2d39);
}

export interface BloomShape {
  readonly probes: number;
  readonly lines: number;
}

/** What the filter's block says in front of the lines. */
export interface FilterLayout {
  /** One or two. */
  readonly blooms: readonly BloomShape[];
  /** The lines lie in parts of two to this power; 0: they follow. */
  readonly partLog: number;
  /** Where they follow. */
  readonly linesStart: number;
}

/**
 * Decodes [start, end), the payload of the filter's block, without its lines.
 * @throws VarveError corruption; `UNSUPPORTED_FILTER` (invalid) for a kind of a later release.
 */
export function decodeLayout(
  bytes: Uint8Array,
  start: number,
  end: number,
  file: string,
  offset: number,
): FilterLayout {
  const where = { file, offset };
  if (end - start < ONE_HEADER_BYTES) throw corruption('the filter is shorter than its header', where);
  const kind = bytes[start]!;
  const bad = (): Error => corruption('the filter header does not fit its block', where);
  if (kind === FILTER_KIND_ONE) {
    const bloom = { probes: bytes[start + 1]!, lines: getU32(bytes, start + 4) };
    const linesStart = start + ONE_HEADER_BYTES;
    if (!isPossible(bloom) || getU16(bytes, start + 2) !== 0) throw bad();
    if (end - linesStart !== bloom.lines * LINE_BYTES) throw bad();
    return { blooms: [bloom], partLog: 0, linesStart };
  }
  if (kind !== FILTER_KIND_BLOOMS) {
    throw invalid('UNSUPPORTED_FILTER', `filter kind ${kind} is not known here`, { ...where, kind });
  }
  const count = bytes[start + 1]!;
  const partLog = bytes[start + 2]!;
  const linesStart = start + bloomsHeaderBytes(count);
  if (count < 1 || count > 2 || partLog > PART_LOG_MAX || bytes[start + 3] !== 0 || linesStart > end) {
    throw bad();
  }
  const blooms: BloomShape[] = [];
  let lines = 0;
  for (let at = start + 4; at < linesStart; at += 8) {
    const bloom = { probes: bytes[at]!, lines: getU32(bytes, at + 4) };
    if (!isPossible(bloom) || bytes[at + 1] !== 0 || getU16(bytes, at + 2) !== 0) throw bad();
    blooms.push(bloom);
    lines += bloom.lines;
  }
  if (end - linesStart !== (partLog === 0 ? lines * LINE_BYTES : 0)) throw bad();
  return { blooms, partLog, linesStart };
}

function isPossible({ probes, lines }: BloomShape): boolean {
  return probes > 0 && probes <= PROBES_MAX && lines > 0 && lines <= LINES_MAX;
}

/** A filter in memory, whole. */
export class Filter {
  readonly #words: Uint32Array;
  readonly #scale: number;
  readonly probes: number;
  readonly lines: number;
  /** Asked when this one says yes. */
  readonly #second: Filter | undefined;

  private constructor(words: Uint32Array, { probes, lines }: BloomShape, second: Filter | undefined) {
    this.#words = words;
    this.#scale = lines * SCALE;
    this.probes = probes;
    this.lines = lines;
    this.#second = second;
  }

  /** Takes over `lines`, which begin at a multiple of 4 of their buffer: those of all blooms. */
  static of(blooms: readonly BloomShape[], lines: Uint8Array): Filter {
    const first = blooms[0]!;
    const firstBytes = first.lines * LINE_BYTES;
    const second = blooms.length < 2 ? undefined : Filter.of(blooms.slice(1), lines.subarray(firstBytes));
    return new Filter(new Uint32Array(lines.buffer, lines.byteOffset, firstBytes / 4), first, second);
  }

  /**
   * Copies a filter whose lines follow its header out of a block's bytes.
   * @throws VarveError corruption; `UNSUPPORTED_FILTER` (invalid) for a kind of a later release.
   */
  static decode(bytes: Uint8Array, start: number, end: number, file: string, offset: number): Filter {
    const { blooms, linesStart } = decodeLayout(bytes, start, end, file, offset);
    const lines = new Uint8Array(end - linesStart);
    lines.set(bytes.subarray(linesStart, end));
    return Filter.of(blooms, lines);
  }

  get memoryBytes(): number {
    return this.#words.byteLength + (this.#second?.memoryBytes ?? 0);
  }

  /** Reads the line of a key, so that the processor has it when `mayContain` asks. */
  touch(low: number): number {
    return this.#words[(((low >>> 0) * this.#scale) | 0) * LINE_WORDS]!;
  }

  /** False: the key is not in the table. True: it may be. Takes the halves that base/hash `hashKey` gives. */
  mayContain(low: number, high: number): boolean {
    const words = this.#words;
    const line = (((low >>> 0) * this.#scale) | 0) * LINE_WORDS;
    let h = high | 0;
    for (let probe = this.probes; probe > 0; probe--) {
      const bit = h >>> 23;
      if ((words[line + (bit >>> 5)]! & (1 << (bit & 31))) === 0) return false;
      h = Math.imul(h, GOLDEN);
    }
    return this.#second === undefined || this.#askSecond(low, high);
  }

  /** Apart, so that `mayContain` stays small enough to be inlined. */
  #askSecond(low: number, high: number): boolean {
    return this.#second!.mayContain(secondLow(low, high), secondHigh(low, high));
  }
}
