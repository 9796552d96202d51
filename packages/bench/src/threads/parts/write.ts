/** Four threads that write together over one that writes alone: the same number of single puts in all. */
import { formatRate } from '../../format.ts';
import type { Figure } from '../../large/figures.ts';
import { Crew } from '../crew.ts';
import { median, quotients, ratio } from '../ratio.ts';
import type { Sizes } from '../sizes.ts';
import { setStage, settle, together } from '../stage.ts';

const MIN = 0.9;
const THREADS = 4;

export async function measureWrite(path: string, sizes: Sizes): Promise<Figure[]> {
  const { store, crew } = await setStage('varve', path, sizes);
  const threads = await Crew.start(THREADS, crew());
  const alone: number[] = [];
  const all: number[] = [];
  /** Of the threads of one run, how much the fastest was ahead: its time over that of the slowest. */
  const fairness: number[] = [];
  for (let round = 0; round <= sizes.rounds; round++) {
    const seed = sizes.seed + THREADS * round;
    const one = await threads.run([{ kind: 'put', seed, count: sizes.writes }], round % THREADS);
    await settle(store);
    const count = Math.ceil(sizes.writes / THREADS);
    const tasks = Array.from(
      { length: THREADS },
      (_, i) => ({ kind: 'put', seed: seed + i, count }) as const,
    );
    const four = await threads.run(tasks);
    await settle(store);
    if (round === 0) continue;
    alone.push(together(one));
    all.push(together(four));
    const times = four.map(({ startMs, endMs }) => endMs - startMs);
    fairness.push(Math.min(...times) / Math.max(...times));
  }
  await threads.close();
  await store.close();
  return [
    ratio({
      name: 'four writing threads over one',
      min: MIN,
      rounds: quotients(all, alone),
      notes: [
        `${formatRate(median(all))} and ${formatRate(median(alone))}; the first thread is done after ${Math.round(median(fairness) * 100)} % of the time of the last`,
      ],
    }),
  ];
}
