/**
 * The loop of a job thread: takes requests off its port, drives each job to its end, replies, raises the wake word.
 * Called once by the worker entry (engine/workers/job.worker.ts), which brings the job table.
 */
import { workerData } from 'node:worker_threads';
import type { FileSystem } from '../fs/file-system.ts';
import { packError } from './error-transfer.ts';
import type { JobTable } from './job-runner.ts';
import type { WorkerData, WorkerReply, WorkerRequest } from './protocol.ts';

export function serveJobs(jobs: JobTable, fs: FileSystem, ready: Promise<void>): void {
  const { port, wake } = workerData as WorkerData;
  port.on('message', (request: WorkerRequest | undefined) => {
    if (request === undefined) {
      port.close();
      return;
    }
    void ready.then(() => {
      const reply = run(jobs, fs, request);
      port.postMessage(reply);
      Atomics.add(wake, 0, 1);
      Atomics.notify(wake, 0);
    });
  });
}

function run(jobs: JobTable, fs: FileSystem, request: WorkerRequest): WorkerReply {
  try {
    const code = jobs[request.name];
    if (code === undefined) throw new Error(`no job named ${request.name}`);
    const cancelled = (): boolean => Atomics.load(request.cancel, 0) !== 0;
    const steps = code(request.input as never, { fs, cancelled });
    for (;;) {
      const step = steps.next();
      if (step.done === true) return { id: request.id, ok: true, output: step.value };
    }
  } catch (error) {
    return { id: request.id, ok: false, error: packError(error) };
  }
}
