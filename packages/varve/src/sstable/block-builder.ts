/**
 * Builds one block of sorted entries: data blocks and both index levels have this format. Byte table in block.ts.
 *
 * Keys and values are staged column by column and laid out once at the end, when the prefix that all keys share and the
 * narrowest column widths are known. `addWithin` knows the exact size before an entry is added, so that the writer cuts
 * before a block passes its limit (blocks then fit cache slots). Staging memory is kept between blocks, unless a
 * huge entry made it huge. One thread; the caller asserts the order.
 */
import { copyRange, sharedPrefix } from '../base/bytes.ts';
import { Copier } from '../base/copier.ts';
import { putU16, putU32, putU64 } from '../base/fixed.ts';
import { BLOCK_HEADER_BYTES, KINDS_DIFFER, offsetColumnWidth, sequenceColumnWidth } from './block.ts';

const KEEP_BYTES_MAX = 1024 * 1024;
/** Offsets, sequence and kind at their widest. */
const ENTRY_OVERHEAD_MAX = 4 + 4 + 8 + 1;

export class BlockBuilder {
  #keys = new Uint8Array(4096);
  #values = new Uint8Array(8192);
  #keyEnds = new Uint32Array(256);
  #valueEnds = new Uint32Array(256);
  #sequences = new Float64Array(256);
  #kinds = new Uint8Array(256);
  #count = 0;
  #keyBytes = 0;
  #valueBytes = 0;
  /** Bytes that all keys so far share. */
  #prefix = 0;
  #lowest = 0;
  #highest = 0;
  #oneKind = true;
  readonly #copier = new Copier();

  get count(): number {
    return this.#count;
  }

  /** Exact size of the block as it is. */
  get bytes(): number {
    return blockBytes(
      this.#count,
      this.#keyBytes,
      this.#valueBytes,
      this.#prefix,
      this.#highest - this.#lowest,
      this.#oneKind,
    );
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    sequence: number,
    kind: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const shared = sharedPrefix(this.#keys, 0, this.#prefix, key, keyStart, keyEnd);
    const prefix = this.#prefixWith(shared, keyEnd - keyStart);
    this.#add(prefix, key, keyStart, keyEnd, sequence, kind, value, valueStart, valueEnd);
  }

  /**
   * Adds the entry, whose key shares `shared` bytes with the one before, if the block stays within `bytesMax` with it or is
   * empty; false, and nothing happens, if not.
   */
  addWithin(
    bytesMax: number,
    shared: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    sequence: number,
    kind: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const keyLength = keyEnd - keyStart;
    const valueLength = valueEnd - valueStart;
    const prefix = this.#prefixWith(shared, keyLength);
    // The exact size is asked for only where it may matter.
    const atMost = this.#keyBytes + this.#valueBytes + keyLength + valueLength + prefix;
    if (
      this.#count > 0 &&
      atMost + (this.#count + 2) * ENTRY_OVERHEAD_MAX + BLOCK_HEADER_BYTES > bytesMax &&
      this.#sizeWith(prefix, keyLength, sequence, kind, valueLength) > bytesMax
    ) {
      return false;
    }
    this.#add(prefix, key, keyStart, keyEnd, sequence, kind, value, valueStart, valueEnd);
    return true;
  }

  /** Bytes that all keys share with one more, which shares `shared` with the last: sorted keys share what neighbours do. */
  #prefixWith(shared: number, keyLength: number): number {
    if (this.#count === 0) return keyLength;
    return shared < this.#prefix ? shared : this.#prefix;
  }

  #sizeWith(prefix: number, length: number, sequence: number, kind: number, valueLength: number): number {
    const count = this.#count;
    if (count === 0) return blockBytes(1, length, valueLength, length, 0, true);
    const lowest = sequence < this.#lowest ? sequence : this.#lowest;
    const highest = sequence > this.#highest ? sequence : this.#highest;
    return blockBytes(
      count + 1,
      this.#keyBytes + length,
      this.#valueBytes + valueLength,
      prefix,
      highest - lowest,
      this.#oneKind && kind === this.#kinds[0],
    );
  }

  #add(
    prefix: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    sequence: number,
    kind: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const count = this.#count;
    if (count === this.#kinds.length) this.#growColumns();
    const keysEnd = this.#keyBytes + (keyEnd - keyStart);
    const valuesEnd = this.#valueBytes + (valueEnd - valueStart);
    if (keysEnd > this.#keys.length) this.#keys = grown(this.#keys, keysEnd);
    if (valuesEnd > this.#values.length) this.#values = grown(this.#values, valuesEnd);
    this.#prefix = prefix;
    if (count === 0) {
      this.#lowest = sequence;
      this.#highest = sequence;
    } else {
      if (sequence < this.#lowest) this.#lowest = sequence;
      if (sequence > this.#highest) this.#highest = sequence;
      if (kind !== this.#kinds[0]) this.#oneKind = false;
    }
    copyRange(key, keyStart, keyEnd, this.#keys, this.#keyBytes);
    this.#copier.copy(value, valueStart, valueEnd, this.#values, this.#valueBytes);
    this.#keyBytes = keysEnd;
    this.#valueBytes = valuesEnd;
    this.#keyEnds[count] = keysEnd;
    this.#valueEnds[count] = valuesEnd;
    this.#sequences[count] = sequence;
    this.#kinds[count] = kind;
    this.#count = count + 1;
  }

  /** Lays the block out in `out` at `at` (`bytes` bytes), empties the builder, returns the offset behind the block. */
  finish(out: Uint8Array, at: number): number {
    const count = this.#count;
    const prefix = this.#prefix;
    const suffixBytes = this.#keyBytes - count * prefix;
    const offsetWidth = offsetColumnWidth(suffixBytes, this.#valueBytes);
    const sequenceWidth = sequenceColumnWidth(this.#highest - this.#lowest);
    putU32(out, at, count);
    putU16(out, at + 4, prefix);
    out[at + 6] = offsetWidth | (sequenceWidth << 4);
    out[at + 7] = this.#oneKind ? this.#kinds[0] : KINDS_DIFFER;
    putU64(out, at + 8, this.#lowest);
    copyRange(this.#keys, 0, prefix, out, at + BLOCK_HEADER_BYTES);
    let to = at + BLOCK_HEADER_BYTES + prefix;
    to = putOffsets(out, to, this.#keyEnds, count, prefix, offsetWidth);
    to = putSuffixes(out, to, this.#keys, this.#keyEnds, count, prefix);
    to = putOffsets(out, to, this.#valueEnds, count, 0, offsetWidth);
    to = putSequences(out, to, this.#sequences, count, this.#lowest, sequenceWidth);
    if (!this.#oneKind) {
      out.set(this.#kinds.subarray(0, count), to);
      to += count;
    }
    out.set(this.#values.subarray(0, this.#valueBytes), to);
    to += this.#valueBytes;
    this.clear();
    return to;
  }

  clear(): void {
    this.#count = 0;
    this.#keyBytes = 0;
    this.#valueBytes = 0;
    this.#prefix = 0;
    this.#lowest = 0;
    this.#highest = 0;
    this.#oneKind = true;
    if (this.#keys.length > KEEP_BYTES_MAX) this.#keys = new Uint8Array(4096);
    if (this.#values.length > KEEP_BYTES_MAX) this.#values = new Uint8Array(8192);
  }

  #growColumns(): void {
    const capacity = this.#kinds.length * 2;
    const keyEnds = new Uint32Array(capacity);
    keyEnds.set(this.#keyEnds);
    this.#keyEnds = keyEnds;
    const valueEnds = new Uint32Array(capacity);
    valueEnds.set(this.#valueEnds);
    this.#valueEnds = valueEnds;
    const sequences = new Float64Array(capacity);
    sequences.set(this.#sequences);
    this.#sequences = sequences;
    const kinds = new Uint8Array(capacity);
    kinds.set(this.#kinds);
    this.#kinds = kinds;
  }
}

function grown(bytes: Uint8Array, needed: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(needed, Math.min(bytes.length * 2, bytes.length + KEEP_BYTES_MAX)));
  larger.set(bytes);
  return larger;
}

function blockBytes(
  count: number,
  keyBytes: number,
  valueBytes: number,
  prefix: number,
  sequenceSpan: number,
  oneKind: boolean,
): number {
  const suffixBytes = keyBytes - count * prefix;
  const offsetWidth = offsetColumnWidth(suffixBytes, valueBytes);
  return (
    BLOCK_HEADER_BYTES +
    prefix +
    2 * (count + 1) * offsetWidth +
    suffixBytes +
    count * sequenceColumnWidth(sequenceSpan) +
    (oneKind ? 0 : count) +
    valueBytes
  );
}

/** Writes 0 and the `count` ends, less `drop` bytes for every entry so far. */
function putOffsets(
  out: Uint8Array,
  at: number,
  ends: Uint32Array,
  count: number,
  drop: number,
  width: number,
): number {
  let to = at;
  let dropped = 0;
  if (width === 2) {
    putU16(out, to, 0);
    for (let i = 0; i < count; i++) {
      to += 2;
      dropped += drop;
      const end = ends[i] - dropped;
      out[to] = end;
      out[to + 1] = end >>> 8;
    }
    return to + 2;
  }
  putU32(out, to, 0);
  for (let i = 0; i < count; i++) {
    to += 4;
    dropped += drop;
    putU32(out, to, ends[i] - dropped);
  }
  return to + 4;
}

function putSuffixes(
  out: Uint8Array,
  at: number,
  keys: Uint8Array,
  ends: Uint32Array,
  count: number,
  prefix: number,
): number {
  let to = at;
  let start = 0;
  for (let i = 0; i < count; i++) {
    const end = ends[i];
    for (let from = start + prefix; from < end; from++) out[to++] = keys[from];
    start = end;
  }
  return to;
}

function putSequences(
  out: Uint8Array,
  at: number,
  sequences: Float64Array,
  count: number,
  lowest: number,
  width: number,
): number {
  if (width === 0) return at;
  let to = at;
  for (let i = 0; i < count; i++) {
    if (width === 4) putU32(out, to, sequences[i] - lowest);
    else putU64(out, to, sequences[i] - lowest);
    to += width;
  }
  return to;
}
