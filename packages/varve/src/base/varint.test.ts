import { describe, expect, test } from 'vitest';
import { Random } from './random.ts';
import { ByteReader, putVarint, varintLength } from './varint.ts';

const edges: number[] = [0, 1];
for (let power = 7; power <= 53; power++) edges.push(2 ** power - 1, 2 ** power, 2 ** power + 1);
const values = edges.filter(Number.isSafeInteger);

describe('varint', () => {
  test('every safe integer comes back and takes the length that was said', () => {
    const random = new Random(3);
    const drawn = Array.from({ length: 2000 }, () => Math.floor(random.fraction() * 2 ** random.below(54)));
    for (const value of [...values, ...drawn]) {
      const bytes = new Uint8Array(12).fill(0xee);
      const end = putVarint(bytes, 2, value);
      expect(end - 2).toBe(varintLength(value));
      expect([bytes[1], bytes[end]]).toEqual([0xee, 0xee]);
      const reader = new ByteReader(bytes, 2, end);
      expect(reader.varint()).toBe(value);
      expect([reader.at, reader.failed]).toEqual([end, false]);
    }
  });

  test('has the bytes of LEB128', () => {
    const bytes = new Uint8Array(8);
    const encoded = (value: number): number[] => [...bytes.subarray(0, putVarint(bytes, 0, value))];
    expect(encoded(0)).toEqual([0]);
    expect(encoded(127)).toEqual([127]);
    expect(encoded(128)).toEqual([0x80, 1]);
    expect(encoded(300)).toEqual([0xac, 2]);
    expect(encoded(Number.MAX_SAFE_INTEGER)).toEqual([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
  });

  test('a cut number fails, reads as 0 and stays failed', () => {
    for (const value of values) {
      const bytes = new Uint8Array(12);
      const end = putVarint(bytes, 0, value);
      const reader = new ByteReader(bytes, 0, end - 1);
      expect([reader.varint(), reader.failed, reader.at]).toEqual([0, true, end - 1]);
      expect([reader.byte(), reader.varint(), reader.failed]).toEqual([0, 0, true]);
    }
  });

  test('a number above the safe integers or without an end fails', () => {
    for (const bytes of [
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
      new Array<number>(20).fill(0xff),
    ]) {
      const reader = new ByteReader(Uint8Array.from(bytes));
      expect([reader.varint(), reader.failed]).toEqual([0, true]);
    }
  });

  test('random bytes never read past the end', () => {
    const random = new Random(4);
    for (let i = 0; i < 2000; i++) {
      const bytes = new Uint8Array(24).map(() => random.u32());
      const reader = new ByteReader(bytes, random.below(8), 8 + random.below(9));
      while (!reader.failed && reader.at < reader.end) {
        const value = reader.varint();
        expect(Number.isSafeInteger(value) && value >= 0).toBe(true);
      }
      expect(reader.at).toBe(reader.end);
    }
  });
});

describe('ByteReader', () => {
  test('reads bytes and skips inside its range', () => {
    const reader = new ByteReader(Uint8Array.from([1, 2, 3, 4, 5]), 1, 4);
    expect(reader.byte()).toBe(2);
    expect(reader.skip(2)).toBe(2);
    expect(reader.skip(0)).toBe(4);
    expect([reader.at, reader.failed]).toEqual([4, false]);
    expect([reader.byte(), reader.failed]).toEqual([0, true]);
  });

  test('a skip that is too long fails and says -1', () => {
    const reader = new ByteReader(new Uint8Array(4));
    expect([reader.skip(5), reader.failed]).toEqual([-1, true]);
    expect([reader.skip(1), reader.failed]).toEqual([-1, true]);
  });

  test('reset makes it new', () => {
    const reader = new ByteReader(new Uint8Array(0));
    reader.byte();
    reader.reset(Uint8Array.from([7]), 0, 1);
    expect([reader.failed, reader.byte()]).toEqual([false, 7]);
  });
});
