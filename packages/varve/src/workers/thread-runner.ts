/**
 * Runs jobs in worker threads, some for each lane. Threads start with the first job of their lane (or with `prepare`) and
 * are unreferenced: they keep the process alive only while a promise waits (`hold`). A thread is given jobs once it has
 * started: until then an idle thread of another lane may take them (`HELPS`).
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
import {
  type JobOutcome,
  type JobRequest,
  type JobRunner,
  type Lane,
  LANES,
  type RunningJob,
  workerLost,
} from './job-runner.ts';
import { STARTED, type WorkerData, type WorkerReply, type WorkerRequest } from './protocol.ts';

interface PendingJob {
  readonly request: WorkerRequest;
  readonly done: (outcome: JobOutcome) => void;
}

interface Thread {
  readonly lane: Lane;
  readonly worker: Worker;
  readonly port: MessagePort;
  hasStarted: boolean;
  current: PendingJob | undefined;
}

/**
 * Whose jobs an idle thread takes, after those of its own lane and in this order. Only short ones: a sync or a flush waits
 * behind nothing, a compaction or care at most behind one read or one partition.
 */
const HELPS: Readonly<Record<Lane, readonly Lane[]>> = {
  io: [],
  flush: [],
  compaction: ['read', 'scan'],
  read: [],
  scan: ['read'],
  care: ['read'],
};

/**
 * What the system is told of a lane's threads (priority.ts). Writes wait for syncs and flushes; compaction and care only have to
 * keep up, and back-pressure sees to it that they do.
 */
const NICENESS: Readonly<Record<Lane, number>> = {
  io: 0,
  flush: 0,
  compaction: 10,
  read: 0,
  scan: 5,
  care: 15,
};

const YOUNG_GENERATION_MIB = 3;

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
  readonly #threads: Thread[] = [];
  readonly #queues = new Map<Lane, PendingJob[]>(LANES.map((lane) => [lane, []]));
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
    const { name, input, modules } = request;
    const job = { request: { id: this.#nextId++, name, input, modules, cancel }, done };
    this.#queueOf(request.lane).push(job);
    this.#pump(request.lane);
    return { cancel: () => callOff(job.request) };
  }

  prepare(lane: Lane): void {
    if (!this.#closed && !this.#threads.some((thread) => thread.lane === lane)) this.#grow(lane);
  }

  poll(): number {
    const now = Atomics.load(this.#wake, 0);
    if (now === this.#seen) return 0;
    this.#seen = now;
    let delivered = 0;
    // A copy: delivering an outcome may start another thread.
    for (const thread of this.#threads.slice()) {
      for (
        let m = receiveMessageOnPort(thread.port);
        m !== undefined;
        m = receiveMessageOnPort(thread.port)
      ) {
        if (this.#settle(thread, m.message as WorkerReply)) delivered++;
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
    for (const thread of this.#threads) thread.port.ref();
  }

  unhold(): void {
    if (--this.#holds > 0) return;
    systemScheduler.keepAlive?.(false);
    for (const thread of this.#threads) thread.port.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ended: Promise<unknown>[] = [];
    for (const queue of this.#queues.values()) {
      for (const job of queue.splice(0)) job.done({ ok: false, error: internal('the job was cancelled') });
    }
    for (const thread of this.#threads) {
      if (thread.current !== undefined) callOff(thread.current.request);
      thread.worker.ref();
      ended.push(new Promise((resolve) => thread.worker.once('exit', resolve)));
      thread.port.postMessage(undefined);
    }
    await Promise.all(ended);
    this.poll();
  }

  #queueOf(lane: Lane): PendingJob[] {
    return this.#queues.get(lane)!;
  }

  /** Gives the lane's jobs to threads that are idle, and starts threads for the others. */
  #pump(lane: Lane): void {
    const queue = this.#queueOf(lane);
    while (queue.length > 0 && !this.#closed) {
      const thread = this.#idle(lane);
      if (thread === undefined) break;
      thread.current = queue.shift()!;
      thread.port.postMessage(thread.current.request);
    }
    let starting = 0;
    for (const thread of this.#threads) if (thread.lane === lane && !thread.hasStarted) starting++;
    while (starting < queue.length && !this.#closed && this.#grow(lane)) starting++;
  }

  /** A thread of the lane, or one that helps it. */
  #idle(lane: Lane): Thread | undefined {
    let helper: Thread | undefined;
    for (const thread of this.#threads) {
      if (!thread.hasStarted || thread.current !== undefined) continue;
      if (thread.lane === lane) return thread;
      if (helper === undefined && HELPS[thread.lane].includes(lane)) helper = thread;
    }
    return helper;
  }

  /** False when the lane has as many threads as it may. */
  #grow(lane: Lane): boolean {
    if (this.#threads.filter((thread) => thread.lane === lane).length >= this.#limits[lane]) return false;
    const channel = new MessageChannel();
    const data: WorkerData = { port: channel.port2, wake: this.#wake, niceness: NICENESS[lane] };
    const worker = new Worker(this.#entry, {
      workerData: data,
      transferList: [channel.port2],
      name: `varve-${lane}`,
      // Threads load this package only: flags of the host (loaders, inspectors, memory limits) are not theirs.
      execArgv: [],
      // Jobs leave little garbage; the usual young generation would take three times the memory of all else.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    const thread: Thread = { lane, worker, port: channel.port1, hasStarted: false, current: undefined };
    worker.unref();
    channel.port1.on('message', (reply: WorkerReply) => this.#settle(thread, reply));
    if (this.#holds === 0) channel.port1.unref();
    worker.on('error', (error) => this.#lost(thread, error));
    worker.on('exit', () => this.#lost(thread, undefined));
    this.#threads.push(thread);
    return true;
  }

  /** True when a job ended. */
  #settle(thread: Thread, reply: WorkerReply): boolean {
    if (reply.id === STARTED) {
      thread.hasStarted = true;
      this.#isIdle(thread);
      return false;
    }
    const job = thread.current;
    if (job === undefined || job.request.id !== reply.id) return false;
    thread.current = undefined;
    try {
      // Before the next job of the lane: what this one says may call that off.
      job.done(
        reply.ok ? { ok: true, output: reply.output } : { ok: false, error: reviveError(reply.error) },
      );
    } finally {
      this.#isIdle(thread);
    }
    return true;
  }

  #isIdle(thread: Thread): void {
    this.#pump(thread.lane);
    for (const lane of HELPS[thread.lane]) {
      if (thread.current !== undefined) return;
      this.#pump(lane);
    }
  }

  /** A thread died: its job fails, the lane starts another thread for the next one. */
  #lost(thread: Thread, cause: unknown): void {
    const at = this.#threads.indexOf(thread);
    if (at < 0) return;
    this.#threads.splice(at, 1);
    this.poll();
    thread.port.close();
    // One that could not start fails a job too: where none ever starts nobody waits for good.
    const job = thread.hasStarted ? thread.current : this.#queueOf(thread.lane).shift();
    thread.current = undefined;
    job?.done({ ok: false, error: workerLost(cause) });
    this.#pump(thread.lane);
  }
}

/** Also one that pauses. */
function callOff({ cancel }: WorkerRequest): void {
  Atomics.store(cancel, 0, 1);
  Atomics.notify(cancel, 0);
}
