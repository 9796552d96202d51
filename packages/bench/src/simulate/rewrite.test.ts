import { KeyRanges } from 'varve/internals';
import { describe, expect, test } from 'vitest';
import { type Contents, encodeKey, mergeAll, sortWrites } from './contents.ts';
import { type Fragment, fragmentsOf } from './fragments.ts';
import { rewrite, type RewriteTask } from './rewrite.ts';

const put = (sequence: number): number => sequence * 2;
const remove = (sequence: number): number => sequence * 2 + 1;

function table(
  entries: readonly (readonly [number, number])[],
  fragments: readonly Fragment[] = [],
): Contents {
  return {
    keys: Uint32Array.from(entries, ([key]) => key),
    stamps: Uint32Array.from(entries, ([, stamp]) => stamp),
    fragments,
  };
}

function entriesOf(tables: readonly Contents[]): number[][][] {
  return tables.map(({ keys, stamps }) => [...keys].map((key, i) => [key, stamps[i]!]));
}

const defaults: Omit<RewriteTask, 'runs'> = {
  expiredThrough: 0,
  below: KeyRanges.none,
  grandparents: [],
  tableBytesMax: 1000,
  sizes: { put: 10, delete: 4, rangeDelete: 12 },
};

const belowKeys = (from: number, to: number): KeyRanges =>
  new KeyRanges([{ smallestKey: encodeKey(from), largestKey: encodeKey(to), largestExclusive: false }]);

describe('points', () => {
  test('of the writes of a memtable the last one of each key stays', () => {
    const keys = Uint32Array.of(5, 1, 5, 3);
    const stamps = Uint32Array.of(put(1), put(2), remove(3), put(4));
    expect(sortWrites(keys, stamps, 4)).toEqual({
      keys: Uint32Array.of(1, 3, 5),
      stamps: Uint32Array.of(put(2), put(4), remove(3)),
    });
  });

  test('runs merge to the newest version of each key, in any order', () => {
    const runs = [
      table([
        [1, put(1)],
        [2, put(9)],
      ]),
      table([[2, put(2)]]),
      table([
        [1, put(5)],
        [3, put(3)],
      ]),
    ];
    const merged = { keys: Uint32Array.of(1, 2, 3), stamps: Uint32Array.of(put(5), put(9), put(3)) };
    expect(mergeAll(runs)).toEqual(merged);
    expect(mergeAll(runs.toReversed())).toEqual(merged);
    expect(mergeAll([])).toEqual({ keys: new Uint32Array(0), stamps: new Uint32Array(0) });
  });
});

test('range tombstones become fragments with the newest that covers each', () => {
  const fragments = fragmentsOf([
    { start: 0, end: 10, sequence: 1 },
    { start: 4, end: 6, sequence: 3 },
    { start: 5, end: 12, sequence: 2 },
    { start: 20, end: 21, sequence: 1 },
  ]);
  expect(fragments).toEqual([
    { start: 0, end: 4, sequence: 1 },
    { start: 4, end: 6, sequence: 3 },
    { start: 6, end: 12, sequence: 2 },
    { start: 20, end: 21, sequence: 1 },
  ]);
});

describe('a rewrite', () => {
  test('drops a delete where nothing is below, and keeps it elsewhere', () => {
    const runs = [
      [
        table([
          [1, remove(4)],
          [7, remove(5)],
        ]),
      ],
      [table([[1, put(1)]])],
    ];
    expect(entriesOf(rewrite({ ...defaults, runs }))).toEqual([]);
    expect(entriesOf(rewrite({ ...defaults, runs, below: belowKeys(5, 9) }))).toEqual([[[7, remove(5)]]]);
  });

  test('drops what a newer range tombstone covers, and the tombstone where nothing is below', () => {
    const runs = [
      [table([[2, put(9)]], [{ start: 1, end: 4, sequence: 8 }])],
      [
        table([
          [1, put(1)],
          [2, put(2)],
          [4, put(3)],
        ]),
      ],
    ];
    expect(entriesOf(rewrite({ ...defaults, runs }))).toEqual([
      [
        [2, put(9)],
        [4, put(3)],
      ],
    ]);
    const [kept] = rewrite({ ...defaults, runs, below: belowKeys(3, 3) });
    expect(kept!.fragments).toEqual([{ start: 1, end: 4, sequence: 8 }]);
  });

  test('keeps range tombstones that have no point beside them', () => {
    const runs = [[table([], [{ start: 1, end: 4, sequence: 8 }])]];
    const [kept, ...more] = rewrite({ ...defaults, runs, below: KeyRanges.all });
    expect(kept).toEqual({ ...table([]), fragments: [{ start: 1, end: 4, sequence: 8 }] });
    expect(more).toEqual([]);
  });

  test('makes deletes of what has expired, which go where nothing is below', () => {
    const runs = [
      [
        table([
          [1, put(3)],
          [2, put(4)],
        ]),
      ],
    ];
    expect(entriesOf(rewrite({ ...defaults, runs, expiredThrough: 3 }))).toEqual([[[2, put(4)]]]);
    expect(entriesOf(rewrite({ ...defaults, runs, expiredThrough: 3, below: KeyRanges.all }))).toEqual([
      [
        [1, remove(3)],
        [2, put(4)],
      ],
    ]);
  });

  test('cuts tables at their size, range tombstones at the same keys', () => {
    const runs = [
      [
        table(
          [
            [1, put(1)],
            [2, put(2)],
            [3, put(3)],
          ],
          [{ start: 0, end: 9, sequence: 1 }],
        ),
      ],
    ];
    const tables = rewrite({ ...defaults, runs, tableBytesMax: 20, below: KeyRanges.all });
    expect(entriesOf(tables)).toEqual([
      [
        [1, put(1)],
        [2, put(2)],
      ],
      [[3, put(3)]],
    ]);
    expect(tables.map(({ fragments }) => fragments)).toEqual([
      [{ start: 0, end: 3, sequence: 1 }],
      [{ start: 3, end: 9, sequence: 1 }],
    ]);
  });

  test('cuts before it overlaps more than ten tables of the level after the next', () => {
    const grandparents = [10, 20, 30].map((key) => ({
      smallestKey: encodeKey(key),
      largestKey: encodeKey(key + 5),
      largestExclusive: false,
      bytes: 6000,
    }));
    const runs = [
      [
        table([
          [1, put(1)],
          [17, put(2)],
          [27, put(3)],
          [40, put(4)],
        ]),
      ],
    ];
    expect(entriesOf(rewrite({ ...defaults, runs, grandparents }))).toEqual([
      [
        [1, put(1)],
        [17, put(2)],
      ],
      [
        [27, put(3)],
        [40, put(4)],
      ],
    ]);
  });
});
