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

  constructor(core: Core, keyspace: string, tell: OnProgress | undefined) {
    this.#core = core;
    this.#keyspace = keyspace;
    this.#tell = tell;
  }

  /** A plan starts, `done` says how far it is; to be called with it when it has ended. */
  follow(done: () => number): (plan: CompactionPlan) => void {
    const { scheduler } = this.#core;
    let timer = this.#tell === undefined ? undefined : scheduler.after(TELL_MS, tell);
    const report = (): void => this.#report(done(), false);
    function tell(): void {
      report();
      timer = scheduler.after(TELL_MS, tell);
    }
    return (plan) => {
      timer?.cancel();
      this.#compactions++;
      this.#bytes += bytesOf(filesOf(plan));
      this.#report(0, false);
    };
  }

  finished(): void {
    this.#report(0, true);
  }

  #report(running: number, isDone: boolean): void {
    this.#tell?.({
      keyspace: this.#keyspace,
      compactions: this.#compactions,
      bytes: this.#bytes + running,
      isDone,
    });
  }
}
