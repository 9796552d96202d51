/**
 * Looks every LOOK_MS whether tables hold much that has expired for every reader, and has those rewritten or dropped
 * (compaction/picker-expired.ts), when nothing more urgent is to be compacted. So what has expired is given back although
 * nothing is written any more.
 *
 * Asleep as long as no table holds entries that expire; its timer does not keep the process alive. Owner's thread.
 */
import { pickExpired } from '../../compaction/picker-expired.ts';
import type { CompactionPlan } from '../../compaction/plan.ts';
import type { RunningSet } from '../../compaction/running-set.ts';
import { leveledSettings } from '../../compaction/strategy.ts';
import { holdsExpiring, type Version } from '../../manifest/version.ts';
import type { Core } from '../core.ts';
import type { Tree } from '../tree.ts';
import { pickerSettings } from './next-plan.ts';

const LOOK_MS = 5000;

export class ExpiredCare {
  readonly #core: Core;
  #isArmed = false;
  /** What is due since the last look is picked until nothing is left. */
  #isLooking = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** A new version is current. */
  versionInstalled(version: Version): void {
    if (this.#isArmed || this.#core.options.readOnly) return;
    for (const keyspace of version.keyspaces.values()) {
      if (!holdsExpiring(keyspace)) continue;
      this.#arm();
      return;
    }
  }

  /** The next plan for a keyspace, if any. */
  pick(tree: Tree, running: RunningSet): CompactionPlan | undefined {
    return this.#isLooking ? this.pickNow(tree, running) : undefined;
  }

  /** The same without waiting for the next look. */
  pickNow(tree: Tree, running: RunningSet): CompactionPlan | undefined {
    const { version } = tree.view;
    if (!holdsExpiring(version)) return undefined;
    const readers = this.#core.history.readersFor(tree);
    return pickExpired(version, running, leveledSettings(pickerSettings(tree)), readers);
  }

  #arm(): void {
    this.#isArmed = true;
    this.#core.scheduler.after(LOOK_MS, () => this.#look());
  }

  #look(): void {
    const { state, installer, background } = this.#core;
    this.#isArmed = false;
    if (state.isClosed) return;
    this.#isLooking = true;
    background.schedule();
    // While threads are busy it goes on as they become free.
    this.#isLooking = !background.compactions.hasRoom;
    this.versionInstalled(installer.version);
  }
}
