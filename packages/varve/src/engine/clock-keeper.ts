/**
 * Keeps the stored clock (stored-clock.ts) on disk, so that it goes on after a reopening from where it was, whatever the
 * system's clock says by then.
 *
 * With timestamps every record of the log carries the time, and every edit of the manifest does. Beside those a database that
 * holds entries that expire stores it when it is closed, and while it is used every KEEP_MS. So after a crash the clock may
 * be at most so much behind what was seen of it before, and only when the system's clock was set back meanwhile as well.
 * Owner's thread, of a database that is written.
 */
import { holdsExpiring } from '../manifest/version.ts';
import type { ClockStore, Core } from './core.ts';

const KEEP_MS = 10_000;

export class ClockKeeper implements ClockStore {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  start(): void {
    this.#nextAfter(this.#core.installer.version.storedTime);
  }

  close(): void {
    const { installer, state, options, fs } = this.#core;
    if (options.readOnly || !this.#matters()) return;
    const storedTime = state.time.now();
    if (storedTime > installer.version.storedTime) installer.finish(fs, { storedTime });
  }

  #nextAfter(time: number): void {
    // The clock is asked in the middle of commits and jobs.
    const { state, scheduler } = this.#core;
    state.time.callAt(time + KEEP_MS, () => scheduler.soon(() => this.#keep()));
  }

  #keep(): void {
    const { state, installer, poison } = this.#core;
    if (state.isClosed || poison.raised) return;
    if (!this.#matters()) {
      this.#nextAfter(state.time.last);
      return;
    }
    installer.install(
      () => this.#core.editFacts(),
      () => this.#nextAfter(Math.max(installer.version.storedTime, state.time.last - KEEP_MS / 2)),
    );
  }

  /** Does anything expire? */
  #matters(): boolean {
    const { state, installer } = this.#core;
    // Of what other threads write this one is not told.
    if (state.hasExpiring || state.sharing !== undefined) return true;
    for (const keyspace of installer.version.keyspaces.values()) if (holdsExpiring(keyspace)) return true;
    return false;
  }
}
