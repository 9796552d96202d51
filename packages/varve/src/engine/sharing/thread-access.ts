/**
 * How a thread gets at what it shares with others: `enter` and `leave` around every operation that reads, `lock` and `unlock`
 * around every one that changes something. One object a thread, the owner's included; a database that is not shared has none.
 *
 * Inside `enter` nothing that the thread can reach is reused (epochs.ts), and its views are those of the current generation.
 * Inside `lock`, which enters too, the thread is the only one that writes: memtables, log, words of views. A lock that is
 * taken over from a thread that died is handed out after `repair`: what that thread had begun is then whole.
 * Both nest: codecs are user code and may come back.
 */
import { busy } from '../../base/errors.ts';
import { loadInOrder } from '../../runtime/load-in-order.ts';
import { FLAGS, GENERATION, VISIBLE, WRITE_LOCK } from './control-words.ts';
import { pin, unpin } from './epochs.ts';
import { loadSequence } from './sequence-words.ts';
import { SharedLock } from './shared-lock.ts';

/** What differs between the owner and an attached thread. */
export interface AccessHooks {
  /** A flag of the database is up: throws when this thread may not go on. */
  flagged(flags: number): void;
  /** Makes the views those of the generation; false when it changed meanwhile: asked again then. */
  follow(isCurrent: () => boolean): boolean;
  /** Takes over what the last holder of the lock has published. */
  load(): void;
  /** The last holder died: makes whole what it had begun. `load` comes after. */
  repair(): void;
}

/** Looks at an odd generation before its writer is suspected to be dead. */
const PATIENCE = 10_000;
/** Longest wait for the lock of what can not be refused: a write to a disk that hangs is the longest thing done under it. */
const LOCK_MS_MAX = 60_000;

export class ThreadAccess {
  readonly control: Int32Array;
  readonly slot: number;
  readonly #lock: SharedLock;
  readonly #hooks: AccessHooks;
  #depth = 0;
  #lockDepth = 0;
  #generation = 0;
  /** Set once this thread has given up its slot: why nothing begins any more. */
  #ended: Error | undefined;
  #leaveSlot: (() => void) | undefined;

  constructor(control: Int32Array, slot: number, hooks: AccessHooks) {
    this.control = control;
    this.slot = slot;
    this.#lock = new SharedLock(control, WRITE_LOCK, slot);
    this.#hooks = hooks;
  }

  /** True inside `lock`. */
  get isLocked(): boolean {
    return this.#lockDepth > 0;
  }

  /** Begins an operation. Throws, and has begun nothing, when this thread may not go on. */
  enter(): void {
    if (this.#depth++ > 0) return;
    // Its slot is another thread's by now, and so would be the pin.
    if (this.#ended !== undefined) {
      this.#depth = 0;
      throw this.#ended;
    }
    const { control } = this;
    pin(control, this.slot);
    try {
      const flags = loadInOrder(control, FLAGS);
      if (flags !== 0) this.#hooks.flagged(flags);
      if (loadInOrder(control, GENERATION) !== this.#generation) this.#follow();
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  leave(): void {
    if (--this.#depth > 0) return;
    unpin(this.control, this.slot);
    const leaveSlot = this.#leaveSlot;
    this.#leaveSlot = undefined;
    leaveSlot?.();
  }

  /**
   * This thread takes no part any more: whatever would begin throws `error`. `leaveSlot` gives the slot back, once no
   * operation is in progress: one that is may have called what ends it, from a codec.
   */
  end(error: Error, leaveSlot: () => void): void {
    this.#ended = error;
    if (this.#depth === 0) leaveSlot();
    else this.#leaveSlot = leaveSlot;
  }

  /**
   * The sequence up to which this thread sees. Inside an operation its views hold everything up to that: a memtable that was
   * begun since `enter`, and whose batches are visible now, is looked for here. So the views are to be taken after it.
   */
  get visible(): number {
    const { control } = this;
    for (;;) {
      const sequence = loadSequence(control, VISIBLE);
      if (this.#depth === 0 || this.#lockDepth > 0) return sequence;
      if (loadInOrder(control, GENERATION) === this.#generation) return sequence;
      this.#follow();
    }
  }

  /** Becomes the only writer. @throws busy `BUSY` with reason `write-lock` after `ms` */
  lock(ms: number = LOCK_MS_MAX): void {
    if (this.#lockDepth > 0) {
      this.#lockDepth++;
      return;
    }
    if (this.#ended !== undefined) throw this.#ended;
    const acquired = this.#lock.acquire(ms);
    if (acquired === 'busy') {
      const context = { reason: 'write-lock', holder: this.#lock.holder, waitedMs: ms };
      throw busy('BUSY', `another thread has held the write lock for ${ms} ms`, context);
    }
    this.#lockDepth = 1;
    let isWhole = acquired === 'taken';
    try {
      if (!isWhole) this.#hooks.repair();
      isWhole = true;
      const flags = Atomics.load(this.control, FLAGS);
      if (flags !== 0) this.#hooks.flagged(flags);
      this.#hooks.load();
      this.enter();
      if (this.#depth > 1) this.#followAgain();
    } catch (error) {
      this.#lockDepth = 0;
      this.#giveUp(isWhole);
      throw error;
    }
  }

  unlock(): void {
    if (--this.#lockDepth > 0) return;
    this.leave();
    this.#lock.release();
  }

  /** Runs `step` as the only writer. */
  exclusive<T>(step: () => T, waitMs?: number): T {
    this.lock(waitMs);
    try {
      return step();
    } finally {
      this.unlock();
    }
  }

  /** Changes the words of views: whoever reads them meanwhile reads them again. With the lock. */
  changeViews(step: () => void): void {
    const { control } = this;
    const generation = Atomics.load(control, GENERATION);
    Atomics.store(control, GENERATION, (generation + 1) | 0);
    try {
      step();
    } finally {
      Atomics.store(control, GENERATION, (generation + 2) | 0);
      this.#generation = (generation + 2) | 0;
    }
  }

  /** The generation is left odd by a thread that died: the words are whole after each store, so it only has to be ended. */
  endChange(): void {
    const { control } = this;
    const generation = Atomics.load(control, GENERATION);
    if ((generation & 1) !== 0) Atomics.store(control, GENERATION, (generation + 1) | 0);
  }

  #follow(): void {
    const { control } = this;
    for (let looks = 0; ; looks++) {
      const generation = Atomics.load(control, GENERATION);
      if ((generation & 1) === 0) {
        const isCurrent = (): boolean => Atomics.load(control, GENERATION) === generation;
        if (!this.#hooks.follow(isCurrent)) continue;
        this.#generation = generation;
        return;
      }
      if (looks < PATIENCE) continue;
      // Whoever takes the lock next ends the change; without dead threads this waits for the one that makes it.
      looks = 0;
      if (this.#lockDepth > 0) this.endChange();
      else this.#endByLock();
    }
  }

  /** Inside an operation the lock was taken: views may have been replaced since the operation began, and writes need the new ones. */
  #followAgain(): void {
    try {
      if (Atomics.load(this.control, GENERATION) !== this.#generation) this.#follow();
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  #endByLock(): void {
    const acquired = this.#lock.acquire(LOCK_MS_MAX);
    if (acquired === 'busy')
      throw busy('BUSY', 'another thread holds the write lock', { reason: 'write-lock' });
    let isWhole = acquired === 'taken';
    try {
      if (!isWhole) this.#hooks.repair();
      isWhole = true;
    } finally {
      this.#giveUp(isWhole);
    }
  }

  /** Of the lock that was just taken. What is not whole yet has to be repaired by whoever takes it next. */
  #giveUp(isWhole: boolean): void {
    if (isWhole) this.#lock.release();
    else this.#lock.giveBack();
  }
}
