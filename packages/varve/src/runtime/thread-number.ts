/**
 * The number by which the system knows the calling thread, which is another one than that of node:worker_threads.
 */
import { readlinkSync } from 'node:fs';

/** Only on Linux, which lists the threads of a process under `/proc`. @throws where that is missing. */
export function threadNumber(): number {
  return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
}
