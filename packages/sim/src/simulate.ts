/**
 * One seed, several lives of one machine: the whole run follows from the seed.
 */
import { open } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { Followers } from './followers.ts';
import { Life, type Promised } from './life.ts';
import { Model } from './model.ts';
import { StoredTime } from './stored-time.ts';
import { type Ending, randomLife, randomUniformBytes } from './workload.ts';

export interface SimulationResult {
  readonly seed: number;
  readonly lives: number;
  readonly sequences: number;
  /** Operations on the simulated disk. */
  readonly operations: number;
  /** What followers have done; undefined without. */
  readonly followed?: Followers['counts'];
}

/** The first open of a process waits for a library to start, outside of the simulated world: this one does it. */
let first: Promise<void> | undefined;

async function firstOpen(): Promise<void> {
  const db = await open(':memory:');
  await db.close();
}

/** Runs one seed. Throws what went wrong, with `replay` telling how to see it again. */
export async function simulate(seed: number, withFollowers = false): Promise<SimulationResult> {
  await (first ??= firstOpen());
  const random = new Random(seed);
  const model = new Model();
  const followers = withFollowers ? new Followers(new Random(seed ^ 0x5eed), model) : undefined;
  const promised: Promised = { os: 0, disk: 0 };
  const time = new StoredTime();
  let wall = 1_700_000_000_000;
  let fs = new SimFs();
  let before: Ending = 'closed';
  let operations = 0;
  let sequences = 0;
  const lives = 3 + random.below(5);
  const uniformBytes = randomUniformBytes(random);
  // Not drawn: what other machines do stays what it was.
  const merges = uniformBytes === undefined && seed % 4 === 3;
  const large = uniformBytes === undefined && (seed % 8 === 2 || seed % 8 === 7);
  for (let i = 0; i < lives; i++) {
    const settings = randomLife(random, before, uniformBytes, merges, large);
    const life = new Life(fs, random, model, promised, { time, wall }, settings, followers);
    const ended: Ending = await life.run();
    // The machine is off for a while, or its clock is set back meanwhile.
    wall = life.wall + random.pick([0, random.below(10_000), -random.below(20_000)]);
    operations += fs.operations;
    sequences = Math.max(sequences, model.latest);
    fs.onOperation = undefined;
    if (ended === 'power') fs = fs.crash(random);
    else if (ended === 'process') fs = fs.crashProcess();
    // Only what was promised for power loss is still promised after one.
    if (ended === 'power') promised.os = promised.disk;
    before = ended;
  }
  return { seed, lives, sequences, operations, ...(followers && { followed: followers.counts }) };
}
