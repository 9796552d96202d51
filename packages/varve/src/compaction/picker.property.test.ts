import { describe, expect, test } from 'vitest';
import { assert } from '../base/assert.ts';
import { Random } from '../base/random.ts';
import { applyEdit, emptyVersion } from '../manifest/version.ts';
import { sampleFile, sampleKeyspace } from '../manifest/samples.suite.ts';
import { type FileMeta, spansOverlap } from '../manifest/file-meta.ts';
import { KEYS, ModelKeyspace } from './picker-model.suite.ts';
import {
  type CompactionStrategyName,
  resolveCompaction,
  strategyNames,
} from '../options/compaction-settings.ts';
import { pickCare } from './picker-care.ts';
import { pickExpired } from './picker-expired.ts';
import { type LeveledSettings, levelScores, levelShape } from './picker-leveled.ts';
import { pickManual, resumeAfter } from './picker-manual.ts';
import type { CompactionPlan } from './plan.ts';
import { brokenRule } from './plan-rules.ts';
import { RunningSet } from './running-set.ts';
import { leveledSettings, type PickerSettings, pickCompaction } from './strategy.ts';

interface RunningJob {
  readonly plan: CompactionPlan;
  readonly outputs: readonly FileMeta[];
}

function randomSettings(random: Random, strategy: CompactionStrategyName): PickerSettings {
  const tableBytes = 20 + random.below(60);
  const own = {
    leveled: { level0Files: 1 + random.below(4), level1Bytes: 30 + random.below(100) },
    hybrid: {
      level0Files: 2 + random.below(4),
      level0Bytes: 60 + random.below(200),
      level1Bytes: 30 + random.below(100),
    },
    tiered: { runs: 2 + random.below(4), spaceAmplificationMax: 1.2 + random.below(2) },
    fifo: { bytesMax: 100 + random.below(300), windowMs: 5 + random.below(40) },
  };
  return {
    compaction: resolveCompaction({ strategy, ...own[strategy] }),
    levelRatio: 1.5 + random.below(4),
    tableBytes: (depth) => tableBytes * Math.max(1, depth),
  };
}

/** A keyspace, what runs on it, and the moves that the test draws from. */
class World {
  readonly model = new ModelKeyspace();
  readonly running = new RunningSet();
  readonly jobs: RunningJob[] = [];
  /** Numbers of the files that compactions made. */
  readonly written = new Set<number>();
  readonly settings: PickerSettings;
  readonly random: Random;
  now = 0;
  merges = 0;
  together = 0;

  constructor(random: Random, strategy: CompactionStrategyName) {
    this.random = random;
    this.settings = randomSettings(random, strategy);
  }

  /** Picks and starts; false when there is nothing to pick. */
  start(): boolean {
    if (this.random.oneIn(8)) this.checkPure();
    const plan = this.pick();
    if (plan === undefined) return false;
    assert(plan.score >= 1, 'a level that is not due was picked');
    this.run(plan);
    return true;
  }

  pick(): CompactionPlan | undefined {
    return pickCompaction(this.model.keyspace, this.running, this.settings, this.now);
  }

  checkPure(): void {
    const before = textOf(this.model.keyspace);
    const pick = (): unknown => this.pick();
    assert(textOf(pick()) === textOf(pick()), 'the same question has two answers');
    assert(textOf(this.model.keyspace) === before, 'a picker has changed the version');
  }

  startManual(): void {
    const { random } = this;
    const from = random.below(KEYS);
    const plan = pickManual(this.model.keyspace, this.running, leveledSettings(this.settings), {
      level: random.below(7),
      from: Uint8Array.of(from),
      to: random.oneIn(3) ? undefined : Uint8Array.of(from + 1 + random.below(20)),
    });
    if (typeof plan !== 'string') this.run(plan);
  }

  /** What defragmentation would do, with whatever it believes of live data; no reader is in its way. */
  startCare(): boolean {
    const { random } = this;
    const plan = pickCare(this.model.keyspace, this.running, leveledSettings(this.settings), {
      liveRatio: 0.4,
      filesMax: 1 + random.below(4),
      isSettled: (file) => (file.newestTime ?? 0) <= this.now,
      liveOf: (file) => this.liveOf(file),
      oldestReader: Number.POSITIVE_INFINITY,
    });
    if (plan === undefined) return false;
    this.run(plan);
    return true;
  }

  /** What reclaims what has expired; nobody reads by an earlier time than now, nor the past. */
  startExpired(): boolean {
    const readers = { time: this.now, floor: Number.POSITIVE_INFINITY };
    const plan = pickExpired(this.model.keyspace, this.running, leveledSettings(this.settings), readers);
    if (plan === undefined) return false;
    this.run(plan);
    return true;
  }

  /** Files of a compaction are live, of flushes every third seems dead. */
  liveOf(file: FileMeta): number {
    return this.written.has(file.number) || file.number % 3 > 0 ? 1 : 0.2;
  }

  run(plan: CompactionPlan): void {
    for (const { plan: other } of this.jobs) assert(!meet(plan, other), 'a plan meets one that runs');
    assert(new Set(numbersOf(plan)).size === numbersOf(plan).length, 'a plan has a file twice');
    const broken = brokenRule(this.model.keyspace, plan);
    assert(broken === undefined, `a plan breaks a rule: ${broken}`);
    this.running.add(plan);
    const outputs = this.model.execute(plan, this.now);
    for (const { number } of outputs) this.written.add(number);
    this.jobs.push({ plan, outputs });
    if (plan.kind === 'merge') this.merges++;
    this.together = Math.max(this.together, this.jobs.length);
  }

  finish(): void {
    const [job] = this.jobs.splice(this.random.below(this.jobs.length), 1);
    if (job === undefined) return;
    this.model.install(job.plan, job.outputs);
    this.running.remove(job.plan);
  }
}

const textOf = (data: unknown): string | undefined =>
  JSON.stringify(data, (_, value: unknown) => (value instanceof Uint8Array ? [...value] : value));

const numbersOf = (plan: CompactionPlan): number[] =>
  plan.inputs.flatMap(({ files }) => files.map(({ number }) => number));

/** Do two plans share a file, or a key at a level that both read or write? Written without the code under test. */
function meet(a: CompactionPlan, b: CompactionPlan): boolean {
  if (numbersOf(a).some((number) => numbersOf(b).includes(number))) return true;
  const levelsOf = (plan: CompactionPlan): number[] => {
    const first = plan.inputs[0]!.level;
    return Array.from({ length: plan.outputLevel - first + 1 }, (_, index) => first + index);
  };
  if (!levelsOf(a).some((level) => levelsOf(b).includes(level))) return false;
  if (a.kind === 'drop' || b.kind === 'drop' || isAbove(a, b) || isAbove(b, a)) return false;
  const filesOf = (plan: CompactionPlan): FileMeta[] => plan.inputs.flatMap(({ files }) => [...files]);
  return filesOf(a).some((left) => filesOf(b).some((right) => spansOverlap(left, right)));
}

/** Does `a` stay in level 0, with newer files than all that `b` takes from there? */
function isAbove(a: CompactionPlan, b: CompactionPlan): boolean {
  if (a.outputLevel > 0 || b.inputs[0]!.level > 0) return false;
  const newest = Math.max(...b.inputs[0]!.files.map((file) => file.largestSequence));
  return a.inputs[0]!.files.every((file) => file.smallestSequence > newest);
}

describe('compaction on a model', () => {
  test.each(strategyNames)(
    'by %s keeps newer versions above older ones, reads right, and comes to rest',
    (strategy) => {
      let merges = 0;
      let together = 0;
      for (let seed = 0; seed < 60; seed++) {
        const random = new Random(seed);
        const world = new World(random, strategy);
        const { model } = world;
        for (let step = 0; step < 120; step++) {
          const dice = random.below(10);
          world.now++;
          if (dice < 3) model.flush(random, world.now);
          else if (dice < 6) world.start();
          else if (dice < 7) world.startManual();
          else world.finish();
          if (step % 6 === 0) expect(model.problem(world.now), `seed ${seed}, step ${step}`).toBeUndefined();
        }
        let steps = 0;
        while (world.start() || world.jobs.length > 0) {
          if (random.oneIn(2) || world.jobs.length > 3) world.finish();
          expect(++steps).toBeLessThan(2000);
        }
        expect(model.problem(world.now), `seed ${seed}, at rest`).toBeUndefined();
        if (strategy === 'leveled') {
          const settings = leveledSettings(world.settings);
          for (const { level, score } of levelScores(model.keyspace, world.running, settings)) {
            expect(score, `seed ${seed}, level ${level}`).toBeLessThan(1);
          }
        }
        merges += world.merges;
        together = Math.max(together, world.together);
      }
      // The run has to have been worth something.
      expect(merges).toBeGreaterThan(strategy === 'fifo' ? 100 : 300);
      expect(together).toBeGreaterThan(2);
    },
  );

  test('by care keeps newer versions above older ones, reads right, and comes to an end without tombstones', () => {
    let merges = 0;
    for (let seed = 0; seed < 120; seed++) {
      const random = new Random(2000 + seed);
      const world = new World(random, strategyNames[seed % strategyNames.length]!);
      const { model } = world;
      for (let step = 0; step < 100; step++) {
        const dice = random.below(10);
        world.now++;
        if (dice < 3) model.flush(random, world.now);
        else if (dice < 5) world.start();
        else if (dice < 7) world.startCare();
        else world.finish();
        if (step % 4 === 0) expect(model.problem(world.now), `seed ${seed}, step ${step}`).toBeUndefined();
      }
      let steps = 0;
      while (world.startCare() || world.jobs.length > 0) {
        if (random.oneIn(2) || world.jobs.length > 3) world.finish();
        expect(++steps, `seed ${seed}`).toBeLessThan(500);
      }
      expect(model.problem(world.now), `seed ${seed}, at rest`).toBeUndefined();
      for (const file of model.keyspace.levels.flat()) {
        expect(file.rangeTombstones).toBe(0);
        expect(file.tombstones, `seed ${seed}`).toBeLessThan(Math.max(1, file.entries / 2));
      }
      merges += world.merges;
    }
    expect(merges).toBeGreaterThan(1000);
  });

  test('of what has expired hides nothing less, and in the end nothing is left of it', () => {
    let drops = 0;
    let merges = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(3000 + seed);
      const world = new World(random, strategyNames[seed % strategyNames.length]!);
      const { model } = world;
      const ttlMax = 5 + random.below(60);
      // Some keyspaces keep a few puts for good.
      const forGood = random.oneIn(2) ? 0 : 4;
      for (let step = 0; step < 120; step++) {
        const dice = random.below(10);
        world.now++;
        if (dice < 3) model.flush(random, world.now, random.below(10) < forGood ? undefined : ttlMax);
        else if (dice < 5) world.start();
        else if (dice < 7) world.startExpired();
        else world.finish();
        if (step % 3 === 0) expect(model.problem(world.now), `seed ${seed}, step ${step}`).toBeUndefined();
      }
      world.now += 1000;
      const before = world.merges;
      let steps = 0;
      while (world.startExpired() || world.jobs.length > 0) {
        drops += Number(world.jobs.some(({ plan }) => plan.kind === 'drop'));
        world.finish();
        expect(++steps, `seed ${seed}`).toBeLessThan(500);
      }
      expect(model.problem(world.now), `seed ${seed}, at rest`).toBeUndefined();
      const left = model.keyspace.levels.flat();
      if (forGood === 0) expect(left, `seed ${seed}`).toEqual([]);
      for (const { expiry, entries } of left) {
        expect(expiry === undefined || expiry.expiring < entries / 2, `seed ${seed}`).toBe(true);
      }
      merges += world.merges - before;
    }
    expect(drops).toBeGreaterThan(150);
    expect(merges).toBeGreaterThan(50);
  });

  test('by hand brings a range down to the last level and drops every tombstone in it', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new Random(1000 + seed);
      const world = new World(random, strategyNames[seed % strategyNames.length]!);
      for (let i = 0; i < 20; i++) {
        world.model.flush(random, i);
        if (random.oneIn(2) && world.start()) world.finish();
      }
      for (let level = 0; level < 7; level++) {
        let from: Uint8Array | undefined = new Uint8Array(0);
        for (let plans = 0; from !== undefined; plans++) {
          expect(plans).toBeLessThan(500);
          const range = { level, from, to: undefined };
          const settings = leveledSettings(world.settings);
          const plan = pickManual(world.model.keyspace, world.running, settings, range);
          if (plan === 'nothing') break;
          if (plan === 'busy') throw new Error('nothing else runs');
          world.run(plan);
          world.finish();
          if (level === 6) from = resumeAfter(plan);
        }
      }
      const { levels } = world.model.keyspace;
      expect(levels.slice(0, 6).flat()).toEqual([]);
      for (const file of levels[6]!) expect(file.tombstones + file.rangeTombstones).toBe(0);
      expect(world.model.problem(world.now)).toBeUndefined();
    }
  });
});

describe('the shape of the levels', () => {
  test('never has files above the base, and bounds what lies above the last level by its share', () => {
    const random = new Random(91);
    const settings: LeveledSettings = {
      level0Files: 4,
      levelRatio: 10,
      levelBaseBytes: 64,
      tableBytes: () => 8,
    };
    for (let round = 0; round < 500; round++) {
      const addedFiles = Array.from({ length: random.below(6) }, (_, index) => {
        const file = sampleFile(index + 1, 'a', 'b', { bytes: Math.floor(10 ** (random.fraction() * 7)) });
        return { keyspace: 1, level: 6 - index, file };
      }).filter(() => !random.oneIn(4));
      const { keyspaces } = applyEdit(emptyVersion(), { keyspacesCreated: [sampleKeyspace(1)], addedFiles });
      const { baseLevel, targets } = levelShape(keyspaces.get(1)!, settings);
      expect(keyspaces.get(1)!.levels.slice(1, baseLevel).flat()).toEqual([]);
      expect(targets[6]).toBe(Number.POSITIVE_INFINITY);
      for (let level = baseLevel; level < 6; level++) expect(targets[level]).toBeGreaterThanOrEqual(64);
      const largest = Math.max(0, ...addedFiles.map(({ file }) => file.bytes));
      const isLastLargest = keyspaces.get(1)!.levels[6]!.some((file) => file.bytes === largest);
      // A tenth, a hundredth and so on, beside the least targets.
      const above = targets.slice(baseLevel, 6).reduce((sum, target) => sum + target, 0);
      if (isLastLargest && addedFiles.length === 1) expect(above).toBeLessThanOrEqual(largest / 9 + 64 * 2);
    }
  });
});
