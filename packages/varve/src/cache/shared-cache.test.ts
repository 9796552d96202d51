/**
 * The block cache beside other threads, played through on one: the stamps and the lock follow a script, so each case is the
 * same on every run. shared-cache-threads.test.ts does it with threads.
 */
import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { BlockCache } from './block-cache.ts';
import type { CacheSharing } from './sharing.ts';

const KiB = 1024;

/** Stamps count up; those below `past` are past. */
class Script implements CacheSharing {
  lock: 'taken' | 'busy' | 'inherited' = 'taken';
  held = false;
  stamp = 0;
  past = 0;

  tryLock(): 'taken' | 'busy' | 'inherited' {
    this.#mustBe(false);
    const { lock } = this;
    this.held = lock !== 'busy';
    if (lock === 'inherited') this.lock = 'taken';
    return lock;
  }

  unlock(): void {
    this.#mustBe(true);
    this.held = false;
  }

  retire(): number {
    this.#mustBe(true);
    return this.stamp++;
  }

  isPast(stamp: number): boolean {
    return stamp < this.past;
  }

  #mustBe(held: boolean): void {
    if (this.held !== held) throw new Error(held ? 'the lock is not held' : 'the lock is held');
  }

  /** Whoever ran an operation has ended it. */
  turn(): void {
    this.past = this.stamp;
  }
}

function put(cache: BlockCache, file: number, offset: number, length: number): number {
  return cache.insert(file, offset, contentOf(file, offset, length), 0, length);
}

/** Each block can be told from all others by its bytes. */
function contentOf(file: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer, 0, length >>> 2);
  for (let i = 0; i < words.length; i++) words[i] = file * 0x10000 + offset;
  return bytes;
}

function isRight(cache: BlockCache, slot: number, file: number, offset: number, length: number): boolean {
  const words = new Uint32Array(cache.memory.buffer, slot, length >>> 2);
  return words.every((word) => word === file * 0x10000 + offset);
}

function shared(bytes: number): { cache: BlockCache; other: BlockCache; script: Script } {
  const cache = new BlockCache(bytes);
  const script = new Script();
  cache.share(script);
  return { cache, other: BlockCache.attach(structuredClone(cache.handle()), script), script };
}

describe('a shared block cache', () => {
  test('shows each thread what the other put in, and counts for each apart', () => {
    const { cache, other } = shared(1024 * KiB);
    const slot = put(cache, 1, 5, 4000);
    expect(other.lookup(1, 5)).toBe(slot);
    expect(other.lookupNear(slot, 1, 5)).toBe(slot);
    expect(isRight(other, slot, 1, 5, 4000)).toBe(true);
    expect([other.lengthAt(slot), other.bytesUsed]).toEqual([4000, 4 * KiB]);
    expect(put(other, 2, 5, 9000)).toBeGreaterThan(0);
    cache.drop(2);
    expect([other.lookup(2, 5), other.bytesUsed]).toEqual([-1, 4 * KiB]);
    expect(cache.counters).toEqual({ hits: 0, misses: 0, evictions: 0, returnedBytes: 0 });
    expect(other.counters).toEqual({ hits: 2, misses: 1, evictions: 0, returnedBytes: 0 });
  });

  test('gives a block that another thread was quicker to insert', () => {
    const { cache, other } = shared(1024 * KiB);
    const slot = put(cache, 1, 5, 4000);
    expect(put(other, 1, 5, 4000)).toBe(slot);
    expect(other.bytesUsed).toBe(4 * KiB);
  });

  test('does not cache while somebody else has the lock, and still looks up', () => {
    const { cache, script } = shared(1024 * KiB);
    const slot = put(cache, 1, 5, 4000);
    script.lock = 'busy';
    expect(put(cache, 1, 6, 4000)).toBe(-1);
    expect(cache.lookup(1, 5)).toBe(slot);
    cache.drop(1);
    cache.setBytesMax(512 * KiB);
    script.lock = 'taken';
    // What could not be done then is done by the next insert.
    put(cache, 2, 7, 4000);
    expect([cache.lookup(1, 5), cache.bytesMax]).toEqual([-1, 512 * KiB]);
  });

  test('uses no slot again before nobody can read it, and then does', () => {
    const { cache, script } = shared(64 * KiB);
    const slots = new Set<number>();
    for (let i = 0; i < 16; i++) slots.add(put(cache, 1, i, 4096));
    expect(slots.size).toBe(16);
    for (let i = 0; i < 100; i++) expect(put(cache, 2, i, 4096)).toBe(-1);
    for (let i = 0; i < 16; i++) expect(isRight(cache, i * 4096, 1, i, 4096)).toBe(true);
    expect(cache.counters.evictions).toBe(1);
    script.turn();
    expect(put(cache, 3, 0, 4096)).toBeGreaterThanOrEqual(0);
    expect(put(cache, 3, 1, 4096)).toBe(-1);
  });

  test('has slots ready for the next blocks, so that most of them find one', () => {
    const { cache, script } = shared(4096 * KiB);
    for (let i = 0; i < 1024; i++) put(cache, 1, i, 4096);
    let cached = 0;
    for (let i = 0; i < 2000; i++) {
      if (put(cache, 2, i, 4096) >= 0) cached++;
      if (i % 4 === 0) script.turn();
    }
    expect(cached).toBeGreaterThan(1900);
    expect(script.stamp).toBeLessThan(500);
  });

  test('gives a page to another class only when nobody can read any of it', () => {
    const { cache, script } = shared(64 * KiB * 16);
    for (let i = 0; i < 256; i++) put(cache, 1, i, 4096);
    for (let i = 0; i < 50; i++) expect(put(cache, 2, i, 60 * KiB)).toBe(-1);
    for (let i = 0; i < 256; i++) expect(isRight(cache, i * 4096, 1, i, 4096)).toBe(true);
    script.turn();
    expect(put(cache, 2, 0, 60 * KiB)).toBeGreaterThanOrEqual(0);
    expect(put(cache, 2, 1, 60 * KiB)).toBe(-1);
  });

  test.each([0, 3, 40])('is empty and works after a holder of the lock died, with damage %i', (damage) => {
    const { cache, other, script } = shared(512 * KiB);
    for (let i = 0; i < 200; i++) put(cache, 1, i, i % 7 === 0 ? 9000 : 4096);
    const kept = new Uint8Array(cache.memory);
    const random = new Random(damage);
    // All tables hold anything, but for the blocks themselves and the counts of pages, which are written in one store.
    const { parts } = cache.handle();
    for (const [i, part] of parts.entries()) {
      if (i === 0 || part.byteLength === cache.memory.length) continue;
      for (let n = 0; n < damage; n++)
        new Uint8Array(part)[random.below(part.byteLength)] = random.below(256);
    }
    script.lock = 'inherited';
    expect(put(other, 3, 0, 4096)).toBe(-1);
    expect([cache.bytesUsed, cache.lookup(1, 8), cache.lookupNear(8 * 4096, 1, 8)]).toEqual([0, -1, -1]);
    expect(cache.memory).toEqual(kept);
    script.turn();
    for (let i = 0; i < 60; i++) expect(put(other, 3, i, 4096)).toBeGreaterThanOrEqual(0);
    for (let i = 0; i < 60; i++) expect(isRight(cache, cache.lookup(3, i), 3, i, 4096)).toBe(true);
  });

  test('one thread alone has it back as before', () => {
    const { cache, script } = shared(64 * KiB);
    for (let i = 0; i < 40; i++) put(cache, 1, i, 4096);
    script.lock = 'busy';
    cache.share(undefined);
    for (let i = 0; i < 100; i++) expect(put(cache, 2, i, 4096)).toBeGreaterThanOrEqual(0);
    expect(cache.bytesUsed).toBe(64 * KiB);
  });
});

/** Two threads take turns; each keeps the blocks that it found until its operation ends. Returns how many were wrong. */
function wrongBlocks(seed: number, isFaulty: boolean): { wrong: number; found: number; cached: number } {
  const random = new Random(seed);
  const cache = new BlockCache(random.pick([64, 300, 1024]) * KiB);
  const pins = [-1, -1];
  let epoch = 0;
  const sharing: CacheSharing = {
    tryLock: () => (random.oneIn(20) ? 'busy' : random.oneIn(3000) ? 'inherited' : 'taken'),
    unlock: () => {},
    retire: () => epoch++,
    isPast: (stamp) => isFaulty || pins.every((pin) => pin < 0 || pin > stamp),
  };
  cache.share(sharing);
  const caches = [cache, BlockCache.attach(cache.handle(), sharing)];
  const held: number[][][] = [[], []];
  const lengthOf = (file: number, offset: number): number =>
    [4096, 400, 9000, 4096, 20_000, 4096][(file + offset) % 6]!;
  const result = { wrong: 0, found: 0, cached: 0 };
  for (let step = 0; step < 6000; step++) {
    const thread = random.below(2);
    const mine = caches[thread]!;
    if (pins[thread]! < 0) pins[thread] = epoch;
    for (let i = random.below(4); i >= 0; i--) {
      const file = random.below(5) + 1;
      const offset = random.below(100);
      const length = lengthOf(file, offset);
      const near = random.below(mine.memory.length / 4096) * 4096;
      let slot = random.oneIn(2) ? mine.lookup(file, offset) : mine.lookupNear(near, file, offset);
      if (slot >= 0) result.found++;
      else {
        slot = put(mine, file, offset, length);
        if (slot >= 0) result.cached++;
      }
      if (slot >= 0) held[thread]!.push([slot, file, offset, length]);
    }
    if (random.oneIn(300)) mine.drop(random.below(5) + 1);
    if (random.oneIn(500)) cache.setBytesMax(random.below(cache.memory.length + 1));
    if (random.oneIn(2)) continue;
    for (const [slot, file, offset, length] of held[thread]!) {
      if (!isRight(mine, slot!, file!, offset!, length!)) result.wrong++;
    }
    held[thread] = [];
    pins[thread] = -1;
  }
  return result;
}

test('shows no wrong block until the end of an operation, whatever the other thread does', () => {
  for (let seed = 1; seed <= 6; seed++) {
    const { wrong, found, cached } = wrongBlocks(seed, false);
    expect(wrong).toBe(0);
    expect(found).toBeGreaterThan(100);
    expect(cached).toBeGreaterThan(100);
  }
});

test('a planted bug is caught: slots are used again while an operation may read them', () => {
  expect(wrongBlocks(1, true).wrong).toBeGreaterThan(0);
});
