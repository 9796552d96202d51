/**
 * db_bench beside the figures of Varve: the same entries, memtables, levels, cache, filters and size of tables, one thread, no
 * compression, and the log on, not waited for. Where it is not installed every call resolves with undefined.
 */
import { parseLines } from '../compare/db-bench-output.ts';
import { isMissing, runDbBenchProcess } from '../compare/db-bench-process.ts';
import { parseWritten, type RocksWritten } from './rocks-output.ts';
import type { Sizes } from './tasks/results.ts';

/** Defaults of Varve; db_bench's own are 256 MiB and 64 MiB. */
const LEVEL_BASE_BYTES = 64 * 2 ** 20;
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
    `--num=${sizes.num}`,
    `--key_size=${sizes.keySize}`,
    `--value_size=${sizes.valueSize}`,
    `--seed=${sizes.seed}`,
    '--threads=1',
    '--compression_type=none',
    '--bloom_bits=10',
    `--cache_size=${sizes.cacheBytes}`,
    `--write_buffer_size=${sizes.memtableBytes}`,
    '--max_write_buffer_number=2',
    `--max_bytes_for_level_base=${LEVEL_BASE_BYTES}`,
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
