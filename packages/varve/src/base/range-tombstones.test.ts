/** Range tombstones against a list that is searched by brute force. */
import { describe, expect, test } from 'vitest';
import { compareBytes } from './bytes.ts';
import { VarveError } from './errors.ts';
import { Random } from './random.ts';
import { FragmentedTombstones } from './range-tombstones.ts';
import type { RangeTombstone } from './range-tombstones.ts';

const text = new TextEncoder();
const where = { file: 'table', offset: 0 };

/** Short keys over a small alphabet, the empty key and prefixes of one another among them. */
function randomKey(random: Random): Uint8Array {
  const key = new Uint8Array(random.below(4));
  for (let i = 0; i < key.length; i++) key[i] = [0, 1, 0x7f, 0xff][random.below(4)]!;
  return key;
}

function randomTombstones(random: Random, count: number): RangeTombstone[] {
  const list: RangeTombstone[] = [];
  while (list.length < count) {
    list.push({ start: randomKey(random), end: randomKey(random), sequence: 1 + random.below(20) });
  }
  return list;
}

function covering(list: readonly RangeTombstone[], key: Uint8Array, snapshot: number): number {
  let highest = 0;
  for (const { start, end, sequence } of list) {
    const isInside = compareBytes(start, key) <= 0 && compareBytes(key, end) < 0;
    if (isInside && sequence <= snapshot && sequence > highest) highest = sequence;
  }
  return highest;
}

function of(...list: [string, string, number][]): FragmentedTombstones {
  return FragmentedTombstones.build(
    list.map(([start, end, sequence]) => ({ start: text.encode(start), end: text.encode(end), sequence })),
  );
}

function shown(set: FragmentedTombstones): string {
  const decoder = new TextDecoder();
  return [...set.fragments()]
    .map(
      ({ start, end, sequences }) =>
        `[${decoder.decode(start)},${decoder.decode(end)})@${sequences.join(',')}`,
    )
    .join(' ');
}

describe('a set of range tombstones', () => {
  test('cuts overlapping ranges into fragments, newest sequence first', () => {
    expect(shown(of(['a', 'f', 3], ['c', 'h', 7], ['x', 'z', 1], ['q', 'b', 9]))).toBe(
      '[a,c)@3 [c,f)@7,3 [f,h)@7 [x,z)@1',
    );
  });

  test('joins neighbours with the same sequences', () => {
    expect(shown(of(['a', 'c', 3], ['c', 'e', 3], ['b', 'd', 3]))).toBe('[a,e)@3');
    expect(
      shown(
        FragmentedTombstones.fromFragments([
          ...of(['a', 'c', 3]).fragments(),
          ...of(['c', 'e', 3]).fragments(),
        ]),
      ),
    ).toBe('[a,e)@3');
  });

  test('answers as the list does, at every snapshot, also through a cursor in any order of keys', () => {
    const random = new Random(1);
    for (let round = 0; round < 200; round++) {
      const list = randomTombstones(random, random.below(12));
      const set = FragmentedTombstones.build(list);
      const keys = Array.from({ length: 30 }, () => randomKey(random));
      const order = random.below(3);
      if (order > 0) keys.sort((a, b) => (order === 1 ? compareBytes(a, b) : compareBytes(b, a)));
      const cursor = set.cursor();
      for (const key of keys) {
        const snapshot = random.below(22);
        const expected = covering(list, key, snapshot);
        const padded = new Uint8Array(key.length + 4);
        padded.set(key, 2);
        expect(set.coveringSequence(padded, 2, 2 + key.length, snapshot)).toBe(expected);
        expect(cursor.coveringSequence(padded, 2, 2 + key.length, snapshot)).toBe(expected);
      }
    }
  });

  test('merges and clips as the list does', () => {
    const random = new Random(2);
    for (let round = 0; round < 200; round++) {
      const lists = Array.from({ length: random.below(5) }, () => randomTombstones(random, random.below(6)));
      const list = lists.flat();
      const merged = FragmentedTombstones.merge(lists.map((each) => FragmentedTombstones.build(each)));
      expect(merged.encode()).toEqual(FragmentedTombstones.build(list).encode());
      const lower = random.oneIn(3) ? undefined : randomKey(random);
      const upper = random.oneIn(3) ? undefined : randomKey(random);
      const clipped = merged.clip(lower, upper);
      for (let i = 0; i < 20; i++) {
        const key = randomKey(random);
        const isInside =
          (lower === undefined || compareBytes(lower, key) <= 0) &&
          (upper === undefined || compareBytes(key, upper) < 0);
        const expected = isInside ? covering(list, key, 15) : 0;
        expect(clipped.coveringSequence(key, 0, key.length, 15)).toBe(expected);
      }
    }
  });

  test('knows its bounds, its sequences and its size', () => {
    const set = of(['c', 'f', 3], ['a', 'd', 7]);
    const { start, end } = set.bounds!;
    expect([start, end]).toEqual([text.encode('a'), text.encode('f')]);
    expect([set.smallestSequence, set.largestSequence, set.count, set.isEmpty]).toEqual([3, 7, 4, false]);
    expect(FragmentedTombstones.none.bounds).toBeUndefined();
    expect(of(['b', 'b', 4], ['z', 'a', 5]).isEmpty).toBe(true);
  });

  test('stays fast when many disjoint tombstones are built at once', () => {
    const list: RangeTombstone[] = [];
    for (let i = 0; i < 5000; i++) {
      const start = new Uint8Array([(i * 7919) >> 8, i * 7919, 0]);
      list.push({ start, end: new Uint8Array([start[0]!, start[1]!, 1]), sequence: i + 1 });
    }
    const set = FragmentedTombstones.build(list);
    for (const { start, sequence } of list.slice(-100)) {
      expect(set.coveringSequence(start, 0, 3, 5000)).toBe(sequence);
    }
  });
});

describe('the byte form', () => {
  test('gives back the same set', () => {
    const random = new Random(3);
    for (let round = 0; round < 100; round++) {
      const scale = random.oneIn(2) ? 1 : 400_000_000_000_000;
      const list = randomTombstones(random, random.below(10)).map((t) => ({
        ...t,
        sequence: t.sequence * scale,
      }));
      const set = FragmentedTombstones.build(list);
      const bytes = set.encode();
      const padded = new Uint8Array(bytes.length + 6);
      padded.set(bytes, 3);
      const back = FragmentedTombstones.decode(padded, 3, 3 + bytes.length, where);
      expect([...back.fragments()]).toEqual([...set.fragments()]);
    }
  });

  test('refuses damaged bytes as corruption, or reads a set in its one form', () => {
    const random = new Random(4);
    const bytes = FragmentedTombstones.build(randomTombstones(random, 12)).encode();
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => FragmentedTombstones.decode(bytes, 0, cut, where)).toThrow(VarveError);
    }
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      try {
        const set = FragmentedTombstones.decode(flipped, 0, flipped.length, where);
        expect(
          FragmentedTombstones.build(
            [...set.fragments()].flatMap(({ start, end, sequences }) =>
              sequences.map((sequence) => ({ start, end, sequence })),
            ),
          ).encode(),
        ).toEqual(set.encode());
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPTION', context: where });
      }
    }
  });
});
