/**
 * Reclaims what has expired where ordinary compaction does not come by: tables that are mostly expired, or that hold something
 * that expired long ago, are rewritten where they are; those of which nothing is left go without being read. A pure function
 * of version, running plans and readers, for the care of tables that are otherwise left alone.
 *
 * The time is that of the earliest reader (snapshot-register.ts): what expired after it has to stay, so counting it would
 * rewrite tables for nothing. What a rewrite leaves expires later than that, so a table is not due again at once.
 *
 * What goes unread goes together: a table that hides an older one may go with it, and no later. Rewritten alone it would become
 * one of deletes, which nobody misses and nobody looks for.
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

/** For whom tables are judged: nobody reads by an earlier time, nor lists what was written after `floor`, now or later. */
export interface ExpiryReaders {
  readonly time: number;
  /** Every state from here on may be read, one after the other: a delete after it is part of what they tell. */
  readonly floor: number;
}

/** Does no reader find anything in the table? All that is in it are deletes, and puts that have expired. */
export function holdsNothing(
  { entries, tombstones, rangeTombstones, largestSequence, expiry }: FileMeta,
  { time, floor }: ExpiryReaders,
): boolean {
  if (expiry !== undefined && expiry.latestExpiry > time) return false;
  const expiring = expiry?.expiring ?? 0;
  const deletes = tombstones + rangeTombstones;
  return tombstones + expiring === entries && (deletes === 0 || largestSequence <= floor);
}

export function pickExpired(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
  readers: ExpiryReaders,
): CompactionPlan | undefined {
  const { levels } = keyspace;
  const gone = goneFiles(keyspace, readers);
  const unread = levels.flatMap((all, level) => {
    const files = all.filter((file) => gone.has(file) && !running.holds(file.number));
    return files.length === 0 ? [] : [{ level, files }];
  });
  if (unread.length > 0) return dropPlan(unread, 'expired');
  const { time } = readers;
  const due = levels
    .flatMap((files, level) => files.map((file) => ({ file, level, share: expiredShare(file, time) })))
    .filter(({ file, share }) => share > 0 && !running.holds(file.number) && isDue(file, share, time))
    .sort((a, b) => b.share - a.share);
  for (const { file, level, share } of due) {
    // What is on its way out would leave deletes behind that hide it: soon there is nothing to hide.
    if (olderFiles(keyspace, file, level).some((older) => gone.has(older))) continue;
    const plan = rewriteOf(keyspace, settings, file, level, share);
    if (brokenRule(keyspace, plan) === undefined && !isBlocked(plan, running)) return plan;
  }
  return undefined;
}

function isDue({ expiry }: FileMeta, share: number, time: number): boolean {
  return share >= EXPIRED_SHARE || expiry!.earliestExpiry + EXPIRED_LONG_MS <= time;
}

/**
 * The files that hold nothing for any reader, and hide nothing but one another: without all of them, or without those in the
 * oldest places of them, everybody finds the same. From the oldest place up, so that each is asked once.
 */
function goneFiles(keyspace: KeyspaceVersion, readers: ExpiryReaders): ReadonlySet<FileMeta> {
  const gone = new Set<FileMeta>();
  for (const [level, files] of [...keyspace.levels.entries()].reverse()) {
    for (const file of files.toReversed()) {
      if (!holdsNothing(file, readers)) continue;
      if (olderFiles(keyspace, file, level).every((older) => gone.has(older))) gone.add(file);
    }
  }
  return gone;
}

/** The older files that may hold a key of this one: in what has expired they are hidden, and must not come to light. */
function olderFiles(keyspace: KeyspaceVersion, file: FileMeta, level: number): readonly FileMeta[] {
  const level0 = keyspace.levels[0]!;
  const behind = level === 0 ? level0.slice(level0.indexOf(file) + 1) : [];
  return [
    ...behind.filter((each) => spansOverlap(each, file)),
    ...keyspace.levels.flatMap((_, each) => (each > level ? filesOverlapping(keyspace, each, file) : [])),
  ];
}

function rewriteOf(
  keyspace: KeyspaceVersion,
  settings: LeveledSettings,
  file: FileMeta,
  level: number,
  share: number,
): CompactionPlan {
  const isInLevel0 = level === 0;
  return planOf(keyspace, settings, {
    inputs: [{ level, files: [file] }],
    outputLevel: level,
    depth: isInLevel0 ? 0 : Math.max(1, level - levelShape(keyspace, settings).baseLevel + 1),
    reason: 'expired',
    score: share,
    ...(isInLevel0 && { tableBytesMax: LEVEL0_TABLE_BYTES }),
  });
}
