import xxhash from 'xxhash-wasm';
import { expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { digest, readyAtOnce, xxh64 } from './checksum.ts';
import { xxh64Plain } from './xxh64-plain.ts';

test('a checksum may be had at once, before the compiled code is there', () => {
  readyAtOnce();
  xxh64(new TextEncoder().encode('xxabcyy'), 2, 5, 0, 0);
  expect([digest[1], digest[0]]).toEqual([0x44bc2cf5, 0xad770999]);
});

test('gives what the compiled code gives, for every length, any alignment and any seed', async () => {
  const { h64Raw } = await xxhash();
  const random = new Random(1);
  const bytes = Uint8Array.from({ length: 400 }, () => random.u32());
  for (let length = 0; length <= 300; length++) {
    const start = random.below(64);
    const seed = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
    const expected = h64Raw(bytes.subarray(start, start + length), seed);
    expect(xxh64Plain(bytes, start, start + length, seed), `length ${length}`).toBe(expected);
  }
});
