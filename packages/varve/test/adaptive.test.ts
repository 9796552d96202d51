/**
 * Memory that moves: with the load between memtables and cache, within one budget, each move told with its reason; and flush
 * sizes that follow the write rate. Time is in the test's hands, so what moves depends on nothing but what it does.
 */
import { type Database, type DatabaseOptions, type DatabaseStats, type Keyspace, open, utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';

const MIB = 1024 * 1024;
const BUDGET = 8 * MIB;

interface Adapted {
  readonly what: 'memory' | 'flush-size';
  readonly keyspace?: string;
  readonly reason: string;
  readonly from: unknown;
  readonly to: unknown;
}

interface World {
  readonly db: Database;
  readonly time: ManualScheduler;
  readonly data: Keyspace<string, string>;
  readonly told: Adapted[];
  /** The most so far: by how much memtables and cache were over their share, and what both held. */
  readonly most: { memtables: number; cache: number; both: number };
  look(): DatabaseStats;
}

async function world(options: DatabaseOptions = {}): Promise<World> {
  const time = new ManualScheduler();
  const db = await time.open('/db', {
    fileSystem: new SimFs(),
    sync: 'manual',
    memoryBytesMax: BUDGET,
    batchBytesMax: MIB,
    ...options,
  });
  onTestFinished(async () => await db.close());
  const told: Adapted[] = [];
  db.events.addEventListener('adapt', (event) => told.push((event as CustomEvent<Adapted>).detail));
  const most = { memtables: 0, cache: 0, both: 0 };
  const look = (): DatabaseStats => {
    const stats = db.stats();
    most.memtables = Math.max(most.memtables, stats.memoryBytes.pool - stats.memoryBudget.memtables);
    most.cache = Math.max(most.cache, stats.memoryBytes.cache - stats.memoryBudget.cache);
    most.both = Math.max(most.both, stats.memoryBytes.pool + stats.memoryBytes.cache);
    return stats;
  };
  return { db, time, data: db.keyspace('data', { key: utf8, value: utf8 }), told, most, look };
}

const keyOf = (i: number): string => `key${String(i).padStart(6, '0')}`;
const value = 'v'.repeat(1000);

/** Seconds of writes over all of `keys` keys, a MiB and a half in each, and of some reads, so that the cache is full. */
async function writes(world: World, seconds: number, keys: number): Promise<void> {
  const random = new Random(1);
  for (let second = 0; second < seconds; second++) {
    for (let i = 0; i < 1500; i++) {
      world.data.put(keyOf(random.below(keys)), value);
      world.data.get(keyOf(random.below(keys)));
      if (i % 100 === 0) {
        world.look();
        await world.time.turn();
      }
    }
    await world.time.advance(1000);
  }
}

async function reads(world: World, seconds: number, keys: number): Promise<void> {
  const random = new Random(2);
  for (let second = 0; second < seconds; second++) {
    for (let i = 0; i < 4000; i++) {
      world.data.get(keyOf(random.below(keys)));
      if (i % 500 === 0) {
        world.look();
        await world.time.turn();
      }
    }
    await world.time.advance(1000);
  }
}

const moves = (told: readonly Adapted[]): Adapted[] => told.filter(({ what }) => what === 'memory');

test('the budget begins divided as the settings say, and together the shares are all of it', async () => {
  const { memoryBudget } = (await world()).look();
  expect(memoryBudget).toEqual({ memtables: 4 * MIB, cache: 3 * MIB, indexes: MIB });
});

test('reads of more than the cache holds take memory from memtables, writes take it back, and both are told', async () => {
  const here = await world();
  await writes(here, 10, 8000);
  await here.time.run(here.db.flush());
  await here.time.advance(30_000);
  const written = here.look().memoryBudget;
  here.told.length = 0;
  await reads(here, 12, 8000);
  const read = here.look().memoryBudget;
  expect(read.cache).toBeGreaterThan(written.cache);
  expect(read.cache).toBeGreaterThan(5.5 * MIB);
  expect(read.memtables).toBe(MIB);
  const whys = moves(here.told).map(({ reason }) => reason);
  expect(new Set(whys)).toEqual(new Set(['reads']));
  expect(moves(here.told)[0]).toMatchObject({
    from: written,
    to: expect.any(Object),
    gains: { memtables: expect.any(Number), cache: expect.any(Number) },
  });
  expect(moves(here.told).at(-1)!.to).toEqual(read);

  // Without a turn in between: the limit at which writes wait has moved as well.
  for (let i = 0; i < 3000; i++) {
    here.data.put(keyOf(i), value);
    if (i % 50 === 0) here.look();
  }
  here.told.length = 0;
  await here.time.advance(60_000);
  await writes(here, 15, 8000);
  const again = here.look().memoryBudget;
  expect(again.memtables).toBeGreaterThan(2 * MIB);
  expect(again.cache).toBeLessThan(read.cache);
  expect(moves(here.told).map(({ reason }) => reason)).toContain('rewrites');
  // What one batch takes beyond the limit, before the next write meets it.
  expect(here.most.memtables).toBeLessThan(64 * 1024);
  expect(here.most.cache).toBe(0);
  expect(here.most.both).toBeLessThan(BUDGET);
});

test('memtables give way only once they are flushed', async () => {
  const here = await world();
  await writes(here, 10, 8000);
  await here.time.run(here.db.flush());
  await here.time.advance(30_000);
  for (let i = 0; i < 1200; i++) here.data.put(`more${i}`, value);
  const { pool } = here.look().memoryBytes;
  expect(pool).toBeGreaterThan(MIB);
  await reads(here, 12, 8000);
  expect(here.look().memoryBudget.memtables).toBe(MIB);
  expect(here.look().memoryBytes.pool).toBeLessThan(MIB);
  expect(here.most.both).toBeLessThan(BUDGET);
  expect(here.data.get('more1199')).toBe(value);
});

test('sizes that were given stay as they are', async () => {
  const here = await world({
    memtableBytesMax: 2 * MIB,
    cacheBytesMax: 2 * MIB,
    keyspaceDefaults: { memtableBytes: MIB / 2 },
  });
  const before = here.look().memoryBudget;
  await writes(here, 5, 8000);
  await reads(here, 5, 8000);
  expect(here.look().memoryBudget).toEqual(before);
  expect(here.told).toEqual([]);
});

test('nothing is decided while nothing is done, and no timer waits', async () => {
  const here = await world();
  await writes(here, 3, 100);
  await here.time.run(here.db.flush());
  await here.time.advance(5000);
  here.told.length = 0;
  await here.time.advance(3_600_000);
  expect(here.told).toEqual([]);
});

test('a keyspace that is written slowly is flushed at a smaller size, and again at a large one when writes come fast', async () => {
  const here = await world({ memoryBytesMax: 64 * MIB });
  const flushed: number[] = [];
  here.db.events.addEventListener('flush', (event) =>
    flushed.push((event as CustomEvent<{ bytes: number }>).detail.bytes),
  );
  // 25 KB a second: 3 MB in two minutes.
  for (let second = 0; second < 600; second++) {
    for (let i = 0; i < 25; i++) here.data.put(keyOf(second * 25 + i), value);
    await here.time.advance(1000);
  }
  expect(here.told.some(({ what, reason }) => what === 'flush-size' && reason === 'write-rate')).toBe(true);
  expect(flushed.length).toBeGreaterThan(2);
  for (const bytes of flushed) expect(bytes).toBeLessThan(5 * MIB);
  flushed.length = 0;
  for (let i = 0; i < 40_000; i++) {
    here.data.put(keyOf(i), value);
    if (i % 1000 === 0) await here.time.advance(20);
  }
  await here.time.settle();
  expect(flushed[0]).toBeGreaterThan(12 * MIB);
});

test('a series that keeps bytesMax is flushed in halves of that at most, however fast it is written', async () => {
  const here = await world({
    memoryBytesMax: 1024 * MIB,
    memtableBytesMax: 512 * MIB,
    batchBytesMax: 2 * MIB,
  });
  const compaction = { strategy: 'fifo', bytesMax: 64 * MIB } as const;
  const series = here.db.keyspace('series', { key: utf8, value: utf8, compaction });
  for (let i = 0; i < 90; i++) series.put(keyOf(i), 'v'.repeat(MIB));
  await here.time.run(here.db.flush());
  await here.time.settle();
  const kept = [...series.range().keys()];
  expect(kept.length).toBeGreaterThan(20);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => keyOf(90 - kept.length + i)));
  expect(here.db.stats().keyspaces['series']!.bytes).toBeLessThanOrEqual(64 * MIB);
});

test('who writes much gets more of the room than who writes little', async () => {
  const here = await world({ memoryBytesMax: 64 * MIB });
  const little = here.db.keyspace('little', { key: utf8, value: utf8 });
  const sizes = new Map<string, number[]>();
  here.db.events.addEventListener('flush', (event) => {
    const { keyspace, bytes } = (event as CustomEvent<{ keyspace: string; bytes: number }>).detail;
    sizes.set(keyspace, [...(sizes.get(keyspace) ?? []), bytes]);
  });
  for (let i = 0; i < 90_000; i++) {
    here.data.put(keyOf(i), value);
    if (i % 9 === 0) little.put(keyOf(i), value);
    if (i % 1000 === 0) await here.time.advance(100);
  }
  await here.time.settle();
  const largest = (name: string): number => Math.max(...(sizes.get(name) ?? [0]).slice(1));
  expect(largest('data')).toBeGreaterThan(11 * MIB);
  expect(largest('little')).toBeGreaterThan(MIB / 2);
  expect(largest('little')).toBeLessThan(3 * MIB);
});

test('memtables that do not fit their pool are refused at open, with the sum', async () => {
  const options = { memoryBytesMax: 8192 * MIB, memtableBytesMax: 3072 * MIB, batchBytesMax: 1024 * MIB };
  await expect(open(':memory:', options)).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    kind: 'invalid',
    message: expect.stringContaining('3 GiB + 2 x 1 GiB + 16 MiB = 5136 MiB'),
  });
});
