/**
 * The mutation run: makes the specimens, has threads judge flipped bits, and watches that none hangs.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { programEntry } from '../program-entry.ts';
import { flagsOf, type Variants } from '../variants.ts';
import type { Mutation, Verdict } from './judge.ts';
import type { MutateInput, MutateReply } from './mutate.worker.ts';
import { randomMutations } from './positions.ts';
import { makeSpecimens, type Specimen } from './specimens.ts';

/** One mutation takes well under a second; this long means that it never ends. */
const HANG_MS = 20_000;
const THREADS_MAX = 2;
const THOROUGH_EVERY = 5;

/** With `reads`, copies on disk are judged that are read that way; copies in memory when it is not given. */
export interface MutateOptions extends Variants {
  readonly seed: number;
  readonly positions: number;
  /** Judges this one only, with the specimens of the seed. */
  readonly only?: Mutation;
  readonly log: (line: string) => void;
}

export interface MutateSummary {
  readonly positions: number;
  /** How many positions ended how, by kind of file: `closed wal corruption`. */
  readonly verdicts: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
}

/** Judges the positions; failures are logged as they come and returned. */
export async function runMutations(options: MutateOptions): Promise<MutateSummary> {
  const { seed, positions, only, reads, memtable, log } = options;
  const specimens = await makeSpecimens(seed);
  const mutations =
    only === undefined ? randomMutations(specimens, positions, seed) : [checkPlace(specimens, only)];
  const verdicts = new Map<string, number>();
  const failures: string[] = [];
  const report = (index: number, what: Verdict | string, isFailure: boolean): void => {
    const { specimen, file, offset, bit } = mutations[index]!;
    if (!isFailure) {
      const name = `${specimen} ${kindOf(file)} ${what}`;
      verdicts.set(name, (verdicts.get(name) ?? 0) + 1);
      return;
    }
    const failure =
      `${specimen}/${file} offset ${offset} bit ${bit}: ${what}\n  replay it with: ` +
      `npm run sim -- mutate --seed ${seed} --specimen ${specimen} --file ${file} --offset ${offset} --bit ${bit}${flagsOf(options)}`;
    failures.push(failure);
    log(failure);
  };
  const threads = Math.min(THREADS_MAX, availableParallelism(), mutations.length);
  const shares = Array.from({ length: threads }, (_, thread) =>
    mutations.map((_mutation, index) => index).filter((index) => index % threads === thread),
  );
  await Promise.all(
    shares.map((indexes) =>
      judgeAll({ specimens, mutations, reads, memtable }, indexes, only !== undefined, report),
    ),
  );
  return { positions: mutations.length, verdicts, failures };
}

/** Runs threads one after the other until every index is judged: one that hangs or dies is replaced. */
async function judgeAll(
  common: Pick<MutateInput, 'specimens' | 'mutations' | 'reads' | 'memtable'>,
  indexes: readonly number[],
  thorough: boolean,
  report: (index: number, what: string, isFailure: boolean) => void,
): Promise<void> {
  for (let left = indexes; left.length > 0; ) {
    const stuckAt = await new Promise<number | undefined>((resolve) => {
      const progress = new Int32Array(new SharedArrayBuffer(4));
      const thoroughEvery = thorough ? 1 : THOROUGH_EVERY;
      const input: MutateInput = { ...common, indexes: left, thoroughEvery, progress };
      const entry = programEntry('./mutate.worker', import.meta.url);
      const worker = new Worker(entry.path, { workerData: input, execArgv: [...entry.execArgv] });
      const current = (): number => Atomics.load(progress, 0) - 1;
      let seen = -2;
      const watchdog = setInterval(() => {
        const now = current();
        if (now >= 0 && now === seen) {
          report(now, `hangs: no answer within ${HANG_MS} ms`, true);
          finish(now);
          void worker.terminate();
        }
        seen = now;
      }, HANG_MS);
      const finish = (stuck: number | undefined): void => {
        clearInterval(watchdog);
        worker.removeAllListeners();
        resolve(stuck);
      };
      worker.on('message', ({ index, verdict, failure }: MutateReply) => {
        report(index, failure ?? verdict!, failure !== undefined);
      });
      worker.on('error', (error) => {
        const at = Math.max(current(), left[0]!);
        report(at, `ends the thread: ${error instanceof Error ? error.stack : String(error)}`, true);
        finish(at);
      });
      worker.on('exit', () => finish(undefined));
    });
    left = stuckAt === undefined ? [] : left.slice(left.indexOf(stuckAt) + 1);
  }
}

function checkPlace(specimens: readonly Specimen[], only: Mutation): Mutation {
  const bytes = specimens.find(({ name }) => name === only.specimen)?.files.get(only.file);
  if (bytes !== undefined && only.offset < bytes.length && only.bit < 8) return only;
  const known = specimens.map(({ name, files }) => `${name}: ${[...files.keys()].join(' ')}`);
  throw new Error(`no such place in the specimens; there are\n${known.join('\n')}`);
}

function kindOf(file: string): string {
  const named = /^(MANIFEST|OPTIONS)-/.exec(file)?.[1];
  return named?.toLowerCase() ?? file.slice(file.lastIndexOf('.') + 1);
}
