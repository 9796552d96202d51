/**
 * The block cache under threads: three workers look up and insert blocks whose bytes follow from their key, and check at the
 * end of each operation that every block they found is still the one that they asked for.
 */
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { BlockCache } from './block-cache.ts';

const THREADS = 3;
const OPERATIONS = 8000;

/** Words: lock, epoch, then for each thread the epoch of its operation + 1, or 0. */
const source = `
  const { workerData, parentPort } = await import('node:worker_threads');
  const { BlockCache } = await import(workerData.cacheUrl);
  const { Random } = await import(workerData.randomUrl);
  const { words, thread, threads, operations, handle } = workerData;
  const random = new Random(thread + 1);
  const sharing = {
    tryLock: () => (Atomics.compareExchange(words, 0, 0, 1) === 0 ? 'taken' : 'busy'),
    unlock: () => void Atomics.store(words, 0, 0),
    retire: () => Atomics.add(words, 1, 1),
    isPast: (stamp) => {
      for (let i = 0; i < threads; i++) {
        const pin = Atomics.load(words, 2 + i);
        if (pin !== 0 && pin - 1 <= stamp) return false;
      }
      return true;
    },
  };
  const cache = BlockCache.attach(handle, sharing);
  const lengths = [4096, 400, 9000, 4096, 20000, 4096];
  const content = new Uint8Array(20000);
  const contentWords = new Uint32Array(content.buffer);
  const memoryWords = new Uint32Array(cache.memory.buffer);
  const held = [];
  const result = { wrong: 0, found: 0, cached: 0 };
  const check = ([slot, key, length]) => {
    for (let i = 0; i < length >>> 2; i++) if (memoryWords[slot / 4 + i] !== key) return false;
    return true;
  };
  const hints = new Map();
  for (let operation = 0; operation < operations; operation++) {
    Atomics.store(words, 2 + thread, Atomics.load(words, 1) + 1);
    for (let i = random.below(4); i >= 0; i--) {
      const file = random.below(5) + 1;
      const offset = random.below(random.oneIn(2) ? 20 : 200);
      const key = file * 65536 + offset;
      const length = lengths[(file + offset) % 6];
      let slot = cache.lookupNear(hints.get(key) ?? 0, file, offset);
      if (slot >= 0) result.found++;
      else {
        contentWords.fill(key, 0, length >>> 2);
        slot = cache.insert(file, offset, content, 0, length);
        if (slot >= 0) result.cached++;
      }
      if (slot < 0) continue;
      hints.set(key, slot);
      const block = [slot, key, length];
      if (!check(block)) result.wrong++;
      held.push(block);
    }
    if (random.oneIn(400)) cache.drop(random.below(5) + 1);
    for (const block of held) if (!check(block)) result.wrong++;
    held.length = 0;
    Atomics.store(words, 2 + thread, 0);
  }
  parentPort.postMessage(result);`;

interface Result {
  readonly wrong: number;
  readonly found: number;
  readonly cached: number;
}

function run(thread: number, words: Int32Array, cache: BlockCache): Promise<Result> {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: {
      cacheUrl: new URL('./block-cache.ts', import.meta.url).href,
      randomUrl: new URL('../base/random.ts', import.meta.url).href,
      words,
      thread,
      threads: THREADS,
      operations: OPERATIONS,
      handle: cache.handle(),
    },
    execArgv: ['--no-warnings'],
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

test('three threads find right blocks only, each until the end of its operation', async () => {
  const cache = new BlockCache(1 << 20);
  const words = new Int32Array(new SharedArrayBuffer((2 + THREADS) * 4));
  const results = await Promise.all(
    Array.from({ length: THREADS }, (_, thread) => run(thread, words, cache)),
  );
  for (const { wrong, found, cached } of results) {
    expect(wrong).toBe(0);
    expect(found).toBeGreaterThan(0);
    expect(cached).toBeGreaterThan(0);
  }
  expect(cache.bytesUsed).toBeLessThanOrEqual(1 << 20);
});
