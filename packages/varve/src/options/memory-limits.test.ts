import { expect, test } from 'vitest';
import type { DatabaseOptions } from './database-settings.ts';
import { POOL_BYTES_MAX, poolBytes } from './memory-limits.ts';
import { resolveDatabaseOptions } from './resolve.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const limitsOf = (options: DatabaseOptions) => resolveDatabaseOptions(options).memoryLimits;

test('a size that was given does not move', () => {
  const { memtables, cache } = limitsOf({ memtableBytesMax: 16 * MIB, cacheBytesMax: 0 });
  expect([memtables, cache]).toEqual([
    { min: 16 * MIB, max: 16 * MIB },
    { min: 0, max: 0 },
  ]);
  expect(limitsOf({ cacheBytesMax: 8 * MIB })).toEqual({
    memtables: { min: 32 * MIB, max: 128 * MIB },
    cache: { min: 8 * MIB, max: 8 * MIB },
  });
});

test('memtables get at most half of the log and what batches leave of their pool', () => {
  expect(limitsOf({ memoryBytesMax: 64 * GIB }).memtables.max).toBe(256 * MIB);
  expect(limitsOf({ memoryBytesMax: 64 * GIB, logBytesMax: 64 * GIB }).memtables.max).toBe(
    POOL_BYTES_MAX - (128 + 16) * MIB,
  );
  expect(limitsOf({ memoryBytesMax: 1 * GIB, logBytesMax: 1 * MIB }).memtables.max).toBe(64 * MIB);
});

test.each([1, 3, 16, 255, 1024, 8192])(
  'the least shares of %d MiB fit them, and the most fit the pool',
  (mib) => {
    for (const options of [{}, { memtableBytesMax: 256 * 1024 }, { cacheBytesMax: 128 * 1024 }]) {
      const { memoryLimits, batchBytesMax, ...resolved } = resolveDatabaseOptions({
        memoryBytesMax: mib * MIB,
        ...options,
      });
      const { memtables, cache } = memoryLimits;
      expect(memtables.min + cache.max).toBeLessThanOrEqual(mib * MIB);
      expect(memtables.max + cache.min).toBeLessThanOrEqual(mib * MIB);
      expect(poolBytes(memtables.max, batchBytesMax)).toBeLessThanOrEqual(POOL_BYTES_MAX);
      for (const [range, bytes] of [
        [memtables, resolved.memtableBytesMax],
        [cache, resolved.cacheBytesMax],
      ] as const) {
        expect([range.min <= bytes, bytes <= range.max]).toEqual([true, true]);
      }
    }
  },
);
