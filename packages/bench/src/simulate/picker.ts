/**
 * The pickers of the engine as the simulator asks them: a strategy by name with its settings, or a picker of the user's own
 * (`CompactionPicker`, as `compaction: { strategy: picker }` takes it) by the path of a module that exports `picker`. Each
 * goes through the engine's own `pickCompaction`, so a picker that breaks a rule is refused here as it is there.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CompactionPicker } from 'varve';
import {
  type CompactionPlan,
  type CompactionStrategyName,
  type FileMeta,
  gatheredFiles,
  keyspaceSettings,
  type KeyspaceVersion,
  leveledSettings,
  pickCare,
  pickCompaction,
  resolveCompaction,
  type RunningPlans,
  strategyNames,
  strategySettings,
  tableBytesAt,
} from 'varve/internals';
import { suggestion, UsageError } from '../options.ts';

/** A strategy, its own settings, and those of the keyspace that pickers look at; what is left out has its default. */
export interface Choice {
  readonly strategy: CompactionStrategyName | CompactionPicker;
  readonly settings: Readonly<Record<string, number>>;
}

export interface Picker {
  /** @param now milliseconds */
  pick(keyspace: KeyspaceVersion, running: RunningPlans, now: number): CompactionPlan | undefined;
  /**
   * What the engine compacts for its space alone when nothing else is due (`defragment`); undefined: not for this strategy.
   *
   * @param liveOf share of a table's entries that a read still gets
   */
  care?(
    keyspace: KeyspaceVersion,
    running: RunningPlans,
    now: number,
    liveOf: (file: FileMeta) => number,
  ): CompactionPlan | undefined;
  /** Files that it gathers in level 0; undefined: as many as there are, and writes never wait for it. */
  readonly gathered: number | undefined;
}

/** Declared settings by name. */
type Settings = (typeof strategySettings)[CompactionStrategyName];

/** Those of the keyspace that pickers look at. */
const { levelRatio: levelRatioSetting, tableBytes: tableBytesSetting } = keyspaceSettings;

/** The settings that a strategy has; undefined stands for a picker of the user. */
export function settingsOf(strategy: CompactionStrategyName | undefined): Settings {
  const common = { tableBytes: tableBytesSetting };
  if (strategy === undefined) return common;
  const hasLevels = strategy === 'leveled' || strategy === 'hybrid';
  return { ...strategySettings[strategy], ...common, ...(hasLevels && { levelRatio: levelRatioSetting }) };
}

export function pickerOf({ strategy, settings }: Choice): Picker {
  const {
    levelRatio = levelRatioSetting.default!,
    tableBytes = tableBytesSetting.default!,
    ...own
  } = settings;
  const compaction = resolveCompaction({ strategy, ...own });
  const bound = {
    compaction,
    levelRatio,
    tableBytes: (depth: number) => tableBytesAt({ tableBytes }, depth),
  };
  return {
    pick: (keyspace, running, now) => pickCompaction(keyspace, running, bound, now),
    gathered: gatheredFiles(compaction),
    ...(strategy !== 'fifo' && {
      care: (keyspace, running, now, liveOf) =>
        pickCare(keyspace, running, leveledSettings(bound), {
          ...CARE,
          isSettled: ({ newestTime = 0 }) => newestTime + CARE_MS <= now,
          liveOf,
        }),
    }),
  };
}

/** Care for space as the engine has it by default. */
const CARE = { liveRatio: 0.4, filesMax: 8, oldestReader: Number.POSITIVE_INFINITY };
export const CARE_MS = 10_000;

/** Is it a name of the engine's? Anything else that looks like a path is one. */
export function isStrategy(name: string): name is CompactionStrategyName {
  return strategyNames.some((known) => known === name);
}

/** The strategy of that name, or the picker of the module at that path. */
export async function findStrategy(name: string): Promise<Choice['strategy']> {
  if (isStrategy(name)) return name;
  if (!/[./\\]/.test(name)) {
    throw new UsageError(
      `Unknown picker "${name}".${suggestion(name, strategyNames, '')}\nKnown: ${strategyNames.join(', ')}, or the path of a module.`,
    );
  }
  let module: { readonly picker?: Partial<CompactionPicker> };
  try {
    module = (await import(pathToFileURL(resolve(name)).href)) as typeof module;
  } catch (error) {
    throw new UsageError(`--picker ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { picker } = module;
  if (typeof picker?.pick !== 'function' || typeof picker.name !== 'string') {
    throw new UsageError(`--picker ${name}: the module exports no \`picker\` with name and pick().`);
  }
  return picker as CompactionPicker;
}
