/**
 * The block cache against a map: it may forget, but never shows a wrong block, and stays inside its budget. The suite of the
 * replacement policies, too: everything here holds with each.
 */
import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { BlockCache } from './block-cache.ts';
import { clock } from './clock.ts';
import { s3Fifo } from './s3-fifo.ts';

const KiB = 1024;

function put(cache: BlockCache, file: number, offset: number, length: number, mark: number): number {
  return cache.insert(file, offset, new Uint8Array(length).fill(mark), 0, length);
}

describe.each([
  { policy: 'S3-FIFO', make: s3Fifo },
  { policy: 'CLOCK', make: clock },
])('a block cache with $policy', ({ make }) => {
  const cacheOf = (bytes: number): BlockCache => new BlockCache(bytes, undefined, make);

  test('gives back what was put in, by file and offset', () => {
    const cache = cacheOf(1024 * KiB);
    put(cache, 1, 0, 4000, 7);
    put(cache, 1, 4000, 100, 8);
    put(cache, 2, 0, 5000, 9);
    const slot = cache.lookup(1, 4000);
    expect([cache.lengthAt(slot), cache.memory[slot], cache.memory[slot + 99]]).toEqual([100, 8, 8]);
    expect(cache.memory[cache.lookup(2, 0)]).toBe(9);
    expect(cache.lookup(2, 4000)).toBe(-1);
    expect(cache.lookup(4000, 1)).toBe(-1);
    expect(cache.counters).toEqual({ hits: 2, misses: 2, evictions: 0, returnedBytes: 0 });
    expect(cache.bytesUsed).toBe((4 + 4 + 8) * KiB);
  });

  test('replaces a block that is put in again, also with another size', () => {
    const cache = cacheOf(1024 * KiB);
    put(cache, 1, 0, 4000, 1);
    put(cache, 1, 0, 9000, 2);
    const slot = cache.lookup(1, 0);
    expect([cache.lengthAt(slot), cache.memory[slot + 8999], cache.bytesUsed]).toEqual([9000, 2, 16 * KiB]);
  });

  test('caches nothing without a budget, and nothing that is larger than a page', () => {
    const none = cacheOf(0);
    expect([put(none, 1, 0, 100, 1), none.lookup(1, 0), none.memory.length]).toEqual([-1, -1, 0]);
    none.drop(1);
    const small = cacheOf(100 * KiB);
    expect(small.memory.length).toBeLessThanOrEqual(100 * KiB);
    expect(put(small, 1, 0, 4096, 1)).toBeGreaterThanOrEqual(0);
    expect(put(small, 1, 8192, 64 * KiB, 1)).toBe(-1);
    expect(put(cacheOf(64 * 1024 * KiB), 1, 0, 1024 * KiB, 1)).toBe(0);
  });

  test('forgets the blocks of a dropped file and no others', () => {
    const cache = cacheOf(1024 * KiB);
    for (let i = 0; i < 40; i++) put(cache, i % 2, i * 4096, 4096, i);
    cache.drop(1);
    for (let i = 0; i < 40; i++) expect(cache.lookup(i % 2, i * 4096) >= 0).toBe(i % 2 === 0);
    expect(cache.bytesUsed).toBe(20 * 4096);
  });

  test('evicts what was not looked up before what was', () => {
    const cache = cacheOf(64 * KiB);
    const slots = 16;
    for (let i = 0; i < slots; i++) put(cache, 1, i, 4096, i);
    for (let i = 0; i < slots * 2; i += 2) cache.lookup(1, i % slots);
    for (let i = 0; i < slots / 2; i++) put(cache, 2, i, 4096, 100 + i);
    for (let i = 0; i < slots; i += 2) expect(cache.memory[cache.lookup(1, i)]).toBe(i);
    expect(cache.counters.evictions).toBe(slots / 2);
  });

  test('keeps the blocks in use through a scan of many others', () => {
    const cache = cacheOf(1024 * KiB);
    for (let i = 0; i < 30; i++) put(cache, 1, i, 4096, i);
    for (let i = 0; i < 20_000; i++) {
      cache.lookup(1, i % 30);
      put(cache, 2, i, 4096, 200);
    }
    for (let i = 0; i < 30; i++) expect(cache.lookup(1, i)).toBeGreaterThanOrEqual(0);
  });

  test('lets a block size that comes late take over the pages of one that is used no more', () => {
    const cache = cacheOf(8 * 1024 * KiB);
    for (let i = 0; i < 2048; i++) {
      put(cache, 1, i, 4096, 1);
      cache.lookup(1, i);
    }
    let hits = 0;
    for (let i = 0; i < 20_000; i++) {
      const at = i % 200;
      if (cache.lookup(2, at) >= 0) hits++;
      else put(cache, 2, at, 16 * KiB, 2);
    }
    expect(hits).toBeGreaterThan(15_000);
  });

  test('names the blocks that were used again, those used most first', () => {
    const cache = cacheOf(1024 * KiB);
    for (let i = 0; i < 20; i++) put(cache, 1, i * 4096, 4096, i);
    for (let i = 0; i < 3; i++) cache.lookup(1, 8192);
    for (let i = 0; i < 2; i++) cache.lookup(1, 4096);
    cache.lookup(1, 12_288);
    const pairs = new Uint32Array(40);
    expect(cache.workingSet(pairs)).toBe(3);
    expect([...pairs.subarray(0, 6)]).toEqual([1, 8192, 1, 4096, 1, 12_288]);
    expect(cache.workingSet(pairs.subarray(0, 5))).toBe(2);
    cache.drop(1);
    expect(cache.workingSet(pairs)).toBe(0);
  });

  test('goes on with what it has through blocks that are too large for it', () => {
    const cache = cacheOf(32 * 1024 * KiB);
    for (let i = 0; i < 100; i++) put(cache, 1, i * 4096, 4096, i);
    const none = new Uint8Array(0);
    for (let i = 0; i < 50; i++) expect(cache.insert(2, i, none, 0, 100 * 1024 * KiB)).toBe(-1);
    for (let i = 0; i < 100; i++) expect(cache.memory[cache.lookup(1, i * 4096)]).toBe(i);
    expect(cache.counters.evictions).toBe(0);
  });

  test('keeps to a smaller budget from the moment it is set, and uses a larger one again', () => {
    const cache = cacheOf(1024 * KiB);
    for (let i = 0; i < 400; i++) put(cache, 1, i, i % 8 === 0 ? 16 * KiB : 4096, i % 256);
    for (let i = 0; i < 400; i += 3) cache.lookup(1, i);
    cache.setBytesMax(300 * KiB);
    expect(cache.bytesMax).toBe(256 * KiB);
    const found = (): number => {
      let count = 0;
      for (let i = 0; i < 400; i++) {
        const slot = cache.lookup(1, i);
        if (slot < 0) continue;
        count++;
        expect([cache.memory[slot], cache.lengthAt(slot)]).toEqual([i % 256, i % 8 === 0 ? 16 * KiB : 4096]);
      }
      return count;
    };
    expect(found()).toBeGreaterThan(20);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 400; i++) put(cache, 1, i, i % 8 === 0 ? 16 * KiB : 4096, i % 256);
      expect(cache.bytesUsed).toBeLessThanOrEqual(256 * KiB);
    }
    cache.setBytesMax(0);
    expect([cache.bytesUsed, cache.bytesMax, found(), put(cache, 1, 0, 100, 1)]).toEqual([0, 0, 0, -1]);
    cache.setBytesMax(2 ** 40);
    expect(cache.bytesMax).toBe(1024 * KiB);
    for (let i = 0; i < 256; i++) put(cache, 1, i, i % 8 === 0 ? 16 * KiB : 4096, i % 256);
    expect(found()).toBeGreaterThan(120);
    expect(cache.bytesUsed).toBeGreaterThan(900 * KiB);
  });

  test('that no memory could hold is refused by name', () => {
    expect(() => cacheOf(2 ** 52)).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY', kind: 'busy' }));
  });

  test('never shows a wrong block nor passes its budget, whatever comes', () => {
    const random = new Random(3);
    for (const budget of [4 * KiB, 70 * KiB, 512 * KiB, 3000 * KiB]) {
      const cache = cacheOf(budget);
      const model = new Map<string, { length: number; mark: number }>();
      const seen = Array.from({ length: 20 }, () => 0);
      let hits = 0;
      for (let i = 0; i < 15_000; i++) {
        const file = random.below(8);
        const offset = random.below(40) * 0x1000_0000 * (file & 1) + random.below(60);
        const name = `${file} ${offset}`;
        if (random.oneIn(500)) {
          cache.drop(file);
          for (const key of model.keys()) if (key.startsWith(`${file} `)) model.delete(key);
          continue;
        }
        // Hints of any age, right ones and wrong ones, give what a plain lookup gives.
        const near = random.oneIn(2) ? random.pick(seen) : -1;
        const slot =
          near < 0 ? cache.lookup(file, offset % 2 ** 32) : cache.lookupNear(near, file, offset % 2 ** 32);
        if (slot >= 0) {
          hits++;
          seen[random.below(20)] = slot;
          const { length, mark } = model.get(`${file} ${offset % 2 ** 32}`)!;
          if (
            cache.lengthAt(slot) !== length ||
            cache.memory[slot] !== mark ||
            cache.memory[slot + length - 1] !== mark
          ) {
            expect.fail(`the block ${name} is wrong`);
          }
          continue;
        }
        const length = random.pick([100, 4096, 4097, 9000, 40_000, 300_000]) - random.below(50);
        const mark = random.below(256);
        const at = put(cache, file, offset % 2 ** 32, length, mark);
        if (at >= 0) model.set(`${file} ${offset % 2 ** 32}`, { length, mark });
        if (cache.bytesUsed > budget) expect.fail('the cache is over its budget');
      }
      expect(hits).toBeGreaterThan(0);
    }
  });
});
