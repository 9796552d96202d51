/**
 * Compaction filters against readers that come while a compaction runs.
 *
 * A job shows a filter nothing that a reader registered at its start sees. Who registers later, sees what the filter has taken out
 * already, and would see it gone when the job's tables become current: then they do not become current. The next compaction of that
 * keyspace goes without the filter, so that work gets done where somebody always reads; the one after it asks the filter again.
 * It is asked when the edit is made, and again when that is on disk and about to be shown: then it is taken back (installer.ts).
 * Owner's thread.
 */
import type { JobOutput } from '../../compaction/job.ts';
import type { Tree } from '../tree.ts';

export class Filtering {
  readonly #register: { sequences(): readonly number[] };
  readonly #off = new WeakSet<Tree>();

  constructor(register: { sequences(): readonly number[] }) {
    this.#register = register;
  }

  /** Does the compaction that begins now ask the filter? */
  isOn(tree: Tree): boolean {
    return !this.#off.delete(tree);
  }

  /** Does nobody see what the filter of this job has changed? */
  mayInstall(tree: Tree, output: JobOutput | undefined): boolean {
    const filteredFrom = output?.filteredFrom;
    if (
      filteredFrom === undefined ||
      !this.#register.sequences().some((sequence) => sequence >= filteredFrom)
    ) {
      return true;
    }
    this.#off.add(tree);
    return false;
  }
}
