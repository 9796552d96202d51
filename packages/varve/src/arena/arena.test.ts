/** The pool and the arena: nothing overlaps, nothing leaks, what was reserved succeeds. */
import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { Arena } from './arena.ts';
import { SegmentPool } from './segment-pool.ts';

describe('a segment pool', () => {
  test('hands out the lowest run that is free and takes it back', () => {
    const pool = new SegmentPool(10 * 1024, 1024);
    expect(pool.buffer.byteLength).toBe(10 * 1024);
    const first = pool.allocate(2000);
    const second = pool.allocate(1024);
    const third = pool.allocate(1);
    expect([first, second, third, pool.bytesUsed]).toEqual([0, 2048, 3072, 4096]);
    pool.free(second, 1024);
    expect(pool.allocate(1025)).toBe(4096);
    expect(pool.allocate(500)).toBe(2048);
    pool.free(first, 2000);
    expect(pool.allocate(2048)).toBe(0);
  });

  test('says -1 when no run is long enough, though as much is free in pieces', () => {
    const pool = new SegmentPool(4 * 1024, 1024);
    const runs = [0, 1, 2, 3].map(() => pool.allocate(1024));
    expect(pool.allocate(1)).toBe(-1);
    pool.free(runs[1]!, 1024);
    pool.free(runs[3]!, 1024);
    expect(pool.allocate(2048)).toBe(-1);
    pool.free(runs[2]!, 1024);
    expect(pool.allocate(3 * 1024)).toBe(1024);
    expect(pool.bytesUsed).toBe(4 * 1024);
  });

  test('never gives one chunk to two, under random use', () => {
    const random = new Random(1);
    const pool = new SegmentPool(64 * 1024, 1024);
    const runs: { start: number; bytes: number; mark: number }[] = [];
    for (let i = 0; i < 2000; i++) {
      if (runs.length > 0 && random.oneIn(2)) {
        const [run] = runs.splice(random.below(runs.length), 1);
        const { start, bytes, mark } = run!;
        expect(pool.bytes.subarray(start, start + bytes).every((byte) => byte === mark)).toBe(true);
        pool.free(start, bytes);
        continue;
      }
      const bytes = 1 + random.below(6000);
      const start = pool.allocate(bytes);
      if (start < 0) continue;
      runs.push({ start, bytes, mark: i & 255 });
      pool.bytes.fill(i & 255, start, start + bytes);
    }
    for (const { start, bytes } of runs) pool.free(start, bytes);
    expect(pool.bytesUsed).toBe(0);
    expect(pool.allocate(64 * 1024)).toBe(0);
  });

  test('takes a run back only as a whole', () => {
    const pool = new SegmentPool(4 * 1024, 1024);
    const run = pool.allocate(2048);
    expect(() => pool.free(run, 1024)).toThrow(/as a whole/);
    expect(() => pool.free(run + 1024, 1024)).toThrow(/as a whole/);
    pool.free(run, 2048);
    expect(() => pool.free(run, 2048)).toThrow(/as a whole/);
  });

  test('attaches to the same memory and allocates from it as the first does', () => {
    const pool = new SegmentPool(4096, 1024);
    pool.words[5] = -42;
    const other = SegmentPool.attach(structuredClone(pool.handle()));
    expect([other.words[5], other.bytes.length, other.chunkBytes]).toEqual([-42, 4096, 1024]);
    expect([pool.allocate(1), other.allocate(1025), pool.allocate(2000)]).toEqual([0, 1024, -1]);
    other.free(0, 1);
    expect([pool.bytesUsed, other.bytesUsed, pool.allocate(1)]).toEqual([2048, 2048, 0]);
  });

  test('sweeps away what is not kept', () => {
    const random = new Random(9);
    const pool = new SegmentPool(64 * 1024, 1024);
    const kept: { start: number; bytes: number }[] = [];
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 40; i++) {
        const bytes = 1 + random.below(4000);
        const start = pool.allocate(bytes);
        if (start >= 0 && random.oneIn(4)) kept.push({ start, bytes });
      }
      if (random.oneIn(3))
        for (const { start, bytes } of kept.splice(0, random.below(3))) pool.free(start, bytes);
      pool.sweep(kept);
      expect(pool.bytesUsed).toBe(kept.reduce((sum, run) => sum + pool.runBytes(run.bytes), 0));
    }
    expect(() => pool.sweep([{ start: kept[0]!.start, bytes: 100_000 }])).toThrow(/as a whole/);
    pool.sweep([]);
    expect([pool.bytesUsed, pool.allocate(64 * 1024)]).toEqual([0, 0]);
  });
});

describe('an arena', () => {
  test('cuts aligned pieces that do not overlap, small and large, and counts its runs exactly', () => {
    const random = new Random(2);
    const pool = new SegmentPool(32 << 20);
    const arena = new Arena(pool);
    const pieces: [number, number][] = [];
    for (let i = 0; i < 3000; i++) {
      const size = random.oneIn(30) ? random.below(300_000) : random.below(200);
      pieces.push([arena.allocate(size), size]);
    }
    pieces.sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < pieces.length; i++) {
      expect(pieces[i]![0] % 8).toBe(0);
      if (pieces[i]![0] < pieces[i - 1]![0] + pieces[i - 1]![1]) expect.fail('two pieces overlap');
    }
    expect(arena.bytes).toBe(pool.bytesUsed);
    const used = pieces.reduce((sum, [, size]) => sum + size, 0);
    expect(arena.bytes).toBeLessThan(used * 1.3);
    arena.release();
    expect([arena.bytes, pool.bytesUsed]).toEqual([0, 0]);
  });

  test('is small while it holds little, and takes long runs once it holds much', () => {
    const arena = new Arena(new SegmentPool(32 << 20));
    arena.allocate(100);
    expect(arena.bytes).toBe(2048);
    while (arena.bytes <= 64 * 1024) arena.allocate(100);
    const { bytes } = arena;
    for (let taken = 0; taken < 30 * 1024; taken += 104) arena.allocate(100);
    expect(arena.bytes - bytes).toBeLessThanOrEqual(32 * 1024);
  });

  test('lets everything that was reserved succeed without another run', () => {
    const random = new Random(3);
    const pool = new SegmentPool(8 << 20);
    const arena = new Arena(pool);
    for (;;) {
      let left = 8 * random.below(random.oneIn(5) ? 100_000 : 2000);
      if (!arena.reserve(left)) break;
      const { bytes } = arena;
      while (left > 0) {
        const size = Math.min(left, random.oneIn(4) ? 8 * random.below(40_000) : 8 * random.below(40));
        arena.allocate(size);
        left -= size;
      }
      expect(arena.bytes).toBe(bytes);
    }
    expect(pool.bytesUsed).toBe(arena.bytes);
  });

  test('shares a pool with others until it is used up', () => {
    const pool = new SegmentPool(256 * 1024);
    const arenas = [new Arena(pool), new Arena(pool)];
    for (const arena of arenas) arena.allocate(100_000);
    expect(arenas[0]!.reserve(100_000)).toBe(false);
    expect(() => arenas[0]!.allocate(100_000)).toThrow(
      expect.objectContaining({ kind: 'busy', code: 'MEMTABLE_MEMORY' }),
    );
    arenas[1]!.release();
    expect(arenas[0]!.reserve(100_000)).toBe(true);
  });
});
