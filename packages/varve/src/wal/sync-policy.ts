/**
 * The sync strategies as pure timing: when is the log fsynced unasked? Knows no file and no clock; Durability asks it after
 * each append and tells it of each fsync. Times are milliseconds of the monotonic clock.
 */

/** As the option `sync`: the strategies hybrid, everyN, interval, everyWrite and manual. */
export type SyncStrategy =
  | 'manual'
  | 'everyWrite'
  | { everyN: number }
  | { intervalMs: number }
  | { everyN: number; intervalMs: number };

export type SyncAction = 'none' | 'sync-now' | 'sync-background';

export class SyncPolicy {
  readonly #everyWrite: boolean;
  readonly #everyN: number;
  readonly #intervalMs: number;
  /** Appends since the last fsync that covers them, and when the oldest was made. */
  #unsynced = 0;
  #since = 0;
  /** How many of them a sync asked for by `onAppend` has to cover: asked once, not at each further append. */
  #asked = 0;

  constructor(strategy: SyncStrategy) {
    const timing: { everyN?: number; intervalMs?: number } = typeof strategy === 'string' ? {} : strategy;
    this.#everyWrite = strategy === 'everyWrite';
    this.#everyN = timing.everyN ?? Infinity;
    this.#intervalMs = timing.intervalMs ?? Infinity;
  }

  /** One more record was appended: what is to be done about it at once. `now` is asked only for the first since an fsync. */
  onAppend(now: () => number): SyncAction {
    if (this.#everyWrite) return 'sync-now';
    if (this.#unsynced++ === 0) this.#since = now();
    if (this.#unsynced - this.#asked < this.#everyN) return 'none';
    this.#asked = this.#unsynced;
    return 'sync-background';
  }

  /** When a background sync is due for what was appended; undefined when none will be. */
  dueAt(): number | undefined {
    return this.#unsynced === 0 || this.#intervalMs === Infinity ? undefined : this.#since + this.#intervalMs;
  }

  /**
   * An fsync ended at `nowMs`; `unsynced` records were appended after it began and are not covered. They wait for at most
   * the interval from now on, so the caller looks at `dueAt` again.
   */
  onSynced(nowMs: number, unsynced = 0): void {
    this.#unsynced = unsynced;
    this.#asked = 0;
    this.#since = nowMs;
  }
}
