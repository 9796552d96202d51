/**
 * A lock word between the threads of a shared database, which survives the death of who holds it.
 *
 *   word   0 free, else (times that the slot was taken << 8) | slot + 1: one use of one slot
 *
 * There is no queue. Who finds the lock taken looks again a while, then sleeps, a little longer each time, and tries again;
 * nobody is woken. So a thread that writes in a loop keeps the lock's line and the memtable's lines in its own cache for as
 * long as the others sleep, which is what makes several writers together as fast as one, and a waiter that dies leaves
 * nothing behind. Who has slept longer than a moment asks whether the holder still runs; a dead one is replaced by one
 * compare-and-exchange, and the new holder is told: what the lock guards may be half changed.
 */
import { SLOT_SLEEP, slotAt } from './control-words.ts';
import { generationOf, isLeft, isSlotDead } from './thread-slots.ts';

const SPINS = 64;
const SLEEP_MS_MIN = 0.02;
const SLEEP_MS_MAX = 1;
/** From this sleep on the holder is looked for. */
const SUSPECT_MS = 0.5;

/** What asking for a lock came to. */
export type Acquired = 'taken' | 'busy' | 'inherited';

export class SharedLock {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #slot: number;
  readonly #mine: number;
  /** The word of the dead holder that the lock was last taken from. */
  #from = 0;

  constructor(words: Int32Array, at: number, slot: number) {
    this.#words = words;
    this.#at = at;
    this.#slot = slot;
    this.#mine = (generationOf(words, slot) << 8) | (slot + 1);
  }

  /** Takes the lock if it is free, or if its holder is known to be dead. Does not sleep. */
  tryAcquire(spins: number = SPINS): Acquired {
    const words = this.#words;
    const at = this.#at;
    let holder = Atomics.compareExchange(words, at, 0, this.#mine);
    if (holder === 0) return 'taken';
    for (let i = 0; i < spins; i++) {
      if (Atomics.load(words, at) !== 0) continue;
      holder = Atomics.compareExchange(words, at, 0, this.#mine);
      if (holder === 0) return 'taken';
    }
    return 'busy';
  }

  /** Takes the lock from a holder that is dead. */
  tryInherit(): Acquired {
    const holder = Atomics.load(this.#words, this.#at);
    if (holder === 0) return this.tryAcquire(0);
    if (!isGone(this.#words, holder)) return 'busy';
    if (Atomics.compareExchange(this.#words, this.#at, holder, this.#mine) !== holder) return 'busy';
    this.#from = holder;
    return 'inherited';
  }

  /** Takes the lock; 'busy' only after `ms`. Sleeps in between. */
  acquire(ms: number): Acquired {
    const first = this.tryAcquire();
    return first === 'busy' ? this.#acquireSlowly(ms) : first;
  }

  #acquireSlowly(ms: number): Acquired {
    const words = this.#words;
    const until = performance.now() + ms;
    for (let sleep = SLEEP_MS_MIN; ; sleep = Math.min(SLEEP_MS_MAX, sleep * 1.5)) {
      Atomics.wait(words, slotAt(this.#slot) + SLOT_SLEEP, 0, sleep);
      const acquired = sleep < SUSPECT_MS ? this.tryAcquire() : this.tryInherit();
      if (acquired !== 'busy') return acquired;
      if (performance.now() >= until) return 'busy';
    }
  }

  release(): void {
    Atomics.store(this.#words, this.#at, 0);
  }

  /** After 'inherited': the lock is the dead thread's again, for the next one to inherit. */
  giveBack(): void {
    Atomics.store(this.#words, this.#at, this.#from);
  }

  /** Slot of who holds the lock; -1 when it is free. */
  get holder(): number {
    return (Atomics.load(this.#words, this.#at) & 255) - 1;
  }
}

/** The thread that a lock word names has ended, or has left its slot. */
export function isGone(words: Int32Array, holder: number): boolean {
  const slot = (holder & 255) - 1;
  return isLeft(words, slot, holder >>> 8) || isSlotDead(words, slot, true);
}
