/**
 * Awaited writes that wait for room, first come first served. One timer, for the head; whoever makes room calls `serve`.
 * Owner's thread, or the thread that is attached.
 */
import type { VarveError } from '../base/errors.ts';
import { Deferred } from '../runtime/deferred.ts';
import type { Scheduler, Timer } from '../runtime/scheduler.ts';

const LEAST_MS = 1;

interface Waiter {
  readonly bytes: number;
  readonly turn: Deferred<void>;
  state: 'waits' | 'granted' | 'gone';
}

export interface WriteQueueEnv {
  readonly scheduler: Scheduler;
  /** Milliseconds until the next write may go; Infinity: not before `serve` is called. */
  owedMs(): number;
  /** Nobody may go before something changes: starts what can, and has this thread told of it. */
  stalled(): void;
  /** A write may go: it counts from now on. */
  grant(bytes: number): void;
  /** It was granted and will not come. */
  takeBack(bytes: number): void;
}

export class WriteQueue {
  readonly #env: WriteQueueEnv;
  readonly #waiters = new Set<Waiter>();
  #timer: Timer | undefined;
  /** Why nobody waits here any more. */
  #ended: VarveError | undefined;

  constructor(env: WriteQueueEnv) {
    this.#env = env;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /** Resolves when it is the turn of a write of `bytes`, which is granted then; rejects when `giveUp` does. */
  async turn(bytes: number, giveUp: Promise<never> | undefined): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    const waiter: Waiter = { bytes, turn: new Deferred<void>(), state: 'waits' };
    this.#waiters.add(waiter);
    this.serve();
    const turn = waiter.turn.promise;
    try {
      await (giveUp === undefined ? turn : Promise.race([turn, giveUp]));
    } catch (error) {
      if (waiter.state === 'granted') this.#env.takeBack(bytes);
      this.#waiters.delete(waiter);
      waiter.state = 'gone';
      throw error;
    }
  }

  /** Lets go whoever may; the others wait for their time, or for the next call. */
  serve(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const waiter of this.#waiters) {
      let owedMs = this.#env.owedMs();
      if (owedMs === Number.POSITIVE_INFINITY) {
        this.#env.stalled();
        // What came before this thread asked to be told is told to nobody.
        owedMs = this.#env.owedMs();
      }
      // What was started may have served others, and this one.
      if (waiter.state !== 'waits') continue;
      if (owedMs > 0) {
        if (owedMs < Number.POSITIVE_INFINITY) this.#serveAfter(owedMs);
        return;
      }
      this.#waiters.delete(waiter);
      waiter.state = 'granted';
      this.#env.grant(waiter.bytes);
      waiter.turn.resolve();
    }
  }

  /** Who waits gets the error, and so does who comes. */
  abandon(error: VarveError): void {
    this.#ended = error;
    this.#timer?.cancel();
    for (const waiter of this.#waiters) waiter.turn.reject(error);
    this.#waiters.clear();
  }

  #serveAfter(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#env.scheduler.after(Math.max(LEAST_MS, Math.ceil(ms)), () => this.serve());
  }
}
