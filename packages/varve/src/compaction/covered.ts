/**
 * Tables that a range tombstone covers wholly: they go by an edit, without being read. The tombstone has to be in a table of
 * a newer place itself, so that a crash can not lose it and keep their absence; and no reader may be between (drop.ts).
 */
import { compareBytes } from '../base/bytes.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { endsBefore, type FileMeta, type KeySpan } from '../manifest/file-meta.ts';
import { filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';
import { mayDropCovered, type Readers } from './drop.ts';
import { type CompactionPlan, dropPlan, type LevelFiles, type RunningPlans } from './plan.ts';

/**
 * The plan that drops what is covered; undefined when nothing is.
 *
 * @param tombstonesOf the range tombstones of a file that has some
 */
export function pickCovered(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  readersFrom: (smallestSequence: number) => Readers,
  tombstonesOf: (file: FileMeta) => FragmentedTombstones | undefined,
): CompactionPlan | undefined {
  const inputs: LevelFiles[] = [];
  for (const [level, files] of keyspace.levels.entries()) {
    const gone = files.filter((file) => {
      if (running.holds(file.number)) return false;
      const cover = coverOf(keyspace, level, file, tombstonesOf);
      return cover > 0 && mayDropCovered(readersFrom(file.smallestSequence), file.smallestSequence, cover);
    });
    if (gone.length > 0) inputs.push({ level, files: gone });
  }
  return inputs.length === 0 ? undefined : dropPlan(inputs, 'covered');
}

/** The lowest sequence at which tombstones of one newer file, all later than `file`, cover all of it; 0 for none. */
function coverOf(
  keyspace: KeyspaceVersion,
  level: number,
  file: FileMeta,
  tombstonesOf: (file: FileMeta) => FragmentedTombstones | undefined,
): number {
  let best = 0;
  for (let above = 0; above <= level; above++) {
    for (const newer of filesOverlapping(keyspace, above, file)) {
      if (newer === file || newer.rangeTombstones === 0 || newer.largestSequence <= file.largestSequence)
        continue;
      const tombstones = tombstonesOf(newer);
      const cover = tombstones === undefined ? 0 : coverOfSpan(tombstones, file, file.largestSequence);
      if (cover > 0 && (best === 0 || cover < best)) best = cover;
    }
  }
  return best;
}

/**
 * The sequence from which on all of the span is covered by tombstones later than `after`: of each part the first such one
 * counts, and of all parts the last. 0 when they leave a gap.
 */
export function coverOfSpan(tombstones: FragmentedTombstones, span: KeySpan, after: number): number {
  let reached = span.smallestKey;
  let cover = 0;
  for (const { start, end, sequences } of tombstones.fragments()) {
    if (compareBytes(end, reached) <= 0) continue;
    if (compareBytes(start, reached) > 0) return 0;
    const first = Math.min(...sequences.filter((sequence) => sequence > after));
    if (first === Number.POSITIVE_INFINITY) return 0;
    cover = Math.max(cover, first);
    reached = end;
    if (endsBefore(span, reached)) return cover;
  }
  return 0;
}
