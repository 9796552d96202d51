/**
 * What the score of a plan counts, for people who want to know why it was made: 6 files of 4, 700 MB of 640. To be asked when
 * the plan is made, for the version and the settings that it is made for.
 */
import { blobBytesOf } from '../manifest/blob-files.ts';
import { bytesOf, type KeyspaceVersion } from '../manifest/version.ts';
import { levelShape } from './picker-leveled.ts';
import { runsOf } from './picker-tiered.ts';
import { type CompactionPlan, filesOf } from './plan.ts';
import { leveledSettings, type PickerSettings } from './strategy.ts';

export interface PlanMeasure {
  readonly had: number;
  readonly limit: number;
  readonly unit: 'files' | 'runs' | 'bytes';
}

/** Undefined where the score is no count: of deletes, live data, windows, and what was asked for. */
export function measureOf(
  keyspace: KeyspaceVersion,
  settings: PickerSettings,
  { reason, score, inputs }: Pick<CompactionPlan, 'reason' | 'score' | 'inputs'>,
): PlanMeasure | undefined {
  const { compaction } = settings;
  const of = (limit: number, unit: PlanMeasure['unit']): PlanMeasure => ({
    had: Math.round(score * limit),
    limit: Math.round(limit),
    unit,
  });
  switch (reason) {
    case 'level0-files':
      return compaction.strategy === 'hybrid'
        ? of(compaction.level0Bytes, 'bytes')
        : of(leveledSettings(settings).level0Files, 'files');
    case 'level-size':
      return of(levelShape(keyspace, leveledSettings(settings)).targets[inputs[0]!.level]!, 'bytes');
    case 'run-size':
    case 'run-count':
      if (compaction.strategy === 'tiered') return of(compaction.runs, 'runs');
      return compaction.strategy === 'hybrid' ? of(compaction.level0Files, 'runs') : undefined;
    case 'space': {
      const oldest = runsOf(keyspace).at(-1)?.bytes ?? 0;
      const above = bytesOf(filesOf({ inputs })) - oldest;
      return { had: above, limit: Math.round(above / score), unit: 'bytes' };
    }
    case 'bytes':
      if (compaction.strategy !== 'fifo' || compaction.bytesMax === undefined) return undefined;
      return { had: bytesWithBlobs(keyspace), limit: compaction.bytesMax, unit: 'bytes' };
    default:
      return undefined;
  }
}

function bytesWithBlobs({ levels }: KeyspaceVersion): number {
  return levels.flat().reduce((sum, file) => sum + file.bytes + blobBytesOf(file), 0);
}
