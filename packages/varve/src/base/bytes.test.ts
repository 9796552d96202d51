import { describe, expect, test } from 'vitest';
import {
  cloneRange,
  compareBytes,
  compareRanges,
  copyRange,
  describeBytes,
  equalBytes,
  prefixEnd,
  sharedPrefix,
  successor,
} from './bytes.ts';
import { Random } from './random.ts';

const of = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

function randomBytes(random: Random, lengthMax: number): Uint8Array {
  // Few different bytes, so that prefixes and equal arrays happen.
  return new Uint8Array(random.below(lengthMax + 1)).map(() => random.pick([0, 1, 0x7f, 0x80, 0xff]));
}

describe('order', () => {
  test('is by unsigned bytes, a prefix before its extensions', () => {
    const ascending = [of(), of(0), of(0, 0), of(0, 1), of(1), of(0x7f), of(0x80), of(0xff), of(0xff, 0)];
    for (const [i, a] of ascending.entries())
      for (const [j, b] of ascending.entries()) expect(Math.sign(compareBytes(a, b))).toBe(Math.sign(i - j));
  });

  test('agrees with Buffer.compare on random arrays', () => {
    const random = new Random(1);
    for (let i = 0; i < 5000; i++) {
      const a = randomBytes(random, 6);
      const b = randomBytes(random, 6);
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
    }
  });

  test('looks only at the given ranges', () => {
    const a = of(9, 1, 2, 9);
    const b = of(1, 2, 3);
    expect(compareRanges(a, 1, 3, b, 0, 2)).toBe(0);
    expect(compareRanges(a, 1, 3, b, 0, 3)).toBeLessThan(0);
    expect(compareRanges(a, 2, 2, b, 1, 1)).toBe(0);
  });
});

describe('copies', () => {
  test('of every length are whole, inside their bounds, and not views', () => {
    const from = new Uint8Array(100).map((_, i) => i + 1);
    for (let length = 0; length <= 64; length++) {
      const to = new Uint8Array(100);
      copyRange(from, 5, 5 + length, to, 7);
      expect([...to.subarray(7, 7 + length)]).toEqual([...from.subarray(5, 5 + length)]);
      expect(to.subarray(0, 7).every((byte) => byte === 0)).toBe(true);
      expect(to.subarray(7 + length).every((byte) => byte === 0)).toBe(true);
      const clone = cloneRange(from, 5, 5 + length);
      expect([...clone]).toEqual([...from.subarray(5, 5 + length)]);
      expect(clone.buffer).not.toBe(from.buffer);
      expect(clone.byteLength).toBe(clone.buffer.byteLength);
    }
  });

  test('work out of shared memory into ordinary memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(64)).fill(3);
    expect(cloneRange(shared, 0, 64).buffer).toBeInstanceOf(ArrayBuffer);
    expect(cloneRange(shared, 0, 4).buffer).toBeInstanceOf(ArrayBuffer);
  });
});

describe('neighbours of a key', () => {
  test('the shared prefix is counted in bytes and ends with the shorter range', () => {
    expect(sharedPrefix(of(1, 2, 3), 0, 3, of(1, 2, 4), 0, 3)).toBe(2);
    expect(sharedPrefix(of(1, 2, 3), 0, 3, of(1, 2), 0, 2)).toBe(2);
    expect(sharedPrefix(of(9, 1, 2), 1, 3, of(1, 2), 0, 2)).toBe(2);
    expect(sharedPrefix(of(1), 0, 1, of(2), 0, 1)).toBe(0);
    expect(sharedPrefix(of(), 0, 0, of(2), 0, 1)).toBe(0);
  });

  test('prefixEnd is the first array above everything with the prefix', () => {
    expect(prefixEnd(of(1, 2))).toEqual(of(1, 3));
    expect(prefixEnd(of(1, 0xff))).toEqual(of(2));
    expect(prefixEnd(of(1, 0xff, 0xff))).toEqual(of(2));
    expect(prefixEnd(of(0xff, 0xff))).toBeUndefined();
    expect(prefixEnd(of())).toBeUndefined();
    const random = new Random(2);
    for (let i = 0; i < 2000; i++) {
      const prefix = randomBytes(random, 4);
      const key = randomBytes(random, 6);
      const end = prefixEnd(prefix);
      const inside = compareBytes(key, prefix) >= 0 && (end === undefined || compareBytes(key, end) < 0);
      expect(inside).toBe(sharedPrefix(key, 0, key.length, prefix, 0, prefix.length) === prefix.length);
    }
  });

  test('prefixEnd leaves the bytes of a Buffer alone', () => {
    const prefix = Buffer.from([1, 2]);
    expect([...prefixEnd(prefix)!]).toEqual([1, 3]);
    expect([...prefix]).toEqual([1, 2]);
  });

  test('successor is the very next array', () => {
    expect(successor(of(1, 2))).toEqual(of(1, 2, 0));
    expect(successor(of())).toEqual(of(0));
    expect(compareBytes(of(1, 2), successor(of(1, 2)))).toBeLessThan(0);
  });
});

test('bytes are described as text when printable, as hex otherwise, cut at 32', () => {
  expect(describeBytes(new TextEncoder().encode('user:1'))).toBe('"user:1"');
  expect(describeBytes(of(0, 0xab))).toBe('0x00ab');
  expect(describeBytes(of())).toBe('""');
  expect(describeBytes(new Uint8Array(40).fill(0x61))).toBe(`"${'a'.repeat(32)}"... (40 bytes)`);
});
