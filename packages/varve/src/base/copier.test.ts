import { expect, test } from 'vitest';
import { Copier } from './copier.ts';
import { Random } from './random.ts';

test('copies every length between any offsets, whatever arrays came before, and nothing beside it', () => {
  const random = new Random(9);
  const copier = new Copier();
  const arrays = [700, 700, 900].map((length) => {
    const memory = new Uint8Array(length + 13);
    for (let i = 0; i < memory.length; i++) memory[i] = random.below(256);
    return memory.subarray(5, 5 + length);
  });
  for (let round = 0; round < 2000; round++) {
    const from = random.pick(arrays);
    const to = new Uint8Array(700).fill(0xee);
    const start = random.below(40);
    const length = random.pick([0, 1, 3, 4, 5, 31, 100, 319, 320, 321, 600]);
    const at = random.below(90);
    for (let again = random.below(3); again >= 0; again--) copier.copy(from, start, start + length, to, at);
    const expected = new Uint8Array(700).fill(0xee);
    expected.set(from.subarray(start, start + length), at);
    expect(to).toEqual(expected);
  }
});
