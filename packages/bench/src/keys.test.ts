import { describe, expect, test } from 'vitest';
import { digitsFor, entriesMax, KeyBuffer, scatterStep } from './keys.ts';
import { Random } from './random.ts';
import { ValuePool } from './values.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('keys', () => {
  test('are zero-padded decimal numbers of the key size', () => {
    const key = new KeyBuffer(16);
    key.set(1234567);
    expect(text(key.bytes)).toBe('0000000001234567');
    key.set(8);
    expect(text(key.bytes)).toBe('0000000000000008');
    key.set(entriesMax);
    expect(text(key.bytes)).toBe(`000000${entriesMax}`);
  });

  test('of the missing kind are a byte shorter', () => {
    const key = new KeyBuffer(16);
    key.set(1234567);
    expect(text(key.missing)).toBe('000000000123456');
  });

  test('need as many bytes as the largest of them has digits', () => {
    expect([1, 10, 11, 1_000_000, 1_000_001].map(digitsFor)).toEqual([1, 1, 2, 6, 7]);
  });

  test.each([1, 2, 3, 10, 1_000, 4_096])('scattered over %i numbers visit each once', (count) => {
    const step = scatterStep(count);
    const seen = new Set<number>();
    for (let i = 0, index = 0; i < count; i++, index = (index + step) % count) seen.add(index);
    expect(seen.size).toBe(count);
  });
});

describe('values', () => {
  test('have the size asked for, printable bytes, and a second half that repeats the first', () => {
    const pool = new ValuePool(100, new Random(1));
    const value = text(pool.next());
    expect(value).toMatch(/^[ -~]{100}$/);
    expect(value.slice(50)).toBe(value.slice(0, 50));
    expect(text(pool.next())).not.toBe(value);
  });

  test('are the same for the same seed, and start again after a megabyte', () => {
    const pool = new ValuePool(100_000, new Random(1));
    const first = text(pool.next());
    for (let i = 1; i < 10; i++) expect(text(pool.next())).not.toBe(first);
    expect(text(pool.next())).toBe(first);
    expect(text(new ValuePool(100_000, new Random(1)).next())).toBe(first);
  });

  test.each([0, 1, 3_000_000])('of %i bytes work', (size) => {
    const pool = new ValuePool(size, new Random(1));
    expect(pool.next().length).toBe(size);
    expect(pool.next().length).toBe(size);
  });
});
