/**
 * Entry of the threads in thread-runner.test.ts: jobs that wait for a word of shared memory, so that a test decides when
 * each ends.
 */
import type { FileSystem } from '../fs/file-system.ts';
import type { JobContext, JobTable } from './job-runner.ts';
import { serveJobs } from './serve-jobs.ts';

export interface GateInput {
  /** Word 0 is raised when the job begins; it ends when word 1 is not 0, or when it is cancelled. */
  readonly gate: Int32Array;
}

function* gate(input: GateInput, context: JobContext): Generator<void, string> {
  Atomics.add(input.gate, 0, 1);
  while (Atomics.load(input.gate, 1) === 0) {
    if (context.cancelled()) throw new Error('the job was cancelled');
    yield;
  }
  return 'through';
}

function* hand(_input: undefined, context: JobContext): Generator<void, Uint8Array> {
  const bytes = new Uint8Array(1024 * 1024).fill(7);
  context.transfer?.(bytes.buffer);
  yield;
  return bytes;
}

function* fail(): Generator<void, void> {
  yield;
  throw new RangeError('as it was told');
}

function* exit(): Generator<void, void> {
  yield;
  process.exit(3);
}

const jobs: JobTable = { gate, hand, fail, exit };

serveJobs(jobs, { name: 'none', threads: 'none' } as FileSystem, Promise.resolve());
