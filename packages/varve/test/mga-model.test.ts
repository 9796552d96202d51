/** An MGA index against a model that nobody prunes: what is run is in mga-run.ts. */
import { expect, test } from 'vitest';
import { MgaRun } from './mga-run.ts';

test.each(Array.from({ length: 12 }, (_, seed) => seed))('agrees with the model, seed %i', async (seed) => {
  expect(await new MgaRun(1000 + seed).run(400)).toBeGreaterThan(20);
});

test.each(Array.from({ length: 6 }, (_, seed) => seed))(
  'agrees with the model when another database keeps the inventory, seed %i',
  async (seed) => {
    expect(await new MgaRun(2000 + seed, true).run(400)).toBeGreaterThan(20);
  },
);
