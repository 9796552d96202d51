/**
 * One process of RocksDB's own C++ db_bench, when it is on the PATH; the project does not depend on it.
 * Used by `compare` (db-bench.ts) and by `large`.
 */
import { spawn } from 'node:child_process';

export const PROGRAM = 'db_bench';
/** Why an engine is left out, and what to do. */
export const MISSING: string = `${PROGRAM} is not on the PATH; install RocksDB's tools (Debian: apt-get install rocksdb-tools)`;
const STDERR_MAX = 2_000;
/** Level 1 of Varve's default: 64 MiB; db_bench's own default is 256 MiB. */
const LEVEL_BASE_BYTES = 64 * 2 ** 20;

/** What Varve is opened with too: entries, cache, memtables, level 1, filters. */
export interface SharedSizes {
  readonly num: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly cacheBytes: number;
  readonly memtableBytes: number;
}

/** The flags of every run beside Varve. */
export function sharedFlags(sizes: SharedSizes): string[] {
  return [
    `--num=${sizes.num}`,
    `--key_size=${sizes.keySize}`,
    `--value_size=${sizes.valueSize}`,
    '--threads=1',
    '--compression_type=none',
    '--bloom_bits=10',
    `--cache_size=${sizes.cacheBytes}`,
    `--write_buffer_size=${sizes.memtableBytes}`,
    '--max_write_buffer_number=2',
    `--max_bytes_for_level_base=${LEVEL_BASE_BYTES}`,
  ];
}

/** True for the error of a program that is not there. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** The standard output; its standard error is progress. */
export function runDbBenchProcess(args: readonly string[], signal: AbortSignal | undefined): Promise<string> {
  const child = spawn(PROGRAM, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal !== undefined && { signal }),
  });
  let output = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_MAX);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      // Of one that did start the end is waited for, since its directory will be removed.
      if (child.pid === undefined) reject(error);
    });
    child.once('close', (code, ended) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${PROGRAM} ended with ${ended ?? `exit code ${code}`}: ${stderr.trim()}`));
    });
  });
}
