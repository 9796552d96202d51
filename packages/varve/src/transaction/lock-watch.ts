/**
 * Has this thread look again at what it waits for when another thread of a shared database has let go of something: it is
 * notified of a shared word, without a turn of anybody's event loop but its own.
 *
 * Nobody tells of a thread that died. So while somebody waits there is a look once in a while as well, which also keeps the
 * process alive as long. One notification at most is pending; `stop` ends it.
 */
import type { LockRecords } from '../engine/sharing/lock-records.ts';
import type { Scheduler, Timer } from '../runtime/scheduler.ts';
import { waitAsync } from '../runtime/wait-async.ts';

const LOOK_MS = 100;

export class LockWatch {
  readonly #records: LockRecords;
  readonly #scheduler: Scheduler;
  readonly #look: (isThorough: boolean) => boolean;
  #isPending = false;
  #timer: Timer | undefined;
  #isStopped = false;

  /** @param look says whether somebody still waits; thorough: nobody has told of anything */
  constructor(records: LockRecords, scheduler: Scheduler, look: (isThorough: boolean) => boolean) {
    this.#records = records;
    this.#scheduler = scheduler;
    this.#look = look;
  }

  /** Somebody waits. `seen`: the word of wakes when what he waits for was looked at. */
  start(seen: number): void {
    if (this.#isStopped) return;
    this.#timer ??= this.#scheduler.after(LOOK_MS, () => this.#lookedFor(true), true);
    if (this.#isPending) return;
    this.#isPending = true;
    const { words, wakeAt } = this.#records;
    const woken = waitAsync(words, wakeAt, seen) ?? Promise.resolve();
    void woken.then(() => {
      this.#isPending = false;
      this.#lookedFor(false);
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    // What is pending keeps its memory, which may be a closed database's. Others that sleep look once in vain.
    if (this.#isPending) Atomics.notify(this.#records.words, this.#records.wakeAt);
  }

  #lookedFor(isThorough: boolean): void {
    if (this.#isStopped) return;
    // In this order: a wake that comes in between is not missed.
    const seen = this.#records.wakes;
    const isAwaited = this.#look(isThorough);
    if (isThorough || !isAwaited) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    if (isAwaited) this.start(seen);
  }
}
