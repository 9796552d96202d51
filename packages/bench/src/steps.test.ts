import { describe, expect, test } from 'vitest';
import { driveUntimed } from './drive.ts';
import { Random } from './random.ts';
import type { Bench, Maybe, Store, Writes } from './store.ts';
import { ValuePool } from './values.ts';
import { workloadNamed } from './workloads.ts';

const ENTRIES = 2_500;

/** A store in a map that says what was asked of it; `later` makes it one that answers by promises. */
class MapStore implements Store {
  readonly settings = [];
  readonly getBorrowed = undefined;
  readonly entries = new Map<string, string>();
  readonly calls = new Map<string, number>();
  inFlight = 0;
  inFlightMax = 0;
  readonly #later: boolean;

  constructor(later: boolean) {
    this.#later = later;
  }

  put(key: Uint8Array, value: Uint8Array): Maybe<void> {
    this.entries.set(text(key), text(value));
    return this.#answer('put', undefined);
  }
  putEach(writes: Writes): Maybe<void> {
    return this.#write('putEach', writes);
  }
  putBatch(writes: Writes): Maybe<void> {
    return this.#write('putBatch', writes);
  }
  async putSynced(key: Uint8Array, value: Uint8Array): Promise<void> {
    this.inFlightMax = Math.max(this.inFlightMax, ++this.inFlight);
    this.entries.set(text(key), text(value));
    await Promise.resolve();
    this.inFlight--;
  }
  deleteEach({ keys, count }: Writes): Maybe<void> {
    for (let i = 0; i < count; i++) this.entries.delete(text(keys[i]!));
    return this.#answer('deleteEach', undefined);
  }
  deleteBatch({ keys, count }: Writes): Maybe<void> {
    for (let i = 0; i < count; i++) this.entries.delete(text(keys[i]!));
    return this.#answer('deleteBatch', undefined);
  }
  get(key: Uint8Array): Uint8Array | undefined {
    return this.entries.has(text(key)) ? key : undefined;
  }
  getMany(keys: Uint8Array[]): Maybe<number> {
    return this.#answer('getMany', keys.filter((key) => this.entries.has(text(key))).length);
  }
  scan(): never {
    throw new Error('not used here');
  }
  seekScan(_key: Uint8Array, count: number): Maybe<number> {
    return this.#answer('seekScan', count);
  }
  sync(): void {}
  flush(): void {}
  compact(): Maybe<void> {
    return this.#answer('compact', undefined);
  }
  async close(): Promise<void> {}

  #write(name: string, { keys, values, count }: Writes): Maybe<void> {
    for (let i = 0; i < count; i++) this.entries.set(text(keys[i]!), text(values[i]!));
    return this.#answer(name, undefined);
  }

  #answer<T>(name: string, answer: T): Maybe<T> {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    return this.#later ? Promise.resolve(answer) : answer;
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

function benchOn(store: Store, writing: Bench['writing']): Bench {
  const values = new ValuePool(10, new Random(1));
  return { store, entries: ENTRIES, keySize: 16, random: new Random(1), values, seekNexts: 10, writing };
}

async function run(store: Store, name: string, writing: Bench['writing'] = 'single') {
  const workload = workloadNamed(name);
  const step = workload.start(benchOn(store, writing));
  const done = await driveUntimed(step, workload.operations(ENTRIES, 10), workload.chunk);
  return { done, found: step.found };
}

describe.each([
  ['at once', false],
  ['by promises', true],
])('on a store that answers %s', (_, later) => {
  test('fills write every key, single or in batches of a thousand', async () => {
    for (const [writing, call] of [
      ['single', 'putEach'],
      ['batch', 'putBatch'],
    ] as const) {
      const store = new MapStore(later);
      expect((await run(store, 'fillseq', writing)).done).toBe(ENTRIES);
      expect(store.entries.size).toBe(ENTRIES);
      expect([...store.calls]).toEqual([[call, 3]]);
    }
  });

  test('the scattered order visits each key once', async () => {
    const store = new MapStore(later);
    await run(store, 'filluniquerandom', 'batch');
    expect(store.entries.size).toBe(ENTRIES);
  });

  test('fillbatch insists on batches', async () => {
    const store = new MapStore(later);
    await run(store, 'fillbatch');
    expect([...store.calls]).toEqual([['putBatch', 3]]);
  });

  test('lookups count what they find', async () => {
    const store = new MapStore(later);
    await run(store, 'fillseq');
    const found = { done: ENTRIES, found: ENTRIES };
    expect(await run(store, 'readrandom')).toEqual(found);
    expect(await run(store, 'readhot')).toEqual(found);
    expect(await run(store, 'multireadrandom')).toEqual(found);
    expect(await run(store, 'readwhilewriting')).toEqual(found);
    expect(await run(store, 'readmissing')).toEqual({ done: ENTRIES, found: 0 });
    expect(store.calls.get('getMany')).toBe(ENTRIES / 100);
  });

  test('seeks are as many as read about everything once', async () => {
    expect(await run(new MapStore(later), 'seekrandom')).toEqual({ done: 250, found: 250 });
  });

  test('deletions empty the store in time, and a compaction is one operation', async () => {
    const store = new MapStore(later);
    await run(store, 'fillseq');
    await run(store, 'deleterandom', 'batch');
    expect(store.entries.size).toBeLessThan(ENTRIES / 2);
    expect(await run(store, 'compact')).toMatchObject({ done: 1 });
  });
});

test('fillsync has 64 puts waiting at any time', async () => {
  const store = new MapStore(true);
  expect((await run(store, 'fillsync')).done).toBe(1_000);
  expect(store.inFlightMax).toBe(64);
  expect(store.inFlight).toBe(0);
});

test('a step on a synchronous store gives a number, not a promise', () => {
  for (const name of ['fillrandom', 'readrandom', 'multireadrandom', 'readwhilewriting', 'seekrandom']) {
    const step = workloadNamed(name).start(benchOn(new MapStore(false), 'single'));
    expect(step.run(0, 100)).toBe(100);
  }
});
