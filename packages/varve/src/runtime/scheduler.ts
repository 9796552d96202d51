/**
 * The scheduling seam: every deferred step of the owner's thread goes through it, so that a simulation decides the order.
 *
 * The engine defers in three ways only: at the end of this turn (log hand-over), in a microtask (awaited hand-over,
 * through `queueMicrotask`, not part of the seam because it can not interleave with anything), and after a time.
 */
export interface Timer {
  cancel(): void;
}

export interface Scheduler {
  /** Runs `task` once, after the current turn of the event loop. */
  soon(task: () => void): void;
  /**
   * Runs `task` once, `ms` milliseconds from now; later than TIMER_MS_MAX is never. A pending timer does not keep the process
   * alive unless `keepAlive`.
   */
  after(ms: number, task: () => void, keepAlive?: boolean): Timer;
  /** Somebody waits (true) or does no longer: meanwhile the process stays alive, whatever it is that is waited for. */
  keepAlive?(on: boolean): void;
}

/** The longest time that the system's timers can be set to, 24 days; one that is longer would run at once. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;
let waiting = 0;
let alive: NodeJS.Timeout | undefined;

export const systemScheduler: Scheduler = {
  soon(task) {
    setImmediate(task);
  },
  after(ms, task, keepAlive = false) {
    if (ms > TIMER_MS_MAX) return { cancel: () => undefined };
    const timer = setTimeout(task, ms);
    if (!keepAlive) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  keepAlive(on) {
    waiting += on ? 1 : -1;
    alive ??= setInterval(() => undefined, TIMER_MS_MAX);
    if (waiting > 0) alive.ref();
    else alive.unref();
  },
};
