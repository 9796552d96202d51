/**
 * Sorted entries on their way from the thread that encodes them to the job that writes them into a table: one after the other
 * in shared memory, so that nothing is copied between the threads. In memory only; little-endian.
 *
 *   offset  size  type   field
 *        0     4  u32    keyLength
 *        4     4  u32    valueLength
 *        8     2  u16    shared         leading bytes that the key has in common with the key before it
 *       10     1  u8     kind           (base/kinds.ts)
 *       11     1         zero
 *       12        bytes  key, value
 *
 * One thread fills a chunk, then one reads it, never both at a time. Allocates nothing per entry.
 */
import { copyRange } from '../base/bytes.ts';
import type { WrittenEntry } from '../base/entry.ts';
import { getU32, putU32 } from '../base/fixed.ts';
import { sharedMemory } from '../base/shared-memory.ts';

const HEADER_BYTES = 12;

/** What an entry takes of a chunk. */
export function chunkBytesOf(keyLength: number, valueLength: number): number {
  return HEADER_BYTES + keyLength + valueLength;
}

/** Fills a chunk. */
export class ChunkWriter {
  readonly bytes: Uint8Array;
  used = 0;
  /** Entries in it. */
  entries = 0;

  /** @throws busy `OUT_OF_MEMORY` */
  constructor(bytes: number) {
    this.bytes = new Uint8Array(sharedMemory(bytes));
  }

  /** Is there room for an entry? */
  fits(keyLength: number, valueLength: number): boolean {
    return this.used + chunkBytesOf(keyLength, valueLength) <= this.bytes.length;
  }

  /** Adds an entry, for which there is room; its bytes are copied. */
  add(kind: number, key: Uint8Array, shared: number, value: Uint8Array): void {
    const { bytes } = this;
    const at = this.used;
    putU32(bytes, at, key.length);
    putU32(bytes, at + 4, value.length);
    putU32(bytes, at + 8, shared | (kind << 16));
    const valueAt = at + HEADER_BYTES + key.length;
    copyRange(key, 0, key.length, bytes, at + HEADER_BYTES);
    copyRange(value, 0, value.length, bytes, valueAt);
    this.used = valueAt + value.length;
    this.entries++;
  }

  clear(): void {
    this.used = 0;
    this.entries = 0;
  }
}

/** Walks over the entries of [0, used) of a chunk, with the sequence that ingested tables store. */
export class ChunkReader implements WrittenEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  shared = 0;
  readonly sequence = 0;
  kind = 0;
  readonly #used: number;

  constructor(bytes: Uint8Array, used: number) {
    this.key = bytes;
    this.value = bytes;
    this.#used = used;
  }

  /** To the next entry; false behind the last one. */
  next(): boolean {
    const at = this.valueEnd;
    if (at >= this.#used) return false;
    this.keyStart = at + HEADER_BYTES;
    this.keyEnd = this.keyStart + getU32(this.key, at);
    this.valueStart = this.keyEnd;
    this.valueEnd = this.valueStart + getU32(this.key, at + 4);
    const word = getU32(this.key, at + 8);
    this.shared = word & 0xffff;
    this.kind = word >>> 16;
    return true;
  }
}
