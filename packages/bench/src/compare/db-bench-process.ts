/**
 * One process of RocksDB's own C++ db_bench, when it is on the PATH; the project does not depend on it.
 * Used by `compare` (db-bench.ts) and by `large`.
 */
import { spawn } from 'node:child_process';

export const PROGRAM = 'db_bench';
/** Why an engine is left out, and what to do. */
export const MISSING: string = `${PROGRAM} is not on the PATH; install RocksDB's tools (Debian: apt-get install rocksdb-tools)`;
const STDERR_MAX = 2_000;

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
