import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { ready } from '../sstable/checksum.ts';
import { DIRECTORY, finish, smallTables, TestTree } from './jobs.suite.ts';
import { type LiveEstimate, liveSampleJob } from './live-sample-job.ts';

const keyOf = (i: number): string => `k${String(i).padStart(6, '0')}`;

beforeAll(() => ready());

interface Shape {
  readonly entries: number;
  /** Bytes of the value of an entry. */
  size(i: number): number;
  /** Is it replaced, and by what? */
  fate(i: number): 'live' | 'put' | 'delete';
  /** Ranges that are deleted as a whole. */
  readonly ranges?: readonly (readonly [number, number])[];
  /** Deletes in the table itself. */
  isDelete?(i: number): boolean;
}

/** The estimate for a table of this shape, and the truth. */
function look(shape: Shape, seed: number, blockBytes = 512): { estimate: LiveEstimate; live: number } {
  const tree = new TestTree();
  tree.table = { ...smallTables, blockBytes, tableBytesMax: 1e9 };
  let all = 0;
  let live = 0;
  const isGone = (i: number): boolean =>
    shape.ranges?.some(([from, to]) => i >= from && i < to) === true || shape.fate(i) !== 'live';
  for (let i = 0; i < shape.entries; i++) {
    const isDelete = shape.isDelete?.(i) === true;
    const bytes = keyOf(i).length + (isDelete ? 0 : shape.size(i));
    if (isDelete) tree.delete(keyOf(i));
    else tree.put(keyOf(i), 'x'.repeat(shape.size(i)));
    all += bytes;
    if (!isDelete && !isGone(i)) live += bytes;
  }
  // Deletes are kept: something may be below.
  tree.levels[3] = [{ ...tree.levels.flat()[0]! }];
  tree.flush();
  tree.levels[3] = [];
  for (let i = 0; i < shape.entries; i++) {
    if (shape.fate(i) === 'put') tree.put(keyOf(i), 'y');
    else if (shape.fate(i) === 'delete') tree.delete(keyOf(i));
  }
  for (const [from, to] of shape.ranges ?? []) tree.deleteRange(keyOf(from), keyOf(to));
  if (tree.memtables.length > 0) tree.flush();
  const file = tree.levels[0]!.at(-1)!;
  const newer = tree.levels[0]!.slice(0, -1);
  const estimate = finish(liveSampleJob({ directory: DIRECTORY, file, newer, seed }, tree.env));
  return { estimate, live: live / all };
}

/** Shapes that a seed decides. */
const shapes: Readonly<Record<string, (random: Random) => Shape>> = {
  'entries that are replaced here and there': (random) => {
    const share = random.fraction();
    const gone = Array.from({ length: 2000 }, () => random.fraction() < share);
    return { entries: 2000, size: () => 20, fate: (i) => (gone[i]! ? 'put' : 'live') };
  },
  'a part that is deleted': (random) => {
    const from = random.below(2000);
    const to = from + random.below(2000 - from);
    return { entries: 2000, size: () => 20, fate: (i) => (i >= from && i < to ? 'delete' : 'live') };
  },
  'a few per cent at the end': (random) => {
    const from = 2000 - random.below(250);
    return { entries: 2000, size: () => 20, fate: (i) => (i >= from ? 'put' : 'live') };
  },
  'large values that are replaced beside small ones that are not': (random) => {
    const split = 400 + random.below(1200);
    const fate = (i: number): 'put' | 'live' => (i < split ? 'put' : 'live');
    return { entries: 2000, size: (i) => (i < split ? 200 : 5), fate };
  },
  'small and large values in turn': (random) => {
    const every = 2 + random.below(20);
    const isLarge = (i: number): boolean => i % every === 0;
    return {
      entries: 2000,
      size: (i) => (isLarge(i) ? 400 : 10),
      fate: (i) => (isLarge(i) ? 'put' : 'live'),
    };
  },
  'values larger than a block': (random) => {
    const sizes = Array.from({ length: 1000 }, () => (random.oneIn(4) ? 3000 : 20));
    const gone = Array.from({ length: 1000 }, () => random.oneIn(3));
    return { entries: 1000, size: (i) => sizes[i]!, fate: (i) => (gone[i]! ? 'put' : 'live') };
  },
  'ranges that are deleted': (random) => {
    const from = random.below(2000);
    const ranges = [[from, from + random.below(2000 - from + 1)]] as const;
    return { entries: 2000, size: () => 20, fate: () => 'live', ranges };
  },
  'deletes of its own': (random) => {
    const own = Array.from({ length: 2000 }, () => random.oneIn(3));
    return { entries: 2000, size: () => 20, fate: () => 'live', isDelete: (i) => own[i]! };
  },
};

describe('the estimate of live data', () => {
  test.each(Object.keys(shapes))('is right within the stated error 19 times of 20: %s', (name) => {
    const rounds = 40;
    let wrong = 0;
    let errors = 0;
    for (let seed = 1; seed <= rounds; seed++) {
      const random = new Random(seed * 7919);
      const { estimate, live } = look(shapes[name]!(random), seed, [256, 512, 2048][seed % 3]!);
      if (Math.abs(estimate.live - live) > estimate.error) wrong++;
      errors += estimate.error;
    }
    expect(wrong).toBeLessThanOrEqual(rounds / 20);
    // It has to be worth something.
    expect(errors / rounds).toBeLessThan(0.25);
  });

  test('is exact for a table with few entries', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const gone = Array.from({ length: 700 }, () => random.oneIn(2));
      const sizes = gone.map(() => random.below(300));
      const shape: Shape = { entries: 700, size: (i) => sizes[i]!, fate: (i) => (gone[i]! ? 'put' : 'live') };
      const { estimate, live } = look(shape, seed);
      expect(estimate.error).toBe(0);
      expect(estimate.live).toBeCloseTo(live, 12);
    }
  });

  test('of a table of which nothing is live is zero, of one without anything newer one', () => {
    const all = look({ entries: 5000, size: () => 20, fate: () => 'put' }, 1).estimate;
    const none = look({ entries: 5000, size: () => 20, fate: () => 'live' }, 1).estimate;
    expect([all.live, none.live]).toEqual([0, 1]);
    expect(all.error).toBeLessThan(0.1);
  });

  test('counts versions as dead that the table itself replaces', () => {
    const tree = new TestTree();
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 100; i++) tree.put(keyOf(i), 'x'.repeat(20));
      tree.registered.push(tree.sequence);
    }
    tree.table = { ...smallTables, tableBytesMax: 1e9 };
    tree.flush();
    const file = tree.levels[0]![0]!;
    expect(file.entries).toBe(400);
    const input = { directory: DIRECTORY, file, newer: [], seed: 1 };
    expect(finish(liveSampleJob(input, tree.env))).toEqual({ live: 0.25, error: 0 });
  });

  test('is the same for the same seed', () => {
    const shape = shapes['a part that is deleted']!(new Random(5));
    expect(look(shape, 3)).toEqual(look(shape, 3));
  });
});
