/**
 * The loop of a job thread: takes requests off its port, drives each job to its end, replies, raises the wake word.
 * Memory that a job hands over goes along with its reply, it is not copied.
 * Called once by the worker entry (engine/workers/job.worker.ts), which brings the job table.
 */
import { workerData } from 'node:worker_threads';
import type { FileSystem } from '../fs/file-system.ts';
import { packError } from './error-transfer.ts';
import type { JobTable } from './job-runner.ts';
import { lowerPriority } from './priority.ts';
import { STARTED, type WorkerData, type WorkerReply, type WorkerRequest } from './protocol.ts';

export function serveJobs(jobs: JobTable, fs: FileSystem, ready: Promise<void>): void {
  const { port, wake, niceness } = workerData as WorkerData;
  lowerPriority(niceness);
  const post = (reply: WorkerReply, memory: readonly ArrayBuffer[]): void => {
    port.postMessage(reply, memory);
    Atomics.add(wake, 0, 1);
    Atomics.notify(wake, 0);
  };
  port.on('message', (request: WorkerRequest | undefined) => {
    if (request === undefined) {
      port.close();
      return;
    }
    const memory: ArrayBuffer[] = [];
    const reply = run(jobs, fs, request, memory);
    post(reply, reply.ok ? memory : []);
  });
  void ready.then(() => post({ id: STARTED, ok: true, output: undefined }, []));
}

function run(jobs: JobTable, fs: FileSystem, request: WorkerRequest, memory: ArrayBuffer[]): WorkerReply {
  try {
    const code = jobs[request.name];
    if (code === undefined) throw new Error(`no job named ${request.name}`);
    const cancelled = (): boolean => Atomics.load(request.cancel, 0) !== 0;
    const transfer = (piece: ArrayBuffer): void => void memory.push(piece);
    const pause = (ms: number): void => void Atomics.wait(request.cancel, 0, 0, ms);
    const steps = code(request.input as never, { fs, cancelled, transfer, pause });
    for (;;) {
      const step = steps.next();
      if (step.done === true) return { id: request.id, ok: true, output: step.value };
    }
  } catch (error) {
    return { id: request.id, ok: false, error: packError(error) };
  }
}
