/**
 * Fixed-width little-endian numbers in byte arrays. 64-bit fields hold safe integers only; a decoder that meets a
 * larger one gets NaN-free but unsafe input, so it checks `Number.isSafeInteger` and raises corruption.
 */

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function getU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function getU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Writes a non-negative safe integer in 8 bytes. */
export function putU64(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, value % 4294967296);
  putU32(bytes, at + 4, Math.floor(value / 4294967296));
}

/** Reads 8 bytes; the result may be unsafe when the bytes are damaged (see header). */
export function getU64(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at) + getU32(bytes, at + 4) * 4294967296;
}
