/**
 * Two threads on the same data, Varve beside the peers that can be opened by several threads of one process: lmdb by its path,
 * @nxtedition/rocksdb by a handle. Each engine runs in a process of its own, in turn, a few times.
 */
import { formatRate } from '../format.ts';
import type { Figure } from '../large/figures.ts';
import { Crew } from './crew.ts';
import { median, ratio } from './ratio.ts';
import type { Sizes } from './sizes.ts';
import { setStage, settle, together } from './stage.ts';
import type { Kind } from './tasks.ts';

export const engines = ['varve', 'lmdb', 'rocksdb'] as const;
export type Engine = (typeof engines)[number];

/** Operations a second of two threads together, by kind; a kind that the engine does not have is not there. */
export type Rates = Partial<Record<Kind, number>>;

const THREADS = 2;
/** Of a process: what it needs to be compiled comes before. */
const RUNS = 3;

/** One process's measurement. Its threads are left to be ended with it: rocksdb does not survive their end. */
export async function measurePeer(engine: Engine, path: string, sizes: Sizes): Promise<Rates> {
  const { store, crew } = await setStage(engine, path, sizes);
  const threads = await Crew.start(THREADS, crew());
  const rates: Rates = {};
  for (const kind of ['get', 'get-borrowed', 'put', 'batch'] as const) {
    if (kind === 'get-borrowed' && store.getBorrowed === undefined) continue;
    const isWriting = kind === 'put' || kind === 'batch';
    const found: number[] = [];
    for (let run = 0; run <= RUNS; run++) {
      const limit = isWriting ? { count: Math.ceil(sizes.writes / THREADS) } : { ms: sizes.readMs };
      const tasks = [1, 2].map((thread) => ({ kind, seed: sizes.seed + 10 * run + thread, ...limit }));
      const rate = together(await threads.run(tasks));
      if (run > 0) found.push(rate);
      // A compaction of rocksdb is a new opening, and its threads are at the old one.
      if (isWriting && engine !== 'rocksdb') await settle(store);
    }
    rates[kind] = median(found);
  }
  return rates;
}

/** Each engine's rates, one a process, in the same order; an engine that could not be measured has none. */
export type Measured = Readonly<Record<Engine, readonly Rates[]>>;

const rows: readonly { readonly name: string; readonly kind: Kind; readonly min: number }[] = [
  { name: 'random gets by two threads', kind: 'get', min: 1.5 },
  { name: 'single puts by two threads', kind: 'put', min: 3 },
  { name: 'batches of 1,000 by two threads', kind: 'batch', min: 3 },
];

export function peerFigures(measured: Measured): Figure[] {
  return rows.flatMap(({ name, kind, min }) => {
    const ratesOf = (engine: Engine, of: Kind = kind): number[] =>
      measured[engine].flatMap((rates) => rates[of] ?? []);
    const peers = engines.filter((engine) => engine !== 'varve' && ratesOf(engine).length > 0);
    const best = peers.toSorted((a, b) => median(ratesOf(b)) - median(ratesOf(a)))[0];
    const own = ratesOf('varve');
    if (best === undefined || own.length === 0) return [];
    const notes = [...new Set<Engine>(['varve', ...peers])].map(
      (engine) => `${engine} ${formatRate(median(ratesOf(engine)))}`,
    );
    const borrowed = kind === 'get' ? ratesOf('lmdb', 'get-borrowed') : [];
    if (borrowed.length > 0) notes.push(`lmdb without a copy ${formatRate(median(borrowed))}`);
    return ratio({
      name: `${name}, over the better peer (${best})`,
      min,
      rounds: own.map((rate, i) => rate / (ratesOf(best)[i] ?? median(ratesOf(best)))),
      notes: [notes.join(', ')],
    });
  });
}
