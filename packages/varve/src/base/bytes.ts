/**
 * Comparing and copying byte ranges. Keys order by unsigned bytes, a prefix before its extensions.
 *
 * Hot: called for every probe of every search, so all of it is loops over typed arrays without allocation. Ranges are
 * half open, [start, end). Short ranges are copied by a loop because a call into the runtime costs more than 32 bytes do.
 */

export const EMPTY: Uint8Array = new Uint8Array(0);

/** Negative, zero or positive as range a orders before, equal to or after range b. */
export function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aLength = aEnd - aStart;
  const bLength = bEnd - bStart;
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** Order of two whole arrays. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return compareRanges(a, 0, a.length, b, 0, b.length);
}

/** Same bytes? */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/** Copies [start, end) of `from` to `to` at `at`. */
export function copyRange(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > 32) {
    to.set(from.subarray(start, end), at);
    return;
  }
  for (let i = start, j = at; i < end; i++, j++) to[j] = from[i]!;
}

/** A copy of all bytes, in memory of its own (`slice` of a Buffer would share it). */
export function cloneOf(bytes: Uint8Array): Uint8Array {
  return cloneRange(bytes, 0, bytes.length);
}

/** A fresh, unshared copy of [start, end): what may be handed to a caller. */
export function cloneRange(from: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copyRange(from, start, end, copy, 0);
  return copy;
}

/** A view of the same bytes, for numbers that are not aligned. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Length of the common prefix of two ranges. */
export function sharedPrefix(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const limit = Math.min(aEnd - aStart, bEnd - bStart);
  let i = 0;
  while (i < limit && a[aStart + i] === b[bStart + i]) i++;
  return i;
}

/** The smallest array above every array that starts with `prefix`; undefined when there is none (all 0xff). */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    if (prefix[i]! < 0xff) {
      // Not prefix.slice: of a Buffer that is a view, and the caller's own bytes would change.
      const end = cloneRange(prefix, 0, i + 1);
      end[i]!++;
      return end;
    }
  }
  return undefined;
}

/** The smallest array above `key`: key followed by a zero byte. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** Bytes as text for messages: quoted when printable, hex otherwise, cut at 32 bytes. */
export function describeBytes(bytes: Uint8Array): string {
  const cut = bytes.length > 32 ? bytes.subarray(0, 32) : bytes;
  let text = '';
  let printable = true;
  for (const byte of cut) if (byte < 0x20 || byte > 0x7e) printable = false;
  if (printable) for (const byte of cut) text += String.fromCharCode(byte);
  else for (const byte of cut) text += byte.toString(16).padStart(2, '0');
  return (printable ? `"${text}"` : `0x${text}`) + (bytes.length > 32 ? `... (${bytes.length} bytes)` : '');
}
