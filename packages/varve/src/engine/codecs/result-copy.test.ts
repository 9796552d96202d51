import { expect, test } from 'vitest';
import { Random } from '../../base/random.ts';
import { resultCopy } from './result-copy.ts';

test('every copy keeps its bytes whatever is copied after it, and writing to one changes no other', () => {
  const random = new Random(3);
  const source = new Uint8Array(5000);
  const copies: { copy: Uint8Array; expected: Uint8Array }[] = [];
  for (let i = 0; i < 500; i++) {
    for (let j = 0; j < source.length; j++) source[j] = random.below(256);
    const start = random.below(100);
    const length = random.pick([0, 1, 64, 65, 256, 257, 1024, 4096, 4097]);
    const copy = resultCopy(source, start, start + length);
    copies.push({ copy, expected: source.slice(start, start + length) });
    if (random.oneIn(2)) {
      copy.fill(7);
      copies.at(-1)!.expected.fill(7);
    }
  }
  for (const { copy, expected } of copies) expect(copy).toEqual(expected);
});

test('the memory that results share cannot be transferred away', () => {
  const copy = resultCopy(new Uint8Array(100).fill(1), 0, 100);
  const other = resultCopy(new Uint8Array(100).fill(2), 0, 100);
  try {
    structuredClone(copy, { transfer: [copy.buffer as ArrayBuffer] });
  } catch {
    // Refused by newer runtimes, copied by older ones; never detached.
  }
  expect([copy.length, other.length, other[0]]).toEqual([100, 100, 2]);
});
