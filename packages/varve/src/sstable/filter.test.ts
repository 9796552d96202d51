import { describe, expect, test } from 'vitest';

import { crc32c } from '../base/crc32c.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { putU32 } from '../base/fixed.ts';
import { decodeLayout, Filter, hashPrefix } from './filter.ts';
import { FilterBuilder } from './filter-builder.ts';

const key = new Uint8Array(16);

function setKey(n: number): number {
  let rest = n;
  for (let i = 15; i >= 0; i--) {
    key[i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return hashKey(key, 0, 16);
}

function build(keys: number, bitsPerKey: number): Filter {
  const builder = new FilterBuilder(bitsPerKey, Number.POSITIVE_INFINITY);
  for (let i = 0; i < keys; i++) builder.add(setKey(i * 3), hashHigh[0]!);
  const bytes = builder.finish()!;
  expect(bytes.length).toBe(builder.bytes);
  return Filter.decode(bytes, 0, bytes.length, 'a.sst', 0);
}

function falsePositives(filter: Filter, lookups: number): number {
  let found = 0;
  for (let i = 0; i < lookups; i++) if (filter.mayContain(setKey(i * 3 + 1), hashHigh[0]!)) found++;
  return found / lookups;
}

test.each([1, 2, 50, 5000])('contains each of %i keys', (keys) => {
  for (const bits of [1, 4, 10, 30]) {
    const filter = build(keys, bits);
    for (let i = 0; i < keys; i++) expect(filter.mayContain(setKey(i * 3), hashHigh[0]!)).toBe(true);
  }
});

describe('false positives at 10 bits per key', () => {
  test.each([500, 20_000, 300_000])('stay under 1 %% with %i keys', (keys) => {
    expect(falsePositives(build(keys, 10), 200_000)).toBeLessThan(0.01);
  });
});

test('more bits per key give fewer false positives', () => {
  const rates = [2, 4, 6, 8, 10, 12, 16, 20].map((bits) => falsePositives(build(20_000, bits), 100_000));
  for (let i = 1; i < rates.length; i++) expect(rates[i]!).toBeLessThan(rates[i - 1]!);
  expect(rates.at(-1)!).toBeLessThan(0.0006);
});

describe('with two blooms, from 16 bits per key on,', () => {
  test('false positives stay well under those of one', () => {
    // One bloom lets 0.071 % through at 16 bits, 0.017 % at 20 and 0.0044 % at 24.
    expect(falsePositives(build(20_000, 16), 500_000)).toBeLessThan(0.0006);
    expect(falsePositives(build(20_000, 20), 500_000)).toBeLessThan(0.0001);
    expect(falsePositives(build(20_000, 24), 500_000)).toBeLessThan(0.00003);
  });

  test('the filter is as large as with one', () => {
    const one = build(20_000, 15.99).memoryBytes;
    expect(build(20_000, 16).memoryBytes / one).toBeCloseTo(16 / 15.99, 2);
  });
});

test('a prefix has another hash than a key of the same bytes', () => {
  const low = setKey(7);
  const high = hashHigh[0]!;
  expect(hashPrefix(key, 0, 16)).not.toBe(low);
  expect(hashHigh[0]).not.toBe(high);
  expect(hashPrefix(key, 0, 16)).toBeGreaterThanOrEqual(0);
});

test('takes the hash halves signed or unsigned', () => {
  const filter = build(1000, 10);
  for (let i = 0; i < 1000; i++) {
    const low = setKey(i * 3);
    expect(filter.mayContain(low | 0, hashHigh[0]! | 0)).toBe(true);
  }
});

test.each([
  ['one block', 10, undefined, 'b99224d5', '0'],
  ['two blooms', 20, undefined, '35244593', '0'],
  ['parts', 10, 0, 'db8531b2', '6bd2dcb2'],
  ['two blooms in parts', 20, 0, 'b97e508', 'f40681bd'],
] as const)(
  'the bytes of a filter of %s have not changed: tables carry them',
  (_, bits, whole, block, parts) => {
    const builder = new FilterBuilder(bits, whole);
    for (let i = 0; i < 500; i++) {
      builder.add(setKey(i), hashHigh[0]!);
      builder.add(hashPrefix(key, 0, 14), hashHigh[0]!);
    }
    const hex = (bytes: Uint8Array): string => crc32c(bytes).toString(16);
    expect([hex(builder.finish()!), hex(builder.parts)]).toEqual([block, parts]);
  },
);

test('there is no filter without keys or without bits', () => {
  expect(new FilterBuilder(10).finish()).toBeUndefined();
  const builder = new FilterBuilder(0);
  builder.add(1, 2);
  expect(builder.finish()).toBeUndefined();
});

describe('decoding refuses', () => {
  const bytes = (): Uint8Array => {
    const builder = new FilterBuilder(10);
    for (let i = 0; i < 200; i++) builder.add(setKey(i), hashHigh[0]!);
    return builder.finish()!;
  };
  const corrupt = expect.objectContaining({
    kind: 'corruption',
    context: expect.objectContaining({ offset: 9 }),
  });

  test('every truncation', () => {
    const whole = bytes();
    for (let length = 0; length < whole.length; length++) {
      expect(() => Filter.decode(whole, 0, length, 'a.sst', 9)).toThrow(corrupt);
    }
  });

  test('impossible probes and lines', () => {
    for (const [at, value] of [
      [1, 0],
      [1, 25],
      [2, 1],
    ] as const) {
      const damaged = bytes();
      damaged[at] = value;
      expect(() => Filter.decode(damaged, 0, damaged.length, 'a.sst', 9)).toThrow(corrupt);
    }
    for (const lines of [0, 3, 0xffffffff]) {
      const damaged = bytes();
      putU32(damaged, 4, lines);
      expect(() => Filter.decode(damaged, 0, damaged.length, 'a.sst', 9)).toThrow(corrupt);
    }
  });

  test('every truncation and every impossible header of a filter of two blooms', () => {
    const builder = new FilterBuilder(20);
    for (let i = 0; i < 200; i++) builder.add(setKey(i), hashHigh[0]!);
    const whole = builder.finish()!;
    expect(builder.parts.length).toBe(0);
    for (let length = 0; length < whole.length; length++) {
      expect(() => Filter.decode(whole, 0, length, 'a.sst', 9)).toThrow(corrupt);
    }
    for (let at = 1; at < 20; at++) {
      for (const value of [0, 1, 3, 25, 255]) {
        const damaged = whole.slice();
        if (damaged[at] === value) continue;
        damaged[at] = value;
        if ((at === 4 || at === 12) && value <= 24 && value > 0) continue;
        expect(() => Filter.decode(damaged, 0, damaged.length, 'a.sst', 9)).toThrow(corrupt);
      }
    }
  });

  test('every truncation and every impossible header of a filter in parts', () => {
    const builder = new FilterBuilder(20, 0);
    for (let i = 0; i < 200; i++) builder.add(setKey(i), hashHigh[0]!);
    const whole = builder.finish()!;
    expect(whole.length).toBe(20);
    expect(builder.bytes).toBe(whole.length + builder.parts.length);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeLayout(whole, 0, length, 'a.sst', 9)).toThrow(corrupt);
    }
    for (const [at, value] of [
      [1, 0],
      [1, 1],
      [1, 3],
      [2, 0],
      [2, 15],
      [3, 1],
      [4, 0],
      [4, 25],
      [5, 1],
      [6, 1],
      [11, 0x80],
      [12, 0],
    ] as const) {
      const damaged = whole.slice();
      damaged[at] = value;
      expect(() => decodeLayout(damaged, 0, damaged.length, 'a.sst', 9)).toThrow(corrupt);
    }
  });

  test('a filter kind of a later release, by name', () => {
    const later = bytes();
    later[0] = 3;
    expect(() => Filter.decode(later, 0, later.length, 'a.sst', 9)).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'UNSUPPORTED_FILTER' }),
    );
  });
});
