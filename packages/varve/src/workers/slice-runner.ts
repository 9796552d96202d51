/**
 * Runs jobs in time slices on the owner's thread, where worker threads are not available or the files live in memory.
 *
 * Each lane works through its queue in order; lanes take turns (a simulation chooses whose turn it is through `pick`).
 * One slice per turn of the event loop lasts about `sliceMs`; in a simulation a slice is one step of one generator.
 */
import type { Clock } from '../base/clock.ts';
import type { FileSystem } from '../fs/file-system.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import {
  type JobContext,
  type JobOutcome,
  type JobRequest,
  type JobRunner,
  type JobTable,
  type Lane,
  type RunningJob,
  workerLost,
} from './job-runner.ts';

interface SliceJob {
  readonly steps: Generator<void, unknown>;
  readonly done: (outcome: JobOutcome) => void;
  cancelled: boolean;
}

export interface SliceRunnerOptions {
  readonly fs: FileSystem;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly jobs: JobTable;
  /** Milliseconds of work per turn; 0 means one step per turn. */
  readonly sliceMs?: number;
  /** Unique ids of new tables; from the system's random source by default. */
  readonly uniqueId?: (() => Uint8Array) | undefined;
  /** User code by its number. */
  readonly userCode?: (id: number) => unknown;
  /** Chooses among `count` busy lanes; round robin by default. */
  readonly pick?: (count: number) => number;
  /** Asked before every step: does the thread die that a job of the lane is thought to run in? For simulations. */
  readonly losesJob?: ((lane: Lane) => boolean) | undefined;
}

export class SliceRunner implements JobRunner {
  readonly kind = 'slices';
  readonly #options: SliceRunnerOptions;
  readonly #lanes = new Map<Lane, SliceJob[]>();
  #turn = 0;
  #scheduled = false;
  #closed = false;
  #delivered = 0;
  #holds = 0;

  constructor(options: SliceRunnerOptions) {
    this.#options = options;
  }

  start(request: JobRequest, done: (outcome: JobOutcome) => void): RunningJob {
    const code = this.#options.jobs[request.name];
    if (code === undefined) throw new Error(`no job named ${request.name}`);
    const { fs, uniqueId, userCode } = this.#options;
    const context: JobContext = {
      fs,
      cancelled: () => job.cancelled || this.#closed,
      ...(uniqueId === undefined ? {} : { uniqueId }),
      ...(userCode === undefined ? {} : { code: ({ id }) => userCode(id) }),
    };
    const job: SliceJob = { steps: code(request.input as never, context), done, cancelled: false };
    const lane = this.#lanes.get(request.lane);
    if (lane === undefined) this.#lanes.set(request.lane, [job]);
    else lane.push(job);
    this.#schedule();
    return {
      cancel: () => {
        job.cancelled = true;
      },
    };
  }

  prepare(): void {
    // Slices start at once.
  }

  poll(): number {
    return 0;
  }

  wait(ms: number): boolean {
    const until = this.#options.clock.monotonic() + ms;
    const before = this.#delivered;
    while (this.#delivered === before && this.#step()) {
      if (this.#options.clock.monotonic() >= until) break;
    }
    return this.#delivered !== before;
  }

  hold(): void {
    if (this.#holds++ === 0) this.#options.scheduler.keepAlive?.(true);
  }

  unhold(): void {
    if (--this.#holds === 0) this.#options.scheduler.keepAlive?.(false);
  }

  close(): Promise<void> {
    this.#closed = true;
    while (this.#step());
    return Promise.resolve();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#options.scheduler.soon(() => {
      this.#scheduled = false;
      this.#slice();
    });
  }

  #slice(): void {
    const { clock, sliceMs = 2 } = this.#options;
    const until = clock.monotonic() + sliceMs;
    while (this.#step()) if (sliceMs === 0 || clock.monotonic() >= until) break;
    if (this.#busyLanes().length > 0) this.#schedule();
  }

  #busyLanes(): [Lane, SliceJob[]][] {
    return [...this.#lanes].filter(([, jobs]) => jobs.length > 0);
  }

  /** One step of one job; false when there is nothing to do. */
  #step(): boolean {
    const busy = this.#busyLanes();
    if (busy.length === 0) return false;
    const { pick, losesJob } = this.#options;
    const [name, lane] = busy[pick === undefined ? this.#turn++ % busy.length : pick(busy.length)]!;
    const job = lane[0]!;
    // Whoever dies does not clean up: the generator is left as it stands.
    const outcome = losesJob?.(name) === true ? { ok: false as const, error: workerLost() } : advance(job);
    if (outcome !== undefined) {
      lane.shift();
      this.#delivered++;
      job.done(outcome);
    }
    return true;
  }
}

function advance(job: SliceJob): JobOutcome | undefined {
  try {
    const step = job.steps.next();
    return step.done === true ? { ok: true, output: step.value } : undefined;
  } catch (error) {
    return { ok: false, error };
  }
}
