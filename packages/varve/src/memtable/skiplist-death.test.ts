/**
 * Writers of a skiplist that die: after every single store of a batch in turn, readers see what they saw before, and another
 * object that adds the batch again ends with the same list as if nothing had happened.
 */
import { afterEach, expect, test, vi } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { compareBytes } from '../base/bytes.ts';
import { KIND_DELETE, KIND_PUT, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { Model } from './memtable-model.suite.ts';
import { addTo, expectSame, fillBoth, found, randomKey, shown, shownEntry } from './memtable.suite.ts';
import { attachMemtableAt, makeSharedMemtable } from './memtable.ts';
import type { Memtable } from './memtable.ts';

class Death extends Error {}

/** A view of the pool that counts every store and throws at one of them. */
class DyingPool {
  readonly pool: SegmentPool;
  readonly #left: { stores: number };

  constructor(pool: SegmentPool, stores: number) {
    this.pool = SegmentPool.attach(pool.handle());
    this.#left = { stores };
    const words = this.#dying(this.pool.words);
    Object.assign(this.pool, { words, numbers: this.#dying(this.pool.numbers) });
    const allocate = this.pool.allocate.bind(this.pool);
    Object.assign(this.pool, {
      allocate: (bytes: number) => {
        const run = allocate(bytes);
        this.#tick();
        return run;
      },
    });
    // It takes no proxy.
    vi.spyOn(Atomics, 'store').mockImplementation(((of: Int32Array, at: number, value: number) => {
      of[at] = value;
      return value;
    }) as typeof Atomics.store);
  }

  #tick(): void {
    if (this.#left.stores-- === 0) throw new Death();
  }

  #dying<T extends Int32Array | Float64Array>(array: T): T {
    return new Proxy(array, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name, of);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          this.#tick();
          return Reflect.apply(value, of, args) as unknown;
        };
      },
      set: (of, name, value) => {
        this.#tick();
        return Reflect.set(of, name, value, of);
      },
    });
  }
}

afterEach(() => vi.restoreAllMocks());

function copyOf(buffer: SharedArrayBuffer): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(buffer.byteLength);
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

interface Operation {
  readonly kind: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

function randomBatch(random: Random): Operation[] {
  return Array.from({ length: 1 + random.below(8) }, () => {
    const kind = random.pick([KIND_PUT, KIND_PUT, KIND_PUT, KIND_DELETE, KIND_RANGE_DELETE]);
    const value = kind === KIND_DELETE ? new Uint8Array(0) : randomKey(random);
    return { kind, key: randomKey(random), value };
  });
}

/** What a reader below the batch sees, both ways and by key. */
function expectBefore(memtable: Memtable, before: Model, batch: number): void {
  const entries = before.sorted();
  const it = memtable.iterator();
  const seen: string[] = [];
  for (it.first(); it.valid; it.next()) if (it.sequence < batch) seen.push(shown(it));
  expect(seen).toEqual(entries.map((entry) => shownEntry(entry)));
  for (it.last(); it.valid; it.prev()) if (it.sequence < batch && seen.pop() !== shown(it)) break;
  expect([it.valid, seen]).toEqual([false, []]);
  for (const { key } of entries) {
    const newest = entries.find((entry) => compareBytes(entry.key, key) === 0)!;
    const value = new TextDecoder().decode(newest.value);
    expect(found(memtable, key, batch - 1)).toBe(`${newest.sequence} ${newest.kind} ${value}`);
    it.seek(key, 0, key.length, batch - 1);
    expect(shown(it)).toBe(shownEntry(newest));
  }
}

function addAll(memtable: Memtable, sequence: number, batch: readonly Operation[]): void {
  for (const { kind, key, value } of batch) addTo(memtable, sequence, kind, key, value);
}

/** Lets a writer die at its n-th store for every n; how many there were. */
function dieEverywhere(seed: number, batchOf = randomBatch): number {
  const random = new Random(seed);
  const model = new Model();
  const origin = new SegmentPool(64 * 1024, 512);
  const first = makeSharedMemtable(origin)!;
  const { descriptor } = first;
  const batches = random.below(20);
  fillBoth(first, model, random, batches, 1);
  const sequence = batches + 1;
  const batch = batchOf(random);
  for (let stores = 0; ; stores++) {
    const handle = origin.handle();
    const pool = SegmentPool.attach({
      ...handle,
      buffer: copyOf(handle.buffer),
      table: copyOf(handle.table),
    });
    // An object that wrote before, to go on after: what it remembers is stale then.
    const early = attachMemtableAt(pool, descriptor);
    const after = new Model();
    for (const entry of model.entries) after.entries.push({ ...entry });
    after.tombstones.push(...model.tombstones);
    let died = false;
    try {
      addAll(attachMemtableAt(new DyingPool(pool, stores).pool, descriptor), sequence, batch);
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      died = true;
    }
    vi.restoreAllMocks();
    if (!died) return stores;
    expectBefore(attachMemtableAt(pool, descriptor), model, sequence);
    const heir = attachMemtableAt(pool, descriptor);
    addAll(heir, sequence, batch);
    for (const { kind, key, value } of batch) after.add(sequence, kind, key, value);
    expectBefore(heir, model, sequence);
    expectSame(early, after, random, sequence + 1, batch.length);
    fillBoth(early, after, random, 2, sequence + 1);
    fillBoth(heir, after, random, 2, sequence + 3);
    expectSame(early, after, random, sequence + 5, batch.length);
    pool.sweep(early.runs());
    expect(pool.bytesUsed).toBe(early.bytes);
    heir.release();
    expect(pool.bytesUsed).toBe(0);
  }
}

test.for([1, 2, 4, 6])('a batch is completed whatever store its writer died at (seed %i)', (seed) => {
  expect(dieEverywhere(seed)).toBeGreaterThan(5);
});

test('a range delete covers what its batch added before the writer died', () => {
  const [key, end, none] = [Uint8Array.of(97), Uint8Array.of(99), new Uint8Array(0)];
  const stores = dieEverywhere(2, () => [
    { kind: KIND_PUT, key, value: end },
    { kind: KIND_RANGE_DELETE, key, value: end },
    { kind: KIND_PUT, key: end, value: none },
  ]);
  expect(stores).toBeGreaterThan(20);
});

test('what a writer took that died while it made a list is swept away', () => {
  for (let stores = 0; ; stores++) {
    const pool = new SegmentPool(8 * 1024, 512);
    let died = false;
    try {
      makeSharedMemtable(new DyingPool(pool, stores).pool);
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      died = true;
    }
    vi.restoreAllMocks();
    if (!died) break;
    pool.sweep([]);
    expect([pool.bytesUsed, pool.allocate(8 * 1024)]).toEqual([0, 0]);
  }
});
