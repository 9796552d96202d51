import { expect, test } from 'vitest';
import { hashHigh, hashKey } from './hash.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function both(bytes: Uint8Array, start = 0, end = bytes.length): [number, number] {
  const low = hashKey(bytes, start, end);
  return [low, hashHigh[0]!];
}

test('the values are fixed: filters on disk hold them', () => {
  const golden: [string, number, number][] = [
    ['', 0xebb6c228, 0x47a78262],
    ['a', 0x3ba9957f, 0x5fbed92b],
    ['abc', 0xd5e4e107, 0xdfbb7719],
    ['abcd', 0xfba6da8d, 0x3f4aae00],
    ['hello world', 0x1384c45b, 0xb22407bd],
    ['0000000000000001', 0xb2cef080, 0xae214dd4],
  ];
  for (const [key, low, high] of golden) expect(both(encode(key))).toEqual([low, high]);
});

test('only the range counts, wherever it lies', () => {
  const bytes = encode('xxxhello worldyyy');
  expect(both(bytes, 3, 14)).toEqual(both(encode('hello world')));
});

test('zeros at the end make another key', () => {
  const seen = new Set<string>();
  for (let length = 0; length < 200; length++) seen.add(both(new Uint8Array(length)).join());
  expect(seen.size).toBe(200);
});

/** Keys as they are in practice: counters as text and as bytes, at either end. */
const makers: Record<string, (i: number) => Uint8Array> = {
  'zero-padded text': (i) => encode(String(i).padStart(16, '0')),
  'text with a prefix': (i) => encode(`user:${i}`),
  'big-endian numbers': (i) => Uint8Array.from([0, 0, 0, 0, 0, i >>> 16, i >>> 8, i]),
  'little-endian numbers': (i) => Uint8Array.from([i, i >>> 8, i >>> 16, 0, 0, 0, 0, 0]),
};

for (const [name, make] of Object.entries(makers)) {
  test(`both halves spread ${name}, also over 64 buckets by their highest and lowest bits`, () => {
    const count = 60_000;
    const lows = new Set<number>();
    const highs = new Set<number>();
    const buckets = Array.from({ length: 4 }, () => new Uint32Array(64));
    for (let i = 0; i < count; i++) {
      const [low, high] = both(make(i));
      lows.add(low);
      highs.add(high);
      for (const [at, bucket] of [low >>> 26, low & 63, high >>> 26, high & 63].entries())
        buckets[at]![bucket]!++;
    }
    // A random function has 0.4 collisions on average here.
    expect(count - lows.size).toBeLessThan(5);
    expect(count - highs.size).toBeLessThan(5);
    const expected = count / 64;
    for (const counts of buckets) {
      let chiSquare = 0;
      for (const found of counts) chiSquare += (found - expected) ** 2 / expected;
      // 63 degrees of freedom: mean 63, above 130 once in a million.
      expect(chiSquare).toBeLessThan(130);
    }
  });
}

test('one flipped bit changes about half of each half', () => {
  const key = encode('0123456789abcdef');
  const [low, high] = both(key);
  let lowBits = 0;
  let highBits = 0;
  const ones = (value: number): number => value.toString(2).replaceAll('0', '').length;
  for (let bit = 0; bit < 128; bit++) {
    key[bit >> 3]! ^= 1 << (bit & 7);
    const [otherLow, otherHigh] = both(key);
    key[bit >> 3]! ^= 1 << (bit & 7);
    lowBits += ones((low ^ otherLow) >>> 0);
    highBits += ones((high ^ otherHigh) >>> 0);
  }
  expect(Math.abs(lowBits / 128 - 16)).toBeLessThan(1.5);
  expect(Math.abs(highBits / 128 - 16)).toBeLessThan(1.5);
});
