/**
 * How tables are merged: the strategies and the settings that each brings, declared once. A keyspace names one by
 * `compaction: { strategy, ... }`; settings that belong to another strategy are refused by name.
 */
import type { CompactionPicker } from './compaction-picker.ts';
import { quantity, refuseMembers, type Setting } from './setting.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;

type Quantities = { readonly [name: string]: Setting<number> };

/** Flushes that `bytesMax` of 'fifo' has room for at least. */
export const FIFO_FLUSHES_MIN = 2;

export type CompactionStrategyName = 'leveled' | 'tiered' | 'hybrid' | 'fifo';

export type CompactionOption = {
  strategy: CompactionStrategyName | CompactionPicker;
  [setting: string]: unknown;
};

const level0Files = quantity({
  unit: 'files',
  default: 4,
  min: 1,
  max: 1000,
  doc: 'Files in level 0 that start a compaction.',
  raiseWhen: 'bursts of writes matter more than reads',
});

const level1Bytes = quantity({
  unit: 'bytes',
  default: 64 * MIB,
  min: 4 * KIB,
  max: 64 * GIB,
  doc: 'Bytes that level 1 may hold.',
  raiseWhen: 'flushes are larger than 16 MiB each',
});

/** By strategy; each has its own, those of 'hybrid' are those of 'leveled' and one more. */
export const strategySettings: { readonly [Name in CompactionStrategyName]: Quantities } = {
  leveled: { level0Files, level1Bytes },
  tiered: {
    runs: quantity({
      unit: 'runs',
      default: 8,
      min: 2,
      max: 100,
      doc: 'Sorted runs at which the newest of like size are merged.',
      raiseWhen: 'writes matter more than reads and scans',
    }),
    spaceAmplificationMax: quantity({
      default: 1.75,
      min: 1.1,
      max: 10,
      fraction: true,
      doc: 'Bytes of all runs over those of the oldest at which all are merged.',
      raiseWhen: 'space is cheap and rewriting everything is not',
    }),
  },
  hybrid: {
    level0Files,
    level0Bytes: quantity({
      unit: 'bytes',
      default: 256 * MIB,
      min: 4 * KIB,
      max: 64 * GIB,
      doc: 'Level 0 goes down when it holds as much; until then its files are merged with each other.',
      raiseWhen: 'writes come in long bursts',
    }),
    level1Bytes,
  },
  fifo: {
    bytesMax: quantity({
      unit: 'bytes',
      defaultText: 'none: only ttlMs drops tables',
      min: 4 * KIB,
      max: 1024 * TIB,
      doc: 'The oldest tables are dropped when all together are larger.',
    }),
    windowMs: quantity({
      unit: 'ms',
      defaultText: 'none: tables stay as they were flushed',
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
      doc: 'Tables of one window of time become one when it is over.',
      raiseWhen: 'reads ask for ranges that many flushes hold part of',
    }),
  },
};

export interface LeveledCompaction {
  readonly strategy: 'leveled';
  /** Files in level 0 that start a compaction. */
  readonly level0Files: number;
  /** Bytes that level 1 may hold; each level below `levelRatio` times more. */
  readonly level1Bytes: number;
}

export interface TieredCompaction {
  readonly strategy: 'tiered';
  readonly runs: number;
  readonly spaceAmplificationMax: number;
}

export interface HybridCompaction {
  readonly strategy: 'hybrid';
  readonly level0Files: number;
  readonly level0Bytes: number;
  readonly level1Bytes: number;
}

export interface FifoCompaction {
  readonly strategy: 'fifo';
  readonly bytesMax: number | undefined;
  readonly windowMs: number | undefined;
}

export interface CustomCompaction {
  readonly strategy: 'custom';
  readonly picker: CompactionPicker;
}

export type ResolvedCompaction =
  | LeveledCompaction
  | TieredCompaction
  | HybridCompaction
  | FifoCompaction
  | CustomCompaction;

export const compactionType =
  "{ strategy: 'leveled' | 'tiered' | 'hybrid' | 'fifo' | CompactionPicker, ... }";
export const strategyNames = Object.keys(strategySettings) as CompactionStrategyName[];

/** What was wanted instead of `value`; undefined when it will do. */
export function refuseCompaction(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return "an object with strategy: 'leveled'";
  }
  const { strategy, ...settings } = value as Record<string, unknown>;
  if (isPicker(strategy)) {
    return refuseMembers({}, settings, (name) => `no setting '${name}' beside a picker of your own`);
  }
  const declared = strategyNames.find((name) => name === strategy);
  if (declared === undefined) {
    return `a strategy of ${strategyNames.map((name) => `'${name}'`).join(', ')}, or an object with name and pick()`;
  }
  const known = strategySettings[declared];
  return refuseMembers(
    known,
    settings,
    (name) => `no setting '${name}': strategy '${declared}' has ${Object.keys(known).join(', ')}`,
  );
}

/** An option that `refuseCompaction` let pass, with its defaults. */
export function resolveCompaction(option: CompactionOption): ResolvedCompaction {
  const { strategy, ...given } = option;
  if (typeof strategy === 'object') return Object.freeze({ strategy: 'custom', picker: strategy });
  const values = Object.entries(strategySettings[strategy]).map(([name, { default: usual }]) => [
    name,
    given[name] ?? usual,
  ]);
  return Object.freeze({ strategy, ...Object.fromEntries(values) }) as ResolvedCompaction;
}

/**
 * As it can be sent to another thread: functions can not, so a picker of the user's is left behind. Only the thread that opened
 * the database compacts.
 */
export function withoutPicker<T extends { readonly compaction: ResolvedCompaction }>(settings: T): T {
  return settings.compaction.strategy === 'custom' ? { ...settings, compaction: usualLeveled } : settings;
}

/** Is it an option whose strategy is a picker of the user's? */
export function hasPicker(option: unknown): boolean {
  return (
    typeof option === 'object' && option !== null && isPicker((option as Partial<CompactionOption>).strategy)
  );
}

/** Files that a keyspace is set to gather in level 0; undefined: as many as there are. */
export function gatheredFiles(compaction: ResolvedCompaction): number | undefined {
  switch (compaction.strategy) {
    case 'leveled':
    case 'hybrid':
      return compaction.level0Files;
    case 'tiered':
      return compaction.runs;
    case 'fifo':
      return undefined;
    case 'custom':
      return usualLeveled.level0Files;
  }
}

/** How large a flush may be: of what 'fifo' keeps it is at most half, so that one flush does not push out all before it. */
export function flushBytesMost(compaction: ResolvedCompaction): number {
  if (compaction.strategy !== 'fifo' || compaction.bytesMax === undefined) return Number.POSITIVE_INFINITY;
  return Math.floor(compaction.bytesMax / FIFO_FLUSHES_MIN);
}

/** The default strategy with its defaults. */
export const usualLeveled = resolveCompaction({ strategy: 'leveled' }) as LeveledCompaction;

function isPicker(value: unknown): value is CompactionPicker {
  if (value === null || typeof value !== 'object') return false;
  const { name, pick } = value as Partial<CompactionPicker>;
  return typeof name === 'string' && typeof pick === 'function';
}
