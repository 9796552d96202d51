/**
 * What sharing costs: a get and a put of an attached thread over those of the owner of the same database, and the owner's over its
 * own before it shared the database. Each thread has its turn alone; by processor time, so that flushes and whatever else
 * runs on the machine are not in it.
 */
import { formatNanoseconds } from '../../format.ts';
import type { Figure } from '../../large/figures.ts';
import type { Store } from '../../store.ts';
import { Crew, freshWords } from '../crew.ts';
import { median, quotients, ratio } from '../ratio.ts';
import type { Sizes } from '../sizes.ts';
import { nanoseconds, processorNanoseconds, setStage, settle } from '../stage.ts';
import { type Done, perform, type Task } from '../tasks.ts';

const GET_MAX = 1.15;
const PUT_MAX = 2;

interface Costs {
  readonly get: readonly Done[];
  readonly put: readonly Done[];
}

type Run = (task: Task) => Promise<Done>;

export async function measureOwner(path: string, sizes: Sizes): Promise<Figure[]> {
  const { store, crew } = await setStage('varve', path, sizes);
  const own: Run = (task) => perform(store, sizes, task, freshWords(), 1);
  const [unshared] = await costsOf([own], store, sizes);
  const threads = await Crew.start(1, crew());
  const attachedThread: Run = async (task) => (await threads.run([task]))[0]!;
  const [owner, attached] = await costsOf([own, attachedThread], store, sizes);
  await threads.close();
  await store.close();
  return (['get', 'put'] as const).flatMap((kind) => {
    const limit = kind === 'get' ? GET_MAX : PUT_MAX;
    const costs = {
      unshared: unshared![kind].map(processorNanoseconds),
      owner: owner![kind].map(processorNanoseconds),
      attached: attached![kind].map(processorNanoseconds),
    };
    const show = (numbers: readonly number[]): string => formatNanoseconds(median(numbers));
    const byClock = quotients(attached![kind].map(nanoseconds), owner![kind].map(nanoseconds));
    return [
      ratio({
        name: `attached ${kind} over the owner's`,
        max: limit,
        rounds: quotients(costs.attached, costs.owner),
        notes: [
          `${show(costs.attached)} and ${show(costs.owner)} of processor time; by the clock ${median(byClock).toFixed(2)}x`,
        ],
      }),
      ratio({
        name: `attached ${kind} over the owner's before share()`,
        ...(kind === 'put' && { max: limit }),
        rounds: quotients(costs.attached, costs.unshared),
        notes: [`${show(costs.unshared)} before share()`],
      }),
      ratio({
        name: `owner's ${kind} over its own before share()`,
        rounds: quotients(costs.owner, costs.unshared),
      }),
    ];
  });
}

/** Gets of each in turn, then puts of each in turn; who comes first alternates, and every run meets a database that is settled. */
async function costsOf(runs: readonly Run[], store: Store, sizes: Sizes): Promise<Costs[]> {
  const all = runs.map(() => ({ get: [] as Done[], put: [] as Done[] }));
  await settle(store);
  for (const kind of ['get', 'put'] as const) {
    for (let round = 0; round <= sizes.rounds; round++) {
      const seed = sizes.seed + round;
      const limit = kind === 'get' ? { ms: sizes.readMs } : { count: sizes.writes };
      for (let turn = 0; turn < runs.length; turn++) {
        const i = (round + turn) % runs.length;
        const done = await runs[i]!({ kind, seed, ...limit });
        if (kind === 'put') await settle(store);
        if (round > 0) all[i]![kind].push(done);
      }
    }
  }
  return all;
}
