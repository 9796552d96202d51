/**
 * Reading a block of sorted entries in place: nothing is unpacked, a search touches the dense key column only.
 *
 *   offset  size     type  field             PERSISTED: another layout is another table format version
 *        0  4        u32   count             entries
 *        4  2        u16   prefix length     bytes that all keys share, stored once
 *        6  1        u8    widths            low half w: of offsets (2, 4); high half s: of sequences (0, 4, 8)
 *        7  1        u8    kind              of all entries; 255: there is a kind column
 *        8  8        u64   base sequence     lowest of the block
 *       16  p        bytes prefix
 *        -  (n+1)*w  uint  key offsets       entry i has suffix [i, i+1) of the suffixes
 *        -  -        bytes suffixes          keys without the prefix, one after the other
 *        -  (n+1)*w  uint  value offsets     entry i has value [i, i+1) of the values
 *        -  n*s      uint  sequences         less the base; no column when all are the base
 *        -  n        u8    kinds             only when they differ
 *        -  -        bytes values            to the end of the block
 *
 * Order: internal order (key ascending, sequence descending). Index blocks: the key is at or above every entry of the
 * child and below every entry of the next child (as a pair with its sequence), the value is the child's handle.
 * `validateBlock` checks every offset once when a block is loaded, so that searches and walks need no checks.
 */
import { EMPTY } from '../base/bytes.ts';
import { KEY_BYTES_MAX, SEQUENCE_MAX } from '../base/entry.ts';
import { corruption, invalid } from '../base/errors.ts';
import { getU16, getU32, getU64 } from '../base/fixed.ts';
import { isExpiryIntact } from '../base/expiry.ts';
import { isPointKind, KIND_MERGE, KIND_PUT_EXPIRY, kindName } from '../base/kinds.ts';
import { isOperandList } from '../base/operands.ts';

export const BLOCK_HEADER_BYTES = 16;
/** In place of the common kind: a kind column follows. */
export const KINDS_DIFFER = 255;

/** Width of both offset columns. */
export function offsetColumnWidth(suffixBytes: number, valueBytes: number): number {
  return suffixBytes <= 0xffff && valueBytes <= 0xffff ? 2 : 4;
}

/** Width of the sequence column for sequences that lie `span` apart. */
export function sequenceColumnWidth(span: number): number {
  return span === 0 ? 0 : span <= 0xffffffff ? 4 : 8;
}

/** Where the columns of a validated block lie, and searches over them. One is reused for many blocks. */
export class BlockView {
  bytes: Uint8Array = EMPTY;
  count = 0;
  prefixStart = 0;
  prefixLength = 0;
  wide = false;
  keyOffsets = 0;
  suffixes = 0;
  valueOffsets = 0;
  values = 0;
  /** Entry that the last `search` hit with an equal user key; compare with its result. */
  matched = -1;
  #sequences = 0;
  #sequenceWidth = 0;
  #base = 0;
  #kind = 0;
  #kinds = 0;

  /** Looks at the validated block that starts at `start`. */
  open(bytes: Uint8Array, start: number): void {
    const count = getU32(bytes, start);
    const prefixLength = getU16(bytes, start + 4);
    const widths = bytes[start + 6];
    const width = widths & 15;
    const columnBytes = (count + 1) * width;
    const keyOffsets = start + BLOCK_HEADER_BYTES + prefixLength;
    const suffixes = keyOffsets + columnBytes;
    this.bytes = bytes;
    this.count = count;
    this.prefixStart = start + BLOCK_HEADER_BYTES;
    this.prefixLength = prefixLength;
    this.wide = width === 4;
    this.keyOffsets = keyOffsets;
    this.suffixes = suffixes;
    this.#sequenceWidth = widths >>> 4;
    this.#base = getU64(bytes, start + 8);
    this.#kind = bytes[start + 7];
    const suffixBytes = width === 4 ? getU32(bytes, suffixes - 4) : getU16(bytes, suffixes - 2);
    this.valueOffsets = suffixes + suffixBytes;
    this.#sequences = this.valueOffsets + columnBytes;
    this.#kinds = this.#sequences + count * this.#sequenceWidth;
    this.values = this.#kind === KINDS_DIFFER ? this.#kinds + count : this.#kinds;
  }

  /** Every entry of the opened block counts as written at `sequence`: in place of what is stored, which is 0. */
  showSequence(sequence: number): void {
    this.#sequenceWidth = 0;
    this.#base = sequence;
  }

  /** Lets go of the block. */
  close(): void {
    this.bytes = EMPTY;
  }

  suffixStart(index: number): number {
    return this.suffixes + this.#offset(this.keyOffsets, index);
  }

  valueStart(index: number): number {
    return this.values + this.#offset(this.valueOffsets, index);
  }

  #offset(column: number, index: number): number {
    return this.wide ? getU32(this.bytes, column + index * 4) : getU16(this.bytes, column + index * 2);
  }

  sequence(index: number): number {
    const width = this.#sequenceWidth;
    if (width === 0) return this.#base;
    const at = this.#sequences + index * width;
    return this.#base + (width === 4 ? getU32(this.bytes, at) : getU64(this.bytes, at));
  }

  kind(index: number): number {
    return this.#kind === KINDS_DIFFER ? this.bytes[this.#kinds + index] : this.#kind;
  }

  /** The kind that all entries share; KINDS_DIFFER when they do not. */
  get commonKind(): number {
    return this.#kind;
  }

  /** Does every entry have a user key of its own? */
  hasDistinctKeys(): boolean {
    const bytes = this.bytes;
    for (let i = 1; i < this.count; i++) {
      const before = this.suffixStart(i - 1);
      let a = this.suffixStart(i);
      let b = this.suffixStart(i + 1);
      if (b - a !== a - before) continue;
      // From the end, where neighbours differ.
      while (a > before && bytes[a - 1] === bytes[b - 1]) {
        a--;
        b--;
      }
      if (a === before) return false;
    }
    return true;
  }

  /** A copy of the whole key of an entry, for dumps and tests. */
  keyAt(index: number): Uint8Array {
    const from = this.suffixStart(index);
    const to = this.suffixStart(index + 1);
    const key = new Uint8Array(this.prefixLength + to - from);
    key.set(this.bytes.subarray(this.prefixStart, this.prefixStart + this.prefixLength));
    key.set(this.bytes.subarray(from, to), this.prefixLength);
    return key;
  }

  /** Index of the first entry at or after (key, sequence) in internal order; `count` when there is none. */
  search(key: Uint8Array, start: number, end: number, sequence: number): number {
    this.matched = -1;
    const bytes = this.bytes;
    const prefixLength = this.prefixLength;
    const length = end - start;
    for (let i = 0; i < prefixLength; i++) {
      if (i === length) return 0;
      const difference = bytes[this.prefixStart + i] - key[start + i];
      if (difference !== 0) return difference > 0 ? 0 : this.count;
    }
    return this.wide
      ? this.#searchWide(key, start + prefixLength, end, sequence)
      : this.#searchNarrow(key, start + prefixLength, end, sequence);
  }

  #searchNarrow(key: Uint8Array, start: number, end: number, sequence: number): number {
    const bytes = this.bytes;
    const offsets = this.keyOffsets;
    const suffixes = this.suffixes;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = offsets + middle * 2;
      let from = suffixes + (bytes[at] | (bytes[at + 1] << 8));
      const to = suffixes + (bytes[at + 2] | (bytes[at + 3] << 8));
      let i = start;
      let difference = 0;
      while (from < to && i < end) {
        difference = bytes[from] - key[i];
        if (difference !== 0) break;
        from++;
        i++;
      }
      if (difference === 0) difference = to - from - (end - i);
      if (difference === 0) {
        if (this.sequence(middle) > sequence) low = middle + 1;
        else {
          high = middle;
          this.matched = middle;
        }
      } else if (difference < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #searchWide(key: Uint8Array, start: number, end: number, sequence: number): number {
    const bytes = this.bytes;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      let from = this.suffixStart(middle);
      const to = this.suffixStart(middle + 1);
      let i = start;
      while (from < to && i < end && bytes[from] === key[i]) {
        from++;
        i++;
      }
      const difference = from < to && i < end ? bytes[from] - key[i] : to - from - (end - i);
      if (difference === 0) {
        if (this.sequence(middle) > sequence) low = middle + 1;
        else {
          high = middle;
          this.matched = middle;
        }
      } else if (difference < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const checking = new BlockView();

/**
 * Checks the structure of the block [start, start + length): after this every offset of it may be believed.
 * Not checked: the order of the entries (`verify` does).
 * @throws VarveError corruption; `UNSUPPORTED_KIND` (invalid) for an entry kind of a later release.
 */
export function validateBlock(
  bytes: Uint8Array,
  start: number,
  length: number,
  file: string,
  offset: number,
): void {
  const bad = (what: string): Error => corruption(`a block is malformed: ${what}`, { file, offset });
  if (length < BLOCK_HEADER_BYTES) throw bad('shorter than its header');
  const count = getU32(bytes, start);
  const width = bytes[start + 6] & 15;
  const sequenceWidth = bytes[start + 6] >>> 4;
  if (width !== 2 && width !== 4) throw bad('unknown offset width');
  if (sequenceWidth !== 0 && sequenceWidth !== 4 && sequenceWidth !== 8) throw bad('unknown sequence width');
  if (getU64(bytes, start + 8) > SEQUENCE_MAX) throw bad('unsafe base sequence');
  const prefixLength = getU16(bytes, start + 4);
  // Sizes add up as plain numbers, far below 2^53, so that no sum wraps.
  const fixed = BLOCK_HEADER_BYTES + prefixLength + 2 * (count + 1) * width + count * sequenceWidth;
  const kinds = bytes[start + 7] === KINDS_DIFFER ? count : 0;
  if (fixed + kinds > length) throw bad('columns longer than the block');
  const suffixesAt = start + BLOCK_HEADER_BYTES + prefixLength + (count + 1) * width;
  const suffixBytes = width === 4 ? getU32(bytes, suffixesAt - 4) : getU16(bytes, suffixesAt - 2);
  if (fixed + kinds + suffixBytes > length) throw bad('suffixes longer than the block');
  checking.open(bytes, start);
  const valueBytes = length - fixed - kinds - suffixBytes;
  if (!checkOffsets(bytes, checking.keyOffsets, count, width, suffixBytes, KEY_BYTES_MAX - prefixLength)) {
    throw bad('key offsets');
  }
  if (!checkOffsets(bytes, checking.valueOffsets, count, width, valueBytes, valueBytes))
    throw bad('value offsets');
  checkEntries(checking, count, file, offset);
  checking.close();
}

function checkOffsets(
  bytes: Uint8Array,
  column: number,
  count: number,
  width: number,
  total: number,
  longest: number,
): boolean {
  let previous = width === 2 ? getU16(bytes, column) : getU32(bytes, column);
  if (previous !== 0) return false;
  let at = column;
  for (let i = 0; i < count; i++) {
    at += width;
    const next = width === 2 ? bytes[at] | (bytes[at + 1] << 8) : getU32(bytes, at);
    if (next < previous || next - previous > longest) return false;
    previous = next;
  }
  return previous === total;
}

function checkEntries(view: BlockView, count: number, file: string, offset: number): void {
  for (let i = 0; i < count; i++) {
    const kind = view.kind(i);
    if (!isPointKind(kind)) {
      throw invalid('UNSUPPORTED_KIND', `a table holds entries of kind ${kindName(kind)}`, {
        file,
        offset,
        kind,
      });
    }
    if (view.sequence(i) > SEQUENCE_MAX) throw corruption('a sequence is out of range', { file, offset });
    if (kind === KIND_PUT_EXPIRY && !isExpiryIntact(view.bytes, view.valueStart(i), view.valueStart(i + 1))) {
      throw corruption('a value that expires does not begin with its expiry', { file, offset });
    }
    if (kind === KIND_MERGE && !isOperandList(view.bytes, view.valueStart(i), view.valueStart(i + 1))) {
      throw corruption('a merge does not hold a whole list of operands', { file, offset });
    }
  }
}
