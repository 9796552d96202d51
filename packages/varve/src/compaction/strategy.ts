/**
 * Which picker decides for a keyspace, and with what settings: the one place where a strategy's name becomes code. Pickers
 * are pure functions, so this is one as well, of version, running plans, settings and time.
 */
import type { KeyspaceVersion } from '../manifest/version.ts';
import type { ResolvedCompaction } from '../options/compaction-settings.ts';
import { usualLeveled } from '../options/compaction-settings.ts';
import { pickCustom } from './custom-picker.ts';
import { pickFifo } from './picker-fifo.ts';
import { pickHybrid } from './picker-hybrid.ts';
import { type LeveledSettings, pickLeveled } from './picker-leveled.ts';
import { pickTiered } from './picker-tiered.ts';
import type { CompactionPlan, RunningPlans, TableSizes } from './plan.ts';

/** What of a keyspace's settings pickers look at. */
export interface PickerSettings extends TableSizes {
  readonly compaction: ResolvedCompaction;
  readonly levelRatio: number;
}

/**
 * The next compaction by the keyspace's strategy; undefined when none is due, or none that is due can run now.
 *
 * @param now milliseconds since 1970, by the database's clock
 * @throws VarveError `PICKER_REJECTED` of a picker of the user
 */
export function pickCompaction(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: PickerSettings,
  now: number,
): CompactionPlan | undefined {
  const { compaction, tableBytes } = settings;
  switch (compaction.strategy) {
    case 'leveled':
      return pickLeveled(keyspace, running, leveledSettings(settings));
    case 'hybrid':
      return pickHybrid(keyspace, running, {
        ...leveledSettings(settings),
        level0Bytes: compaction.level0Bytes,
      });
    case 'tiered':
      return pickTiered(keyspace, running, { ...compaction, tableBytes });
    case 'fifo':
      return pickFifo(keyspace, running, { ...compaction, tableBytes }, now);
    case 'custom':
      return pickCustom(keyspace, running, { tableBytes }, compaction.picker, now);
  }
}

/** Sizes of levels as 'leveled' has them, for a keyspace of any strategy: manual compaction goes by them. */
export function leveledSettings({ compaction, levelRatio, tableBytes }: PickerSettings): LeveledSettings {
  const hasLevels = compaction.strategy === 'leveled' || compaction.strategy === 'hybrid';
  const { level0Files, level1Bytes } = hasLevels ? compaction : usualLeveled;
  return { level0Files, levelRatio, levelBaseBytes: level1Bytes, tableBytes };
}
