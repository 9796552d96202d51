/**
 * db_bench beside the figures of Varve: the same entries, memtables, levels, cache, filters and size of tables, one thread, no
 * compression, and the log on, not waited for. Where it is not installed every call resolves with undefined.
 */
import { parseLines } from '../compare/db-bench-output.ts';
import { isMissing, runDbBenchProcess, sharedFlags } from '../compare/db-bench-process.ts';
import { parseWritten, type RocksWritten } from './rocks-output.ts';
import type { Sizes } from './tasks/results.ts';

/** Size of tables in level 1, doubling below: Varve's default; db_bench's own is 64 MiB. */
const TABLE_BYTES = 8 * 2 ** 20;

export interface RocksFilled {
  readonly opsPerSecond: number;
  readonly written: RocksWritten | undefined;
}

export interface Rocks {
  /** Fills the empty directory `path`, and lets flushes and compactions end. */
  fill(path: string, sizes: Sizes, signal: AbortSignal): Promise<RocksFilled | undefined>;
  /** Random gets a second on what `fill` left: of two runs in one process the second. */
  read(path: string, sizes: Sizes, signal: AbortSignal): Promise<number | undefined>;
}

export const rocks: Rocks = {
  async fill(path, sizes, signal) {
    const benchmarks = ['filluniquerandom', 'flush', 'waitforcompaction', 'stats'];
    const output = await run(benchmarks, flagsOf(path, sizes), signal);
    if (output === undefined) return undefined;
    return { opsPerSecond: rateOf(output, benchmarks[0]!), written: parseWritten(output) };
  },
  async read(path, sizes, signal) {
    const flags = [...flagsOf(path, sizes), '--use_existing_db=true', `--reads=${sizes.reads}`];
    const output = await run(['readrandom', 'readrandom'], flags, signal);
    return output === undefined ? undefined : rateOf(output, 'readrandom');
  },
};

/** The standard output; undefined when there is no db_bench. */
async function run(
  benchmarks: readonly string[],
  flags: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await runDbBenchProcess([`--benchmarks=${benchmarks.join(',')}`, ...flags], signal);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function flagsOf(path: string, sizes: Sizes): string[] {
  return [
    `--db=${path}`,
    ...sharedFlags(sizes),
    `--seed=${sizes.seed}`,
    `--target_file_size_base=${TABLE_BYTES}`,
    '--target_file_size_multiplier=2',
  ];
}

/** Of the last run of a benchmark. */
function rateOf(output: string, benchmark: string): number {
  const line = parseLines(output).findLast((one) => one.benchmark === benchmark);
  if (line === undefined) throw new Error(`db_bench printed no result of ${benchmark}`);
  return line.opsPerSecond;
}
