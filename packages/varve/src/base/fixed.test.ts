import { expect, test } from 'vitest';
import { getU16, getU32, getU64, putU16, putU32, putU64 } from './fixed.ts';
import { Random } from './random.ts';

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer);

test('16 and 32 bits are what DataView says in little-endian', () => {
  const random = new Random(7);
  const drawn = Array.from({ length: 500 }, () => random.u32());
  for (const value of [
    0,
    1,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    ...drawn,
  ]) {
    const bytes = new Uint8Array(8).fill(0xee);
    putU32(bytes, 1, value);
    expect(view(bytes).getUint32(1, true)).toBe(value);
    expect(getU32(bytes, 1)).toBe(value);
    putU16(bytes, 6, value & 0xffff);
    expect(view(bytes).getUint16(6, true)).toBe(value & 0xffff);
    expect(getU16(bytes, 6)).toBe(value & 0xffff);
    expect([bytes[0], bytes[5]]).toEqual([0xee, 0xee]);
  }
});

test('64 bits hold every safe integer', () => {
  const random = new Random(8);
  const drawn = Array.from({ length: 500 }, () => Math.floor(random.fraction() * 2 ** random.below(54)));
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER, ...drawn]) {
    const bytes = new Uint8Array(10).fill(0xee);
    putU64(bytes, 1, value);
    expect(view(bytes).getBigUint64(1, true)).toBe(BigInt(value));
    expect(getU64(bytes, 1)).toBe(value);
    expect([bytes[0], bytes[9]]).toEqual([0xee, 0xee]);
  }
});

test('damaged 64 bits read as an unsafe number, never as a small one', () => {
  const bytes = new Uint8Array(8).fill(0xff);
  expect(Number.isSafeInteger(getU64(bytes, 0))).toBe(false);
  expect(getU64(bytes, 0)).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
});
