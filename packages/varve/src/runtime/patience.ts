/** How long somebody waits: until a time is over or a signal says so. What they are told then, they bring. */
import { Deferred } from './deferred.ts';
import type { Scheduler, Timer } from './scheduler.ts';

/** Made when it is over, of what is so then. */
export interface PatienceErrors {
  late(timeoutMs: number): Error;
  aborted(reason: unknown): Error;
}

export class Patience {
  readonly #over = new Deferred<never>();
  readonly #timer: Timer | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #errors: PatienceErrors;
  #error: Error | undefined;

  constructor(
    scheduler: Scheduler,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
    errors: PatienceErrors,
  ) {
    this.#signal = signal;
    this.#errors = errors;
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
    if (timeoutMs === undefined) return;
    this.#timer = scheduler.after(timeoutMs, () => this.#end(errors.late(timeoutMs)), true);
  }

  /** Rejects when it is over, and never resolves. */
  get over(): Promise<never> {
    return this.#over.promise;
  }

  /** What `promise` resolves with, unless patience ends first. What becomes of it then is of no interest. */
  async race<T>(promise: Promise<T>): Promise<T> {
    const first = Promise.race([promise, this.over]);
    // Whatever becomes of the promise is looked at by the race, also when it is not waited for.
    first.catch(() => undefined);
    this.check();
    return first;
  }

  /** @throws the error once it is over */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  end(): void {
    this.#timer?.cancel();
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => this.#end(this.#errors.aborted(this.#signal?.reason));

  #end(error: Error): void {
    this.#error ??= error;
    this.#over.reject(error);
  }
}
