/**
 * The 64-bit FNV hash that YCSB makes keys and scrambled choices of, in two 32-bit halves: eight bytes of a number, lowest
 * first. The prime is 2^40 + 435, so a product takes two multiplications and a shift.
 */

const OFFSET_HIGH = 0xcbf29ce4;
const OFFSET_LOW = 0x84222325;
const PRIME_LOW = 435;
const TWO_32 = 2 ** 32;

/** A 64-bit number. */
export interface Hash64 {
  high: number;
  low: number;
}

/** The hash of a whole number in [0, 2^53). */
export function hashNumber(value: number): Hash64 {
  let high = OFFSET_HIGH;
  let low = OFFSET_LOW;
  let rest = value;
  for (let octet = 0; octet < 8; octet++) {
    low = (low ^ (rest % 256)) >>> 0;
    rest = Math.floor(rest / 256);
    const product = low * PRIME_LOW;
    high = (((high * PRIME_LOW) % TWO_32) + Math.floor(product / TWO_32) + ((low << 8) >>> 0)) % TWO_32;
    low = product % TWO_32;
  }
  return { high, low };
}

/** The absolute value of the hash as a signed number, as Java has it, modulo a number below 2^31. */
export function hashNumberModulo({ high, low }: Hash64, modulus: number): number {
  if (high >= 2 ** 31) {
    low = (~low + 1) >>> 0;
    high = (~high + (low === 0 ? 1 : 0)) >>> 0;
  }
  let rest = high % modulus;
  rest = (rest * 65_536 + (low >>> 16)) % modulus;
  return (rest * 65_536 + (low & 65_535)) % modulus;
}
