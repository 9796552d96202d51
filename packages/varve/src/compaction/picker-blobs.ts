/**
 * Reclaiming blob files: which are to be emptied, and what to compact for it. Pure functions of the version, the running plans
 * and the settings.
 *
 * A blob file of which less than LIVE_SHARE_MIN is live is to be emptied: every compaction that comes across an entry which
 * refers to it copies the value to a new blob file, so that copying a byte frees at least one. When no compaction is due for
 * another reason, `pickBlobs` makes one: tables that refer to the file of which the least is live, rewritten in their level.
 * The file leaves with the last table that refers to it (manifest/blob-files.ts).
 *
 * Why it ends: after a plan its tables refer to none of these files, and the new ones are live as a whole. In level 0, where
 * strategies without levels keep their data, what was written together is rewritten together (picker-tiered.ts `runsOfLevel0`).
 */
import type { BlobMeta } from '../manifest/blob-meta.ts';
import { type LiveBlob, liveBlobs, liveShare } from '../manifest/blob-files.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { bytesOf, type KeyspaceVersion } from '../manifest/version.ts';
import { LEVEL0_TABLE_BYTES, runsOfLevel0 } from './picker-tiered.ts';
import { type CompactionPlan, isBlocked, planOf, type RunningPlans, type TableSizes } from './plan.ts';

/** A blob file of which less than this is live is to be emptied. */
const LIVE_SHARE_MIN = 0.5;
/** A plan takes neighbours that refer to such files up to so many tables' worth. */
const TABLES_MAX = 8;

export interface BlobSettings extends TableSizes {
  /** Blob files that can not be read: they are left as they are. */
  readonly unreadable: ReadonlySet<number>;
}

/** Blob files whose values a compaction copies when it comes across them. */
export function blobsToEmpty(keyspace: KeyspaceVersion, settings: BlobSettings): BlobMeta[] {
  return dueBlobs(keyspace, settings).map(({ blob }) => blob);
}

/** The least live first; of equals the older one. */
function dueBlobs(keyspace: KeyspaceVersion, { unreadable }: BlobSettings): LiveBlob[] {
  return liveBlobs(keyspace)
    .filter((live) => liveShare(live) < LIVE_SHARE_MIN && !unreadable.has(live.blob.number))
    .sort((a, b) => liveShare(a) - liveShare(b));
}

/** The next compaction that empties blob files; undefined when there is none, or none that can run now. */
export function pickBlobs(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: BlobSettings,
): CompactionPlan | undefined {
  if (keyspace.blobs.size === 0) return undefined;
  const due = dueBlobs(keyspace, settings);
  const numbers = new Set(due.map(({ blob }) => blob.number));
  for (const live of due) {
    for (let level = keyspace.levels.length - 1; level >= 0; level--) {
      for (const files of candidates(keyspace, settings, level, live.blob.number, numbers)) {
        const plan = planAt(keyspace, settings, level, files, live);
        if (!isBlocked(plan, running)) return plan;
      }
    }
  }
  return undefined;
}

/** Files of the level that may be rewritten where they are, the longer rows first of those that begin with the same table. */
function* candidates(
  keyspace: KeyspaceVersion,
  settings: BlobSettings,
  level: number,
  number: number,
  due: ReadonlySet<number>,
): Generator<readonly FileMeta[]> {
  const files = keyspace.levels[level]!;
  const only = new Set([number]);
  if (level === 0) {
    for (const run of runsOfLevel0(files)) {
      if (run.files.some((file) => refersTo(file, only))) yield run.files;
    }
    return;
  }
  const bytesMax = TABLES_MAX * settings.tableBytes(depthOf(keyspace, level));
  for (let first = 0; first < files.length; first++) {
    if (!refersTo(files[first]!, only)) continue;
    let end = first + 1;
    while (
      end < files.length &&
      refersTo(files[end]!, due) &&
      bytesOf(files.slice(first, end + 1)) <= bytesMax
    )
      end++;
    // Neighbours may have something running between them.
    for (; end > first; end--) yield files.slice(first, end);
  }
}

function planAt(
  keyspace: KeyspaceVersion,
  settings: BlobSettings,
  level: number,
  files: readonly FileMeta[],
  live: LiveBlob,
): CompactionPlan {
  return planOf(keyspace, settings, {
    inputs: [{ level, files }],
    outputLevel: level,
    depth: depthOf(keyspace, level),
    reason: 'blob-space',
    score: 1 - liveShare(live),
    ...(level === 0 && { tableBytesMax: LEVEL0_TABLE_BYTES }),
  });
}

/** As pickers count it: 1 for the first level below level 0 that has files. */
function depthOf({ levels }: KeyspaceVersion, level: number): number {
  const base = levels.findIndex((files, at) => at > 0 && files.length > 0);
  return level === 0 ? 0 : Math.max(1, level - base + 1);
}

function refersTo({ blobs }: FileMeta, numbers: ReadonlySet<number>): boolean {
  return blobs?.some(({ number }) => numbers.has(number)) === true;
}
