/**
 * Reads of one thread while another writes as fast as it can, over reads while nobody writes. What the reader loses is of two
 * kinds: the database has memtables and tables of level 0 then, which the reads straight after show, and the writer, the flushes
 * and the compactions take lines of memory and, on a machine of two cores, a processor: processor time leaves the latter out.
 */
import { formatRate } from '../../format.ts';
import type { Figure } from '../../large/figures.ts';
import { Crew } from '../crew.ts';
import { median, quotients, ratio } from '../ratio.ts';
import type { Sizes } from '../sizes.ts';
import { processorNanoseconds, setStage, settle, together } from '../stage.ts';

const MIN = 0.7;

export async function measureBeside(path: string, sizes: Sizes): Promise<Figure[]> {
  const { store, crew } = await setStage('varve', path, sizes);
  const threads = await Crew.start(2, crew());
  const rates = {
    idle: [] as number[],
    beside: [] as number[],
    after: [] as number[],
    written: [] as number[],
  };
  const costs = { idle: [] as number[], beside: [] as number[] };
  for (let round = 0; round <= sizes.rounds; round++) {
    const read = { kind: 'get', seed: sizes.seed + round, ms: sizes.readMs } as const;
    const [idle] = await threads.run([read]);
    const write = { kind: 'put', seed: sizes.seed - round } as const;
    const { main, beside } = await threads.runBeside(read, write);
    const [after] = await threads.run([read]);
    await settle(store);
    if (round === 0) continue;
    rates.idle.push(together([idle!]));
    rates.beside.push(together([main]));
    rates.after.push(together([after!]));
    rates.written.push(together([beside]));
    costs.idle.push(processorNanoseconds(idle!));
    costs.beside.push(processorNanoseconds(main));
  }
  await threads.close();
  await store.close();
  return [
    ratio({
      name: 'reads beside a writer over reads without one',
      min: MIN,
      rounds: quotients(rates.beside, rates.idle),
      notes: [
        `${formatRate(median(rates.beside))} and ${formatRate(median(rates.idle))}, while ${formatRate(median(rates.written))} are written`,
      ],
    }),
    ratio({
      name: 'the same over reads straight after the writes',
      rounds: quotients(rates.beside, rates.after),
      notes: [`straight after: ${formatRate(median(rates.after))}`],
    }),
    ratio({
      name: 'the same by processor time of the reader',
      rounds: quotients(costs.idle, costs.beside),
    }),
  ];
}
