/** What is given to whom: budgets are 256, limits as open has them by default, in MiB. */
import { expect, test } from 'vitest';
import { Random } from '../../base/random.ts';
import { initialSplit, type MemoryMove, type MemorySplit, type Observed, planMemory } from './memory-plan.ts';

const MIB = 1024 * 1024;
const limits = {
  memtables: { min: 32 * MIB, max: 128 * MIB },
  cache: { min: 32 * MIB, max: 224 * MIB },
};
const initial = initialSplit(256 * MIB, 64 * MIB, 160 * MIB);
const quiet: Observed = { rewrittenBytes: 0, returnedBytes: 0, waits: 0, indexBytes: 0 };

/** [memtables, cache, indexes] in MiB, and why; 'stays' when nothing moves. */
function plan(split: readonly [number, number, number], seen: Partial<Observed>, within = limits): unknown {
  const [memtables, cache, indexes] = split.map((mib) => mib * MIB) as [number, number, number];
  const move = planMemory({ memtables, cache, indexes }, { ...quiet, ...seen }, within, initial);
  return move === undefined ? 'stays' : [...shares(move.split), move.reason];
}

const shares = ({ memtables, cache, indexes }: MemorySplit): number[] =>
  [memtables, cache, indexes].map((bytes) => bytes / MIB);

test('nothing moves while nothing is wasted, or too little to pay for the move', () => {
  expect(plan([64, 160, 32], {})).toBe('stays');
  expect(plan([64, 160, 32], { returnedBytes: 17 * MIB, rewrittenBytes: 3 * MIB })).toBe('stays');
});

test('blocks that come back get a step for the cache: first what indexes have spare, then of the memtables', () => {
  const seen = { returnedBytes: 500 * MIB };
  expect(plan([64, 160, 32], seen)).toEqual([64, 176, 16, 'reads']);
  expect(plan([64, 176, 16], seen)).toEqual([64, 184, 8, 'reads']);
  expect(plan([64, 184, 8], seen)).toEqual([48, 200, 8, 'reads']);
  expect(plan([48, 200, 8], seen)).toEqual([32, 216, 8, 'reads']);
  expect(plan([32, 216, 8], seen)).toBe('stays');
});

test('rewriting gets a step for the memtables, up to their most', () => {
  const seen = { rewrittenBytes: 500 * MIB };
  expect(plan([64, 160, 32], seen)).toEqual([80, 160, 16, 'rewrites']);
  expect(plan([80, 168, 8], seen)).toEqual([96, 152, 8, 'rewrites']);
  expect(plan([120, 128, 8], seen)).toEqual([128, 120, 8, 'rewrites']);
  expect(plan([128, 120, 8], seen)).toBe('stays');
});

test('when both waste, memory moves to the one whose byte saves clearly more', () => {
  // 400 / (0.9 x 184) = 2.4 for a byte of cache.
  expect(plan([64, 184, 8], { returnedBytes: 400 * MIB, rewrittenBytes: 40 * MIB })).toEqual([
    48,
    200,
    8,
    'reads',
  ]);
  expect(plan([64, 184, 8], { returnedBytes: 400 * MIB, rewrittenBytes: 70 * MIB })).toBe('stays');
  expect(plan([64, 184, 8], { returnedBytes: 400 * MIB, rewrittenBytes: 90 * MIB })).toBe('stays');
  expect(plan([64, 184, 8], { returnedBytes: 400 * MIB, rewrittenBytes: 120 * MIB })).toEqual([
    80,
    168,
    8,
    'rewrites',
  ]);
});

test('what open tables hold is served first, from the share whose byte saves less', () => {
  expect(plan([64, 160, 32], { indexBytes: 40 * MIB })).toEqual([64, 144, 48, 'indexes']);
  expect(plan([64, 160, 32], { indexBytes: 40 * MIB, returnedBytes: 500 * MIB })).toEqual([
    48,
    160,
    48,
    'indexes',
  ]);
  expect(plan([32, 40, 184], { indexBytes: 300 * MIB })).toEqual([32, 32, 192, 'indexes']);
  expect(plan([32, 32, 192], { indexBytes: 300 * MIB })).toBe('stays');
});

test('room that indexes need is not spare', () => {
  expect(plan([64, 160, 32], { returnedBytes: 500 * MIB, indexBytes: 20 * MIB })).toEqual([
    64,
    168,
    24,
    'reads',
  ]);
});

test('writes that wait get back what memtables had given away, unless reads need it', () => {
  expect(plan([32, 216, 8], { waits: 3 })).toEqual([48, 200, 8, 'waits']);
  expect(plan([56, 192, 8], { waits: 3 })).toEqual([64, 184, 8, 'waits']);
  expect(plan([64, 184, 8], { waits: 3 })).toBe('stays');
  expect(plan([32, 216, 8], { waits: 3, returnedBytes: 500 * MIB })).toBe('stays');
});

test('a share that was given does not move', () => {
  const memtables = { min: 64 * MIB, max: 64 * MIB };
  expect(plan([64, 184, 8], { returnedBytes: 500 * MIB }, { ...limits, memtables })).toBe('stays');
  expect(plan([64, 160, 32], { returnedBytes: 500 * MIB }, { ...limits, memtables })).toEqual([
    64,
    176,
    16,
    'reads',
  ]);
  const cache = { min: 0, max: 0 };
  expect(plan([64, 0, 192], { rewrittenBytes: 500 * MIB }, { ...limits, cache })).toEqual([
    80,
    0,
    176,
    'rewrites',
  ]);
});

test('whatever is seen, the shares keep their limits and their sum, and repeated sights come to rest', () => {
  const random = new Random(7);
  for (let round = 0; round < 300; round++) {
    let split = initial;
    const seen = {
      rewrittenBytes: random.below(1000) * MIB,
      returnedBytes: random.below(2000) * MIB,
      waits: random.below(2),
      indexBytes: random.below(300) * MIB,
    };
    let move: MemoryMove | undefined;
    let moves = 0;
    for (; moves < 100; moves++) {
      move = planMemory(split, seen, limits, initial);
      if (move === undefined) break;
      split = move.split;
      expect(split.memtables + split.cache + split.indexes).toBe(256 * MIB);
      for (const share of ['memtables', 'cache'] as const) {
        expect(split[share]).toBeGreaterThanOrEqual(limits[share].min);
        expect(split[share]).toBeLessThanOrEqual(limits[share].max);
      }
      expect(split.indexes).toBeGreaterThanOrEqual(0);
    }
    expect(moves).toBeLessThan(40);
  }
});
