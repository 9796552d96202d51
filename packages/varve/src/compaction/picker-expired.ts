/**
 * Reclaims what has expired where ordinary compaction does not come by: tables that are mostly expired, or that hold something
 * that expired long ago, are rewritten where they are; one of which nothing is left goes without being read. A pure function
 * of version, running plans and time, for the care of tables that are otherwise left alone.
 *
 * The time is that of the earliest reader (snapshot-register.ts): what expired after it has to stay, so counting it would
 * rewrite tables for nothing. What a rewrite leaves expires later than that, so a table is not due again at once.
 */
import { type FileMeta, spansOverlap } from '../manifest/file-meta.ts';
import { filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';
import { type LeveledSettings, levelShape } from './picker-leveled.ts';
import { LEVEL0_TABLE_BYTES } from './picker-tiered.ts';
import { type CompactionPlan, dropPlan, isBlocked, planOf, type RunningPlans } from './plan.ts';
import { brokenRule } from './plan-rules.ts';

/** From this share on a rewrite frees at least as much as it writes. */
export const EXPIRED_SHARE = 0.5;
/** What expired so long ago is worth a rewrite, however little it is: at most one a day for each table. */
export const EXPIRED_LONG_MS: number = 24 * 60 * 60 * 1000;

/**
 * Which part of the table's entries has expired at `now`, 0 to 1. Estimated: between the earliest and the latest expiry it
 * rises evenly.
 */
export function expiredShare({ entries, expiry }: FileMeta, now: number): number {
  if (expiry === undefined || now < expiry.earliestExpiry) return 0;
  const { expiring, earliestExpiry, latestExpiry } = expiry;
  const passed = now >= latestExpiry ? 1 : (now - earliestExpiry + 1) / (latestExpiry - earliestExpiry + 1);
  return (passed * expiring) / entries;
}

/** Nothing of the table is there any more for a reader at `time` or later: all its entries expire, and have. */
export function isAllExpired({ entries, rangeTombstones, expiry }: FileMeta, time: number): boolean {
  return expiry?.expiring === entries && rangeTombstones === 0 && expiry.latestExpiry <= time;
}

/** @param time no reader judges by an earlier one, now or later */
export function pickExpired(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
  time: number,
): CompactionPlan | undefined {
  const due = keyspace.levels
    .flatMap((files, level) => files.map((file) => ({ file, level, share: expiredShare(file, time) })))
    .filter(({ file, share }) => share > 0 && !running.holds(file.number) && isDue(file, share, time))
    .sort((a, b) => b.share - a.share);
  for (const { file, level, share } of due) {
    const plan = planFor(keyspace, settings, file, level, share, time);
    if (brokenRule(keyspace, plan) === undefined && !isBlocked(plan, running)) return plan;
  }
  return undefined;
}

function isDue({ expiry }: FileMeta, share: number, time: number): boolean {
  return share >= EXPIRED_SHARE || expiry!.earliestExpiry + EXPIRED_LONG_MS <= time;
}

function planFor(
  keyspace: KeyspaceVersion,
  settings: LeveledSettings,
  file: FileMeta,
  level: number,
  share: number,
  time: number,
): CompactionPlan {
  const inputs = [{ level, files: [file] }];
  if (isAllExpired(file, time) && !coversOlder(keyspace, file, level)) return dropPlan(inputs, 'expired');
  const isInLevel0 = level === 0;
  return planOf(keyspace, settings, {
    inputs,
    outputLevel: level,
    depth: isInLevel0 ? 0 : Math.max(1, level - levelShape(keyspace, settings).baseLevel + 1),
    reason: 'expired',
    score: share,
    ...(isInLevel0 && { tableBytesMax: LEVEL0_TABLE_BYTES }),
  });
}

/** Is there an older file that may hold a key of this one? What has expired hides it, and must not go without a trace. */
function coversOlder(keyspace: KeyspaceVersion, file: FileMeta, level: number): boolean {
  const level0 = keyspace.levels[0]!;
  const older = level === 0 ? level0.slice(level0.indexOf(file) + 1) : [];
  return (
    older.some((each) => spansOverlap(each, file)) ||
    keyspace.levels.some((_, each) => each > level && filesOverlapping(keyspace, each, file).length > 0)
  );
}
