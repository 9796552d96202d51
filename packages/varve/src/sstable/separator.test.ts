import { expect, test } from 'vitest';

import { compareBytes } from '../base/bytes.ts';
import { Random } from '../base/random.ts';
import { shortestSeparator } from './separator.ts';
import { bytesOf, randomBytes } from './table.suite.ts';

function separate(last: Uint8Array, next: Uint8Array): Uint8Array {
  const out = new Uint8Array(last.length);
  return out.slice(0, shortestSeparator(last, last.length, next, 0, next.length, out));
}

function text(last: string, next: string): string {
  return new TextDecoder().decode(separate(bytesOf(last), bytesOf(next)));
}

test('takes the shortest key that fits', () => {
  expect(text('abcdef', 'abzz')).toBe('abd');
  expect(text('user1999', 'user2000')).toBe('user2');
  expect(text('ab', 'abc')).toBe('ab');
  expect(text('a', 'b')).toBe('a');
  expect(text('axyz', 'b')).toBe('ay');
  expect(text('', 'b')).toBe('');
});

test('bytes of 255 are not raised', () => {
  const last = Uint8Array.of(1, 255, 255, 7, 9);
  expect([...separate(last, Uint8Array.of(2))]).toEqual([1, 255, 255, 8]);
  expect([...separate(Uint8Array.of(1, 255), Uint8Array.of(2))]).toEqual([1, 255]);
});

test('always lies at or above the last key, below the next, and is no longer than the last', () => {
  const random = new Random(11);
  for (let round = 0; round < 20_000; round++) {
    const alphabet = random.pick([2, 3, 256]);
    const a = randomBytes(random, random.below(6), alphabet);
    const b = randomBytes(random, random.below(6), alphabet);
    if (alphabet === 256)
      for (const bytes of [a, b]) bytes.forEach((byte, i) => (bytes[i] = byte % 3 === 0 ? 255 : byte % 3));
    const order = compareBytes(a, b);
    if (order === 0) continue;
    const [last, next] = order < 0 ? [a, b] : [b, a];
    const separator = separate(last, next);
    expect(separator.length).toBeLessThanOrEqual(last.length);
    expect(compareBytes(last, separator)).toBeLessThanOrEqual(0);
    expect(compareBytes(separator, next)).toBeLessThan(0);
  }
});
