import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { joinLists } from '../base/operands.ts';
import { joinNeighbours } from './join-neighbours.ts';

const append = (older: Uint8Array, newer: Uint8Array): Uint8Array => joinLists([older, newer]);
const text = (row: readonly Uint8Array[]): string[] => row.map((each) => String.fromCharCode(...each));
const letters = (word: string): Uint8Array[] => Array.from(word, (each) => Uint8Array.of(each.charCodeAt(0)));

describe('operands', () => {
  test('become one in their order', () => {
    for (const word of ['', 'a', 'ab', 'abc', 'abcdefghijk']) {
      expect(text(joinNeighbours(letters(word), append))).toEqual(word === '' ? [] : [word]);
    }
  });

  test('that grow are copied once for each halving of their number', () => {
    const count = 10_000;
    let copied = 0;
    let asked = 0;
    const row = joinNeighbours(
      Array.from({ length: count }, () => new Uint8Array(20)),
      (older, newer) => {
        asked++;
        copied += older.length + newer.length;
        return append(older, newer);
      },
    );
    expect(row.map(({ length }) => length)).toEqual([20 * count]);
    expect(asked).toBe(count - 1);
    expect(copied).toBeLessThan(20 * count * Math.ceil(Math.log2(count) + 1));
  });

  test('stay the same row when none joins, each pair asked once', () => {
    const row = letters('abcde');
    let asked = 0;
    const left = joinNeighbours(row, () => {
      asked++;
      return undefined;
    });
    expect(left).toBe(row);
    expect(asked).toBe(4);
  });

  test('join wherever two can, and pairs that can not are not asked for ever', () => {
    const random = new Random(7);
    for (let round = 0; round < 500; round++) {
      const word = Array.from({ length: random.below(40) }, () => random.pick(['a', 'b', 'c'])).join('');
      let asked = 0;
      const left = joinNeighbours(letters(word), (older, newer) => {
        asked++;
        return older.at(-1) === newer[0] ? append(older, newer) : undefined;
      });
      expect(text(left)).toEqual(word.match(/a+|b+|c+/g) ?? []);
      expect(asked).toBeLessThanOrEqual(3 * word.length);
    }
  });
});
