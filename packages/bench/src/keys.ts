/**
 * The keys of db_bench: a number in decimal, zero-padded on the left to the key size (16 bytes by default), so that
 * byte order is number order. One buffer is filled again for each operation; nothing is allocated.
 */

const ZERO = 48;

/** The largest number of entries: keys are computed in 31-bit integer arithmetic. */
export const entriesMax: number = 2 ** 31 - 1;

/** Digits that the largest key of `entries` entries needs: the least key size for them. */
export function digitsFor(entries: number): number {
  return String(Math.max(entries - 1, 0)).length;
}

export class KeyBuffer {
  /** The current key; overwritten by the next `set`. */
  readonly bytes: Uint8Array;
  /** The current key without its last byte: sorts between the keys and is never one of them (db_bench's readmissing). */
  readonly missing: Uint8Array;

  constructor(keySize: number) {
    this.bytes = new Uint8Array(keySize).fill(ZERO);
    this.missing = this.bytes.subarray(0, keySize - 1);
  }

  /** Writes key number `index`, an integer in [0, 2^31). */
  set(index: number): void {
    const bytes = this.bytes;
    let rest = index | 0;
    for (let at = bytes.length - 1; at >= 0; at--) {
      const next = (rest / 10) | 0;
      bytes[at] = ZERO + rest - next * 10;
      rest = next;
    }
  }
}

/**
 * A step that visits each number of [0, count) once, far apart from one to the next: (i * step) mod count.
 * It is the integer nearest to the golden section of `count` that shares no factor with it.
 */
export function scatterStep(count: number): number {
  let step = Math.max(1, Math.round(count * 0.6180339887));
  while (commonDivisor(step, count) !== 1) step++;
  return step;
}

function commonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
