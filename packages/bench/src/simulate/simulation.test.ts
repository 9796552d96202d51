import { expect, test } from 'vitest';
import { Random } from '../random.ts';
import { LEVEL0_STOP, type Rates, StuckError } from './machine.ts';
import type { CompactionStrategyName } from 'varve/internals';
import { type Picker, pickerOf } from './picker.ts';
import { LossError, type Outcome, simulate, type SimulationInput, type Sizes } from './simulation.ts';
import type { Phase, Workload } from './workload.ts';

/** Entries of 10 bytes; a memtable holds ten of them, whatever the model adds for each. */
const sizes: Sizes = { entries: 10, scale: 1, keyBytes: 4, valueBytes: 6, memtableBytes: 10 * (10 + 42) };
const rates: Rates = { write: 100, flush: 1000, compaction: 1000, threads: 1 };
/** Without care for space: it would come between what is computed by hand. */
const { care: _care, ...leveled } = pickerOf({
  strategy: 'leveled',
  settings: { level0Files: 2, level1Bytes: 10_000, tableBytes: 10_000 },
});

const workload = (phases: readonly Phase[], ttl?: number): Workload => ({
  name: 'test',
  summary: '',
  phases,
  ...(ttl !== undefined && { ttl }),
});

function run(phases: readonly Phase[], rest: Partial<SimulationInput> = {}): Outcome {
  const input = {
    workload: workload(phases),
    picker: leveled,
    sizes,
    rates,
    seed: 1,
    verify: true,
  };
  return simulate({ ...input, ...rest });
}

const nothing: Picker = { pick: () => undefined, gathered: 4 };

test('two full overwrites are flushed twice and merged once', () => {
  const outcome = run([{ operations: 2, keys: 'sequential' }]);
  expect(outcome).toMatchObject({
    userBytes: 200,
    flushBytes: 200,
    compactionBytes: 100,
    liveBytes: 100,
    diskBytes: 100,
    merges: 1,
    moves: 0,
    levels: [0, 0, 0, 0, 0, 0, 1],
    level0FilesMax: 2,
    stalledSeconds: 0,
  });
  // Two seconds of writing, a tenth of one for the last flush, 200 bytes merged at 1000 a second.
  expect(outcome.seconds).toBeCloseTo(2.3);
});

test('space counts the inputs of a merge until it has ended', () => {
  // At its end: two tables of 100 bytes and the new one, over 100 live bytes.
  expect(run([{ operations: 2, keys: 'sequential' }]).spaceAmplificationMax).toBeCloseTo(3);
});

test('ascending keys are moved, and nothing is written twice', () => {
  const outcome = run([{ operations: 1, keys: 'sequential' }], { sizes: { ...sizes, entries: 80 } });
  expect(outcome).toMatchObject({ userBytes: 800, flushBytes: 800, compactionBytes: 0, merges: 0 });
  expect(outcome.moves).toBeGreaterThan(0);
  expect(outcome.runsMax).toBe(1);
});

test('without compaction every flush is one more table to ask', () => {
  const outcome = run([{ operations: 4, keys: 'sequential' }], { picker: nothing });
  expect(outcome).toMatchObject({ compactionBytes: 0, diskBytes: 400, liveBytes: 100, runsMax: 4 });
  expect(outcome.levels[0]).toBe(4);
});

test('what is deleted is gone from the disk once it is merged', () => {
  const outcome = run([
    { operations: 1, keys: 'sequential' },
    { operations: 1, keys: 'sequential', deletes: 1 },
  ]);
  expect(outcome).toMatchObject({
    userBytes: 140,
    flushBytes: 140,
    compactionBytes: 0,
    diskBytes: 0,
    liveBytes: 0,
  });
});

test('a range that is deleted is gone as well', () => {
  const outcome = run([
    { operations: 1, keys: 'sequential' },
    { operations: 0.1, keys: 'sequential', rangeDeletes: { every: 0.1, width: 1, where: 'oldest' } },
  ]);
  expect(outcome).toMatchObject({ liveBytes: 0, diskBytes: 0 });
});

test('entries expire after as many operations as the workload says', () => {
  const outcome = run([], {
    workload: workload([{ operations: 2, keys: 'sequential' }], 0.5),
    sizes: { ...sizes, entries: 100 },
  });
  expect(outcome.liveBytes).toBe(500);
});

test('an entry of the model stands for as many as the scale says', () => {
  const one = run([{ operations: 2, keys: 'sequential' }]);
  const scaled = run([{ operations: 2, keys: 'sequential' }], {
    sizes: { ...sizes, entries: 1000, scale: 100, memtableBytes: 100 * sizes.memtableBytes },
  });
  expect(scaled.flushBytes).toBe(100 * one.flushBytes);
  expect(scaled.compactionBytes).toBe(100 * one.compactionBytes);
});

test('a writer that is faster than the flush waits for it', () => {
  const outcome = run([{ operations: 3, keys: 'sequential' }], { rates: { ...rates, flush: 50 } });
  // A memtable is written in one second and flushed in two.
  expect(outcome.stalledSeconds).toBeCloseTo(2);
});

test('a writer that is faster than compaction is delayed and then held up by level 0', () => {
  const outcome = run([{ operations: 60, keys: 'sequential' }], { rates: { ...rates, compaction: 5 } });
  expect(outcome.level0FilesMax).toBe(LEVEL0_STOP);
  expect(outcome.stalledSeconds).toBeGreaterThan(0);
  expect(outcome.delayedSeconds).toBeGreaterThan(0);
});

test('a picker that gives no plan is named when writes can not go on', () => {
  expect(() => run([{ operations: 60, keys: 'sequential' }], { picker: nothing })).toThrow(StuckError);
});

test('a picker that puts the newer version below the older one is caught', () => {
  const eager = pickerOf({ strategy: 'leveled', settings: { level0Files: 1 } });
  const wrong: Picker = {
    gathered: 4,
    pick(keyspace, running, now) {
      const [newest, oldest] = keyspace.levels[0]!;
      if (newest === undefined || oldest === undefined || running.holds(newest.number)) return undefined;
      const plan = eager.pick(keyspace, running, now)!;
      return { ...plan, kind: 'move', inputs: [{ level: 0, files: [newest] }], outputLevel: 6 };
    },
  };
  expect(() => run([{ operations: 3, keys: 'sequential' }], { picker: wrong })).toThrow(LossError);
});

test('the same seed gives the same run', () => {
  const phases: Phase[] = [{ operations: 20, keys: 'uniform', deletes: 0.2 }];
  const larger = { sizes: { ...sizes, entries: 50 } };
  expect(run(phases, larger)).toEqual(run(phases, larger));
  expect(run(phases, { ...larger, seed: 2 })).not.toEqual(run(phases, larger));
});

/** Whatever is written and however plans overlap in time, every key is found with its newest version. */
function randomRun(strategy: CompactionStrategyName, seed: number): Outcome {
  const random = new Random(seed);
  const orders = ['sequential', 'scattered', 'uniform', 'zipfian'] as const;
  const phases = Array.from({ length: 1 + random.below(3) }, (): Phase => {
    const where = random.below(2) === 0 ? 'here' : 'oldest';
    return {
      operations: random.below(8),
      keys: orders[random.below(4)]!,
      deletes: random.below(3) / 4,
      ...(random.below(2) === 0 && {
        rangeDeletes: { every: (1 + random.below(30)) / 60, width: random.below(30) / 60, where },
      }),
      idleSeconds: random.below(20),
    };
  });
  const ttl = random.below(3) === 0 ? (1 + random.below(20)) / 10 : undefined;
  return simulate({
    workload: workload(phases, ttl),
    picker: pickerOf({ strategy, settings: randomSettings(strategy, random) }),
    sizes: { ...sizes, entries: 60 },
    rates: { ...rates, compaction: 20 + random.below(1000), threads: 1 + random.below(4) },
    seed,
    verify: true,
  });
}

/** So small that a hundred bytes are much. */
function randomSettings(strategy: CompactionStrategyName, random: Random): Record<string, number> {
  const tableBytes = 20 + random.below(100);
  const levels = {
    level0Files: 1 + random.below(4),
    levelRatio: 2 + random.below(4),
    level1Bytes: 50 + random.below(200),
  };
  switch (strategy) {
    case 'leveled':
      return { tableBytes, ...levels };
    case 'hybrid':
      return { tableBytes, ...levels, level0Bytes: 100 + random.below(400) };
    case 'tiered':
      return { tableBytes, runs: 2 + random.below(5), spaceAmplificationMax: 1.1 + random.below(10) / 10 };
    case 'fifo':
      return {
        tableBytes,
        bytesMax: 100 + random.below(500),
        ...(random.below(2) === 0 && { windowMs: 1000 * (1 + random.below(10)) }),
      };
  }
}

test.each(['leveled', 'tiered', 'hybrid', 'fifo'] as const)(
  'every key is found with its newest version after any sequence of plans: %s',
  (strategy) => {
    let plans = 0;
    for (let seed = 1; seed <= 100; seed++) {
      try {
        const { merges, moves, drops } = randomRun(strategy, seed);
        plans += merges + moves + drops;
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    expect(plans).toBeGreaterThan(500);
  },
);

test('tiered compaction writes less and keeps more than leveled', () => {
  const phases: Phase[] = [{ operations: 40, keys: 'uniform' }];
  const larger = { sizes: { ...sizes, entries: 400 } };
  const small = { tableBytes: 200 };
  const tiered = run(phases, {
    ...larger,
    picker: pickerOf({ strategy: 'tiered', settings: { ...small, runs: 8 } }),
  });
  const level1Bytes = 1000;
  const levels = run(phases, {
    ...larger,
    picker: pickerOf({ strategy: 'leveled', settings: { ...small, level1Bytes } }),
  });
  expect(tiered.compactionBytes).toBeLessThan(levels.compactionBytes);
  expect(tiered.spaceAmplificationMax).toBeGreaterThan(levels.spaceAmplificationMax);
});

test('fifo keeps the newest entries in the bytes that it has, and what it drops is not missed', () => {
  const outcome = run([{ operations: 1, keys: 'sequential' }], {
    sizes: { ...sizes, entries: 1000 },
    picker: pickerOf({ strategy: 'fifo', settings: { bytesMax: 1000 } }),
  });
  expect(outcome).toMatchObject({ compactionBytes: 0, diskBytes: 1000, liveBytes: 1000, drops: 90 });
});
