/**
 * Background work as jobs. A job is a generator function that yields about every half millisecond of work; what it is
 * given and what it returns is structured-cloneable data. The same job code runs in two ways behind one interface:
 * in worker threads (thread-runner) or in time slices on the owner's thread (slice-runner: memory, simulated and other
 * file systems, and hosts without worker threads).
 *
 * Lanes keep kinds of work apart: a long compaction never delays a flush, a log sync or a read, and care (removing files,
 * remembering the cache) delays nobody. Outcomes are delivered on the owner's thread, by the event loop or, without a turn
 * of it, by `poll` and `wait`.
 */
import type { CodeSource } from '../base/code-source.ts';
import { VarveError } from '../base/errors.ts';
import type { FileSystem } from '../fs/file-system.ts';

/**
 * `io`: log sync and manifest; `read`: blocks that somebody waits for, a millisecond or so each; `scan`: partitions of a
 * range and tables of an ingestion, tens of milliseconds each; `care`: what nobody waits for.
 */
export type Lane = 'io' | 'flush' | 'compaction' | 'read' | 'scan' | 'care';

export const LANES: readonly Lane[] = ['io', 'flush', 'compaction', 'read', 'scan', 'care'];

export interface JobRequest {
  readonly lane: Lane;
  /** Name in the job table of the runner (engine/workers/jobs.ts). */
  readonly name: string;
  readonly input: unknown;
  /** URLs of the modules whose user code it calls, where it runs in another thread. */
  readonly modules?: readonly string[];
}

export type JobOutcome =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly error: unknown };

/** How a job ends whose thread died: it has cleaned up nothing. */
export function workerLost(cause?: unknown): VarveError {
  return new VarveError('internal', 'WORKER_LOST', 'a worker thread ended before its job', {}, { cause });
}

export interface RunningJob {
  /** Asks the job to stop; its outcome is then an error (or its result, when it was done already). */
  cancel(): void;
}

/** What a job may use besides its input. */
export interface JobContext {
  readonly fs: FileSystem;
  /** True once the job was cancelled: the job cleans up and throws. */
  cancelled(): boolean;
  /** The outcome takes this memory along instead of copying it; left out where the job runs on the owner's thread. */
  transfer?(memory: ArrayBuffer): void;
  /** 16 bytes that no other table has, when a simulation decides them; the system's random source otherwise. */
  uniqueId?(): Uint8Array;
  /** Keeps the thread for a while, or until the job is cancelled; left out where the job runs on the owner's thread. */
  pause?(ms: number): void;
  /** User code, which the thread has; throws where it has not. */
  code?(source: CodeSource): unknown;
}

export type JobTable = Readonly<
  Record<string, (input: never, context: JobContext) => Generator<void, unknown>>
>;

export interface JobRunner {
  readonly kind: 'threads' | 'slices';
  start(request: JobRequest, done: (outcome: JobOutcome) => void): RunningJob;
  /** A job of the lane will come soon: what takes time to start may start now. */
  prepare(lane: Lane): void;
  /** Delivers finished jobs now; returns how many. Cheap when there are none. */
  poll(): number;
  /** Keeps this thread until a job was delivered or `ms` passed; true when one was. */
  wait(ms: number): boolean;
  /** While held, running jobs keep the process alive (a promise waits for them). */
  hold(): void;
  unhold(): void;
  /** Cancels what runs, ends the threads. Outcomes of cancelled jobs are still delivered. */
  close(): Promise<void>;
}
