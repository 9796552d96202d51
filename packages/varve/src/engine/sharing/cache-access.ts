/**
 * The block cache's lock and epochs in one thread of a shared database.
 */
import type { CacheSharing } from '../../cache/sharing.ts';
import { CACHE_LOCK } from './control-words.ts';
import { isPast, retire } from './epochs.ts';
import { SharedLock } from './shared-lock.ts';

/** Of so many lookups that find the lock taken one asks whether its holder still runs. */
const SUSPICION = 1024;

export class CacheAccess implements CacheSharing {
  readonly #control: Int32Array;
  readonly #lock: SharedLock;
  #refused = 0;

  constructor(control: Int32Array, slot: number) {
    this.#control = control;
    this.#lock = new SharedLock(control, CACHE_LOCK, slot);
  }

  tryLock(): 'taken' | 'busy' | 'inherited' {
    const acquired = this.#lock.tryAcquire(0);
    if (acquired !== 'busy' || ++this.#refused % SUSPICION !== 0) return acquired;
    return this.#lock.tryInherit();
  }

  unlock(): void {
    this.#lock.release();
  }

  retire(): number {
    return retire(this.#control);
  }

  isPast(stamp: number): boolean {
    return isPast(this.#control, stamp);
  }
}
