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
import { UserModules } from './user-modules.ts';
import { STARTED, type WorkerData, type WorkerReply, type WorkerRequest } from './protocol.ts';

export function serveJobs(jobs: JobTable, fs: FileSystem, ready: Promise<void>): void {
  const { port, wake, niceness } = workerData as WorkerData;
  lowerPriority(niceness);
  const post = (reply: WorkerReply, memory: readonly ArrayBuffer[]): void => {
    port.postMessage(reply, memory);
    Atomics.add(wake, 0, 1);
    Atomics.notify(wake, 0);
  };
  const modules = new UserModules();
  let loading: Promise<void> | undefined;
  const work = (request: WorkerRequest): void => {
    const memory: ArrayBuffer[] = [];
    const reply = run(jobs, fs, request, memory, modules);
    post(reply, reply.ok ? memory : []);
  };
  const take = (request: WorkerRequest | undefined): void => {
    if (request === undefined) {
      port.close();
      return;
    }
    const missing = modules.missing(request.modules);
    if (missing.length === 0) {
      work(request);
      return;
    }
    loading = modules.load(missing).then(() => {
      loading = undefined;
      work(request);
    });
  };
  port.on('message', (request: WorkerRequest | undefined) => {
    if (loading === undefined) take(request);
    else void loading.then(() => take(request));
  });
  void ready.then(() => post({ id: STARTED, ok: true, output: undefined }, []));
}

function run(
  jobs: JobTable,
  fs: FileSystem,
  request: WorkerRequest,
  memory: ArrayBuffer[],
  modules: UserModules,
): WorkerReply {
  try {
    const code = jobs[request.name];
    if (code === undefined) throw new Error(`no job named ${request.name}`);
    const cancelled = (): boolean => Atomics.load(request.cancel, 0) !== 0;
    const transfer = (piece: ArrayBuffer): void => void memory.push(piece);
    const pause = (ms: number): void => void Atomics.wait(request.cancel, 0, 0, ms);
    const steps = code(request.input as never, { fs, cancelled, transfer, pause, code: modules.find });
    for (;;) {
      const step = steps.next();
      if (step.done === true) return { id: request.id, ok: true, output: step.value };
    }
  } catch (error) {
    return { id: request.id, ok: false, error: packError(error) };
  }
}
