/** How long somebody waits for a function of theirs: until a time is over or a signal says so. */
import { busy, VarveError } from '../base/errors.ts';
import { Deferred } from '../runtime/deferred.ts';
import type { Scheduler, Timer } from '../runtime/scheduler.ts';

/** The longest time that a timer can be set to, 24 days: later is never. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Patience {
  readonly #over = new Deferred<never>();
  readonly #timer: Timer | undefined;
  readonly #signal: AbortSignal | undefined;
  #error: VarveError | undefined;

  constructor(scheduler: Scheduler, timeoutMs: number | undefined, signal: AbortSignal | undefined) {
    this.#signal = signal;
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
    if (timeoutMs === undefined || timeoutMs > TIMER_MS_MAX) return;
    const message = `the transaction did not go through within ${timeoutMs} ms`;
    this.#timer = scheduler.after(
      timeoutMs,
      () => this.#end(busy('TRANSACTION_TIMEOUT', message, { timeoutMs })),
      true,
    );
  }

  /** What `promise` resolves with, unless patience ends first. What becomes of it then is of no interest. */
  async race<T>(promise: Promise<T>): Promise<T> {
    const first = Promise.race([promise, this.#over.promise]);
    // Whatever becomes of the promise is looked at by the race, also when it is not waited for.
    first.catch(() => undefined);
    this.check();
    return first;
  }

  /** Rejects when it is over. */
  get over(): Promise<never> {
    return this.#over.promise;
  }

  /** @throws VarveError `TRANSACTION_TIMEOUT` or `ABORTED` (busy) once it is over */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  end(): void {
    this.#timer?.cancel();
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => {
    const cause: unknown = this.#signal?.reason;
    this.#end(new VarveError('busy', 'ABORTED', 'the transaction was aborted', {}, { cause }));
  };

  #end(error: VarveError): void {
    this.#error ??= error;
    this.#over.reject(error);
  }
}
