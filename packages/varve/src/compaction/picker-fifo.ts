/**
 * First in, first out, for series that only their newest part is wanted of: nothing is merged downwards, and the oldest files
 * go whole when there is more than `bytesMax`. With `windowMs` the files of level 0 whose newest entries are of one
 * window of time become one file when the window is over, so that a read of a window looks into one.
 *
 * What goes is always the oldest place of all, so nothing older can come to light. Files are kept as long as somebody holds
 * a snapshot that sees them (drop.ts). A file of an earlier release, which does not say when it was written, is in no window.
 */
import type { FileMeta } from '../manifest/file-meta.ts';
import { blobBytesOf } from '../manifest/blob-files.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import { byLevel, LEVEL0_TABLE_BYTES, type Run, runsOfLevel0 } from './picker-tiered.ts';
import {
  type CompactionPlan,
  dropPlan,
  isBlocked,
  type LevelFiles,
  planOf,
  type RunningPlans,
  type TableSizes,
} from './plan.ts';

export interface FifoSettings extends TableSizes {
  /** Bytes of all tables together. */
  readonly bytesMax: number | undefined;
  readonly windowMs: number | undefined;
}

/** @param now milliseconds, by the clock that the files' `newestTime` is of */
export function pickFifo(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: FifoSettings,
  now: number,
): CompactionPlan | undefined {
  return pickOldest(keyspace, running, settings) ?? pickWindow(keyspace, running, settings, now);
}

/** The oldest files, as many as are too much; never all. */
function pickOldest(
  { levels }: KeyspaceVersion,
  running: RunningPlans,
  { bytesMax }: FifoSettings,
): CompactionPlan | undefined {
  if (bytesMax === undefined) return undefined;
  let bytes = 0;
  for (const files of levels) for (const file of files) bytes += sizeOf(file);
  const gone = new Set<FileMeta>();
  // The newest stays, however large: a limit that one flush is beyond must not cost what was written last.
  for (const file of oldestFirst(levels).slice(0, -1)) {
    if (bytes <= bytesMax || running.holds(file.number)) break;
    gone.add(file);
    bytes -= sizeOf(file);
  }
  if (gone.size === 0) return undefined;
  const inputs: LevelFiles[] = levels.flatMap((all, level) => {
    const files = all.filter((file) => gone.has(file));
    return files.length === 0 ? [] : [{ level, files }];
  });
  return dropPlan(inputs, 'bytes');
}

/** With the values that it refers to. */
function sizeOf(file: FileMeta): number {
  return file.bytes + blobBytesOf(file);
}

/** Deeper levels are older; inside one, files share no key, so any of them can go first. */
function oldestFirst(levels: KeyspaceVersion['levels']): FileMeta[] {
  return levels
    .flatMap((files, level) =>
      level === 0 ? files : files.toSorted((a, b) => (b.newestTime ?? 0) - (a.newestTime ?? 0)),
    )
    .reverse();
}

/** Flushes of one window that is over, which are neighbours in level 0. */
function pickWindow(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: FifoSettings,
  now: number,
): CompactionPlan | undefined {
  const { windowMs } = settings;
  if (windowMs === undefined) return undefined;
  const runs = runsOfLevel0(keyspace.levels[0]!);
  const windowOf = ({ files }: Run): number =>
    Math.floor(Math.max(...files.map((file) => file.newestTime ?? Number.NaN)) / windowMs);
  for (let end = runs.length; end > 0; ) {
    const window = windowOf(runs[end - 1]!);
    let start = end - 1;
    while (start > 0 && windowOf(runs[start - 1]!) === window) start--;
    const isOver = (window + 1) * windowMs <= now;
    const group = runs.slice(start, end);
    end = start;
    if (!isOver || group.length < 2) continue;
    const plan = planOf(keyspace, settings, {
      inputs: byLevel(group),
      outputLevel: 0,
      depth: 0,
      reason: 'window',
      score: 1,
      tableBytesMax: LEVEL0_TABLE_BYTES,
    });
    if (!isBlocked(plan, running)) return plan;
  }
  return undefined;
}
