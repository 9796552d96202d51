/**
 * Runs jobs in worker threads: one thread for log and manifest I/O, one for flushes, some for compactions. Threads start
 * with the first job of their lane and are unreferenced: they keep the process alive only while a promise waits (`hold`).
 *
 * Delivery needs no turn of the event loop: a thread posts its outcome and then raises the shared wake word, so the
 * owner can look with one load (`poll`) or park on the word (`wait`) and take messages off the ports synchronously.
 *
 *   wake word (Int32): written by workers with Atomics.add after each posted message, read by the owner.
 *   cancel word (Int32, one per job): written by the owner, read by the job.
 */
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import { internal } from '../base/errors.ts';
import { systemScheduler } from '../runtime/scheduler.ts';
import { reviveError } from './error-transfer.ts';
import type { JobOutcome, JobRequest, JobRunner, Lane, RunningJob } from './job-runner.ts';
import type { WorkerData, WorkerReply, WorkerRequest } from './protocol.ts';

interface PendingJob {
  readonly request: WorkerRequest;
  readonly done: (outcome: JobOutcome) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  current: PendingJob | undefined;
}

export interface ThreadRunnerOptions {
  /** Entry file of the threads. */
  readonly entry: URL;
  /** Threads per lane. */
  readonly threads: Readonly<Record<Lane, number>>;
}

export class ThreadRunner implements JobRunner {
  readonly kind = 'threads';
  readonly #entry: URL;
  readonly #limits: Readonly<Record<Lane, number>>;
  readonly #threads: Record<Lane, Thread[]> = { io: [], flush: [], compaction: [] };
  readonly #queues: Record<Lane, PendingJob[]> = { io: [], flush: [], compaction: [] };
  readonly #wake = new Int32Array(new SharedArrayBuffer(4));
  #seen = 0;
  #holds = 0;
  #nextId = 1;
  #closed = false;

  constructor(options: ThreadRunnerOptions) {
    this.#entry = options.entry;
    this.#limits = options.threads;
  }

  start(request: JobRequest, done: (outcome: JobOutcome) => void): RunningJob {
    const cancel = new Int32Array(new SharedArrayBuffer(4));
    const job = { request: { id: this.#nextId++, name: request.name, input: request.input, cancel }, done };
    this.#queues[request.lane].push(job);
    this.#pump(request.lane);
    return { cancel: () => void Atomics.store(cancel, 0, 1) };
  }

  prepare(lane: Lane): void {
    if (this.#threads[lane].length === 0 && !this.#closed) this.#grow(lane);
  }

  poll(): number {
    const now = Atomics.load(this.#wake, 0);
    if (now === this.#seen) return 0;
    this.#seen = now;
    let delivered = 0;
    for (const lane of lanes) {
      // A copy: delivering an outcome may start another thread.
      const threads = [...this.#threads[lane]];
      for (const thread of threads) {
        for (
          let m = receiveMessageOnPort(thread.port);
          m !== undefined;
          m = receiveMessageOnPort(thread.port)
        ) {
          this.#settle(lane, thread, m.message as WorkerReply);
          delivered++;
        }
      }
    }
    return delivered;
  }

  wait(ms: number): boolean {
    const until = performance.now() + ms;
    for (;;) {
      const seen = Atomics.load(this.#wake, 0);
      if (this.poll() > 0) return true;
      const left = until - performance.now();
      if (left <= 0) return false;
      Atomics.wait(this.#wake, 0, seen, left);
    }
  }

  hold(): void {
    if (this.#holds++ > 0) return;
    // What is waited for may be a timer (a full disk that is tried again) while no thread runs yet.
    systemScheduler.keepAlive?.(true);
    for (const lane of lanes) for (const thread of this.#threads[lane]) thread.port.ref();
  }

  unhold(): void {
    if (--this.#holds > 0) return;
    systemScheduler.keepAlive?.(false);
    for (const lane of lanes) for (const thread of this.#threads[lane]) thread.port.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ended: Promise<unknown>[] = [];
    for (const lane of lanes) {
      for (const job of this.#queues[lane].splice(0))
        job.done({ ok: false, error: internal('the job was cancelled') });
      for (const thread of this.#threads[lane]) {
        if (thread.current !== undefined) Atomics.store(thread.current.request.cancel, 0, 1);
        thread.worker.ref();
        ended.push(new Promise((resolve) => thread.worker.once('exit', resolve)));
        thread.port.postMessage(undefined);
      }
    }
    await Promise.all(ended);
    this.poll();
  }

  #pump(lane: Lane): void {
    const queue = this.#queues[lane];
    while (queue.length > 0 && !this.#closed) {
      const thread = this.#threads[lane].find((t) => t.current === undefined) ?? this.#grow(lane);
      if (thread === undefined) return;
      thread.current = queue.shift()!;
      thread.port.postMessage(thread.current.request);
    }
  }

  #grow(lane: Lane): Thread | undefined {
    if (this.#threads[lane].length >= this.#limits[lane]) return undefined;
    const channel = new MessageChannel();
    const data: WorkerData = { port: channel.port2, wake: this.#wake };
    const worker = new Worker(this.#entry, {
      workerData: data,
      transferList: [channel.port2],
      name: `varve-${lane}`,
      // Threads load this package only: flags of the host (loaders, inspectors, memory limits) are not theirs.
      execArgv: [],
    });
    const thread: Thread = { worker, port: channel.port1, current: undefined };
    worker.unref();
    channel.port1.on('message', (reply: WorkerReply) => this.#settle(lane, thread, reply));
    if (this.#holds === 0) channel.port1.unref();
    worker.on('error', (error) => this.#lost(lane, thread, error));
    worker.on('exit', () => this.#lost(lane, thread, internal('a worker thread ended before its job')));
    this.#threads[lane].push(thread);
    return thread;
  }

  #settle(lane: Lane, thread: Thread, reply: WorkerReply): void {
    const job = thread.current;
    if (job === undefined || job.request.id !== reply.id) return;
    thread.current = undefined;
    try {
      // Before the next job of the lane: what this one says may call that off.
      job.done(
        reply.ok ? { ok: true, output: reply.output } : { ok: false, error: reviveError(reply.error) },
      );
    } finally {
      this.#pump(lane);
    }
  }

  /** A thread died: its job fails, the lane starts another thread for the next one. */
  #lost(lane: Lane, thread: Thread, error: unknown): void {
    const at = this.#threads[lane].indexOf(thread);
    if (at < 0) return;
    this.#threads[lane].splice(at, 1);
    this.poll();
    thread.port.close();
    const job = thread.current;
    thread.current = undefined;
    job?.done({ ok: false, error });
    this.#pump(lane);
  }
}

const lanes: readonly Lane[] = ['io', 'flush', 'compaction'];
