/**
 * Tables that range tombstones cover wholly: they go by an edit, without being read. The tombstones have to be in a table of
 * a newer place itself, so that a crash can not lose them and keep their absence; and no reader may be between (drop.ts):
 * over each key of the table there has to be one that the lowest reader of the table already sees.
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
      const readers = readersFrom(file.smallestSequence);
      const reader = readers.lowestFrom(file.smallestSequence);
      const cover = coverOf(keyspace, level, file, tombstonesOf, reader);
      return cover > file.largestSequence && mayDropCovered(readers, file.smallestSequence, cover);
    });
    if (gone.length > 0) inputs.push({ level, files: gone });
  }
  return inputs.length === 0 ? undefined : dropPlan(inputs, 'covered');
}

/** The highest sequence up to which tombstones of one newer file that `reader` sees cover all of `file`; 0 for none. */
function coverOf(
  keyspace: KeyspaceVersion,
  level: number,
  file: FileMeta,
  tombstonesOf: (file: FileMeta) => FragmentedTombstones | undefined,
  reader: number,
): number {
  let best = 0;
  for (let above = 0; above <= level; above++) {
    for (const newer of filesOverlapping(keyspace, above, file)) {
      if (newer === file || newer.rangeTombstones === 0 || newer.largestSequence <= file.largestSequence)
        continue;
      const tombstones = tombstonesOf(newer);
      if (tombstones !== undefined) best = Math.max(best, coverOfSpan(tombstones, file, reader));
    }
  }
  return best;
}

/** Of the tombstones at or below `reader` the newest at each key of the span, and the lowest of those; 0 with a gap in it. */
export function coverOfSpan(tombstones: FragmentedTombstones, span: KeySpan, reader: number): number {
  let reached = span.smallestKey;
  let cover = Number.POSITIVE_INFINITY;
  for (const { start, end, sequences } of tombstones.fragments()) {
    if (compareBytes(end, reached) <= 0) continue;
    if (compareBytes(start, reached) > 0) return 0;
    cover = Math.min(cover, sequences.find((sequence) => sequence <= reader) ?? 0);
    reached = end;
    if (endsBefore(span, reached)) return cover;
  }
  return 0;
}
