import { expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import { Random } from './random.ts';

/** The definition, a bit at a time. */
function slow(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test('has the check value and the vectors of RFC 3720', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(0))).toBe(0);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(new Uint8Array(32).map((_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(new Uint8Array(32).map((_, i) => 31 - i))).toBe(0x113fdb5c);
});

test('agrees with the definition on every range and length', () => {
  const random = new Random(5);
  const bytes = new Uint8Array(80).map(() => random.u32());
  for (let start = 0; start < 10; start++)
    for (let end = start; end <= 80; end++)
      expect(crc32c(bytes, start, end)).toBe(slow(bytes.subarray(start, end)));
});

test('continues from a previous result', () => {
  const random = new Random(6);
  const bytes = new Uint8Array(100).map(() => random.u32());
  for (let cut = 0; cut <= 100; cut++)
    expect(crc32c(bytes, cut, 100, crc32c(bytes, 0, cut))).toBe(crc32c(bytes));
});

test('sees every single flipped bit', () => {
  const bytes = new Uint8Array(64).map((_, i) => i * 7);
  const good = crc32c(bytes);
  for (let bit = 0; bit < 512; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    expect(crc32c(bytes)).not.toBe(good);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});
