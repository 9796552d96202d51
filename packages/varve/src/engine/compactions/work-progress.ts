/**
 * Tells whoever asked for a compaction how far it is: after each plan, and four times a second while one runs.
 */
import { type CompactionPlan, filesOf } from '../../compaction/plan.ts';
import { bytesOf } from '../../manifest/version.ts';
import type { OnProgress } from '../compaction-types.ts';
import type { Core } from '../core.ts';

const TELL_MS = 250;

export class WorkProgress {
  readonly #core: Core;
  readonly #keyspace: string;
  readonly #tell: OnProgress | undefined;
  #compactions = 0;
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(core: Core, keyspace: string, tell: OnProgress | undefined) {
    this.#core = core;
    this.#keyspace = keyspace;
    this.#tell = tell;
  }

  /** A plan starts, `done` says how far it is; the result is to be called when it has ended. */
  follow(plan: CompactionPlan, done: () => number): () => void {
    const { scheduler } = this.#core;
    const bytes = bytesOf(filesOf(plan));
    let timer = this.#tell === undefined ? undefined : scheduler.after(TELL_MS, tell);
    // Keys and values are more than the bytes of tables that are compressed.
    const report = (): void => this.#report(Math.min(done(), bytes), false);
    function tell(): void {
      report();
      timer = scheduler.after(TELL_MS, tell);
    }
    return () => {
      timer?.cancel();
      this.#compactions++;
      this.#bytes += bytes;
      this.#report(0, false);
    };
  }

  finished(): void {
    this.#report(0, true);
    this.check();
  }

  /** @throws what the user's function has thrown; it is not called again */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #report(running: number, isDone: boolean): void {
    if (this.#failure !== undefined) return;
    try {
      this.#tell?.({
        keyspace: this.#keyspace,
        compactions: this.#compactions,
        bytes: this.#bytes + running,
        isDone,
      });
    } catch (error) {
      // Thrown by a timer it would end the process.
      this.#failure = { error };
    }
  }
}
