/**
 * Background work as an attached thread has it: what only the owner does is asked of the owner, the rest runs in threads of
 * its own; waiting means to wait until the owner says that something has changed.
 */
import type { JobOutcome, JobRequest, JobRunner, Lane, RunningJob } from '../../workers/job-runner.ts';
import { FEED_WAITS, PROGRESS, SLOT_WAITS, slotAt } from './control-words.ts';
import type { RequestClient } from './requests.ts';

/** Longest sleep before flags are looked at again. */
const PARK_MS = 50;

export interface AttachedRunnerEnv {
  readonly control: Int32Array;
  readonly slot: number;
  readonly client: RequestClient;
  /** Runs the jobs of this thread's own reads. */
  readonly threads: JobRunner;
  /** Throws when the owner is closed or gone. */
  checkOwner(): void;
}

export class AttachedRunner implements JobRunner {
  readonly kind = 'threads';
  readonly #env: AttachedRunnerEnv;

  constructor(env: AttachedRunnerEnv) {
    this.#env = env;
  }

  start(request: JobRequest, done: (outcome: JobOutcome) => void): RunningJob {
    if (request.name !== 'sync-log') return this.#env.threads.start(request, done);
    void this.#askForSync(done);
    return { cancel: () => undefined };
  }

  async #askForSync(done: (outcome: JobOutcome) => void): Promise<void> {
    let outcome: JobOutcome;
    try {
      outcome = { ok: true, output: await this.#env.client.ask('sync', undefined) };
    } catch (error) {
      outcome = { ok: false, error };
    }
    done(outcome);
  }

  /** More of the log has reached a class: tells the owner, if somebody there waits for that. */
  tellProgress(): void {
    const { control, client } = this.#env;
    if (Atomics.load(control, FEED_WAITS) === 0) return;
    if (Atomics.exchange(control, FEED_WAITS, 0) !== 0) client.tell('log-progress', undefined);
  }

  prepare(lane: Lane): void {
    this.#env.threads.prepare(lane);
  }

  poll(): number {
    return this.#env.threads.poll();
  }

  wait(ms: number): boolean {
    const { control, checkOwner } = this.#env;
    const seen = Atomics.load(control, PROGRESS);
    checkOwner();
    return Atomics.wait(control, PROGRESS, seen, Math.min(ms, PARK_MS)) !== 'timed-out';
  }

  /** Has the owner tell when there is room: a promise waits for it. */
  awaitRoom(): void {
    Atomics.store(this.#env.control, slotAt(this.#env.slot) + SLOT_WAITS, 1);
  }

  hold(): void {
    this.#env.threads.hold();
  }

  unhold(): void {
    this.#env.threads.unhold();
  }

  close(): Promise<void> {
    return this.#env.threads.close();
  }
}
