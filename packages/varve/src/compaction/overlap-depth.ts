/**
 * How many files of level 0 lie over each other at most: as many may one get have to ask there, filters aside.
 */
import { compareBytes } from '../base/bytes.ts';
import { compareEnds, endsBefore, type FileMeta } from '../manifest/file-meta.ts';

export function overlapDepth(files: readonly FileMeta[]): number {
  const ends = files.toSorted(compareEnds);
  let ended = 0;
  let begun = 0;
  let most = 0;
  for (const { smallestKey } of files.toSorted((a, b) => compareBytes(a.smallestKey, b.smallestKey))) {
    while (endsBefore(ends[ended]!, smallestKey)) ended++;
    begun++;
    most = Math.max(most, begun - ended);
  }
  return most;
}
