/**
 * What a keyspace should do next by its strategy. Remembers of each tree that nothing is due until something changes, so that
 * asking again costs a comparison, and takes a picker of the user out of use when it is refused. Owner's thread.
 */
import { VarveError } from '../../base/errors.ts';
import { pickLeveled } from '../../compaction/picker-leveled.ts';
import type { CompactionPlan } from '../../compaction/plan.ts';
import type { RunningSet } from '../../compaction/running-set.ts';
import { leveledSettings, type PickerSettings, pickCompaction } from '../../compaction/strategy.ts';
import type { KeyspaceVersion } from '../../manifest/version.ts';
import { tableBytesAt } from '../../options/keyspace-settings.ts';
import type { ResolvedKeyspaceSettings } from '../../options/resolve.ts';
import type { Tree } from '../tree.ts';

/** What pickers see beside what runs. */
interface Seen {
  readonly version: KeyspaceVersion;
  readonly settings: ResolvedKeyspaceSettings;
}

export class NextPlan {
  readonly #rejected: (tree: Tree, error: VarveError) => void;
  /** Trees with nothing due and nothing running, and what that was found for. */
  readonly #idle = new WeakMap<Tree, Seen>();
  /** Settings whose picker was refused. */
  readonly #refused = new WeakSet<ResolvedKeyspaceSettings>();

  constructor(rejected: (tree: Tree, error: VarveError) => void) {
    this.#rejected = rejected;
  }

  of(tree: Tree, running: RunningSet, now: number): CompactionPlan | undefined {
    const { settings } = tree;
    const { version } = tree.view;
    const idle = this.#idle.get(tree);
    if (idle?.version === version && idle.settings === settings) return undefined;
    const plan = this.#ask(tree, version, running, now);
    if (plan === undefined && running.size === 0) this.#idle.set(tree, { version, settings });
    return plan;
  }

  /** Time has passed: what depends on it may be due. */
  lookAgain(tree: Tree): void {
    this.#idle.delete(tree);
  }

  #ask(tree: Tree, version: KeyspaceVersion, running: RunningSet, now: number): CompactionPlan | undefined {
    const settings = pickerSettings(tree);
    if (this.#refused.has(tree.settings)) return pickLeveled(version, running, leveledSettings(settings));
    try {
      return pickCompaction(version, running, settings, now);
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'PICKER_REJECTED') throw error;
      this.#refused.add(tree.settings);
      this.#rejected(tree, error);
      return pickLeveled(version, running, leveledSettings(settings));
    }
  }
}

/** The settings of a keyspace as pickers take them. */
export function pickerSettings({ settings }: Tree): PickerSettings {
  const { compaction, levelRatio } = settings;
  return { compaction, levelRatio, tableBytes: (depth) => tableBytesAt(settings, depth) };
}
