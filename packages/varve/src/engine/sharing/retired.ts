/**
 * What the owner of a shared database gives back once no thread can be reading it any more: memtables whose flush is
 * installed, files that no version names. In the order of retiring, which is the order of the stamps.
 */
import type { Timer, Scheduler } from '../../runtime/scheduler.ts';
import { isPast, retire } from './epochs.ts';

/** A thread that is in the middle of an operation will soon be done; one that is not scheduled may take longer. */
const LOOK_MS = 5;

export class Retired {
  readonly #control: Int32Array;
  readonly #scheduler: Scheduler;
  readonly #freed: () => void;
  #waiting: { readonly stamp: number; readonly free: () => void }[] = [];
  #timer: Timer | undefined;
  #isClosed = false;

  /** @param freed is called after something was given back later than it was retired */
  constructor(control: Int32Array, scheduler: Scheduler, freed: () => void) {
    this.#control = control;
    this.#scheduler = scheduler;
    this.#freed = freed;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Runs `free` when nobody can be reading what was just made unreachable: now, mostly. */
  add(free: () => void): void {
    this.#waiting.push({ stamp: retire(this.#control), free });
    this.collect();
    if (this.#waiting.length > 0) this.#lookLater();
  }

  /** Gives back what can be. True when there was something. */
  collect(): boolean {
    let freed = 0;
    while (freed < this.#waiting.length && isPast(this.#control, this.#waiting[freed]!.stamp)) freed++;
    // Out of the list first: what gives back may retire more.
    for (const { free } of this.#waiting.splice(0, freed)) free();
    return freed > 0;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#waiting = [];
  }

  #lookLater(): void {
    this.#timer ??= this.#scheduler.after(LOOK_MS, () => {
      this.#timer = undefined;
      if (this.#isClosed) return;
      if (this.collect()) this.#freed();
      if (this.#waiting.length > 0) this.#lookLater();
    });
  }
}
