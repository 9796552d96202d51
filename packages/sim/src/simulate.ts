/**
 * One seed, several lives of one machine: the whole run follows from the seed.
 */
import { Random, SimFs } from 'varve/testing';
import { Life, type Promised } from './life.ts';
import { Model } from './model.ts';
import { type Ending, randomLife } from './workload.ts';

export interface SimulationResult {
  readonly seed: number;
  readonly lives: number;
  readonly sequences: number;
  /** Operations on the simulated disk. */
  readonly operations: number;
}

/** Runs one seed. Throws what went wrong, with `replay` telling how to see it again. */
export async function simulate(seed: number): Promise<SimulationResult> {
  const random = new Random(seed);
  const model = new Model();
  const promised: Promised = { os: 0, disk: 0 };
  let fs = new SimFs();
  let before: Ending = 'closed';
  let operations = 0;
  let sequences = 0;
  const lives = 3 + random.below(5);
  for (let i = 0; i < lives; i++) {
    const ended: Ending = await new Life(fs, random, model, promised, randomLife(random, before)).run();
    operations += fs.operations;
    sequences = Math.max(sequences, model.latest);
    fs.onOperation = undefined;
    if (ended === 'power') fs = fs.crash(random);
    else if (ended === 'process') fs = fs.crashProcess();
    // Only what was promised for power loss is still promised after one.
    if (ended === 'power') promised.os = promised.disk;
    before = ended;
  }
  return { seed, lives, sequences, operations };
}
