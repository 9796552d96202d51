/** Two threads that read together over one that reads alone: random gets out of the cache, and scans by cursor. */
import { formatRate } from '../../format.ts';
import { type Figure, times } from '../../large/figures.ts';
import { Crew } from '../crew.ts';
import { median, quotients, ratio } from '../ratio.ts';
import type { Sizes } from '../sizes.ts';
import { processorNanoseconds, setStage, together } from '../stage.ts';

const MIN = 1.7;

export async function measureRead(path: string, sizes: Sizes): Promise<Figure[]> {
  const { store, crew } = await setStage('varve', path, sizes);
  const threads = await Crew.start(2, crew());
  const figures: Figure[] = [];
  for (const kind of ['get', 'scan'] as const) {
    const alone: number[] = [];
    const both: number[] = [];
    /** Of processor time: what two threads would do with a processor each. */
    const undisturbed: number[] = [];
    for (let round = 0; round <= sizes.rounds; round++) {
      const task = (thread: number) => ({
        kind,
        seed: sizes.seed + 2 * round + thread,
        ms: sizes.readMs,
      });
      const one = await threads.run([task(0)], round % 2);
      const two = await threads.run([task(0), task(1)]);
      if (round === 0) continue;
      alone.push(together(one));
      both.push(together(two));
      const [alike] = one.map(processorNanoseconds);
      undisturbed.push(two.reduce((sum, done) => sum + alike! / processorNanoseconds(done), 0));
    }
    figures.push(
      ratio({
        name: `two reading threads over one, ${kind === 'get' ? 'random gets, cached' : 'entries by cursor'}`,
        min: MIN,
        rounds: quotients(both, alone),
        notes: [
          `${formatRate(median(both))} and ${formatRate(median(alone))}; by processor time ${times(median(undisturbed))}`,
        ],
      }),
    );
  }
  await threads.close();
  await store.close();
  return figures;
}
