/**
 * Variable-length unsigned integers: 7 bits a byte, least significant first, high bit says that more follows (LEB128).
 * Up to 8 bytes, so every safe integer fits. Reading goes through a reusable cursor, so nothing is allocated.
 * Invariant: a reader never looks at or past `end`; a cut or overlong number sets `failed` and reads as 0.
 */

/** Bytes that `value` takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Writes `value` at `at`; returns the offset behind it. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7fffffff) {
    bytes[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 128) {
    bytes[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** A reading position in a byte range. `failed` stays set once a read went past the end. */
export class ByteReader {
  bytes: Uint8Array;
  at: number;
  end: number;
  failed = false;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.failed = false;
  }

  byte(): number {
    if (this.at >= this.end) return this.#fail();
    return this.bytes[this.at++]!;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      if (this.at >= this.end) return this.#fail();
      const byte = this.bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value <= Number.MAX_SAFE_INTEGER ? value : this.#fail();
      scale *= 128;
    }
    return this.#fail();
  }

  /** Skips `length` bytes and returns where they start; -1 (and failed) when they are not all there. */
  skip(length: number): number {
    const start = this.at;
    if (length > this.end - start) {
      this.#fail();
      return -1;
    }
    this.at = start + length;
    return start;
  }

  #fail(): number {
    this.failed = true;
    this.at = this.end;
    return 0;
  }
}
