/**
 * With which sequence each incarnation of the database ended, as the open after it found: what tells a resume token of a
 * history that was lost (CONTRACT 3) from one that goes on. Kept in the manifest, written anew at every open.
 *
 * Invariants: incarnations rise strictly; one that added nothing to the one before it has no entry of its own; the newest
 * ENDS_MIN are kept, and all in whose log feeds can begin.
 */

export interface IncarnationEnd {
  readonly incarnation: number;
  readonly sequence: number;
}

const ENDS_MIN = 256;

/**
 * The list with what was just found: `incarnation` ended at `sequence`.
 *
 * @param oldest the sequence before the oldest change that is kept for feeds
 */
export function withEnd(
  ends: readonly IncarnationEnd[],
  incarnation: number,
  sequence: number,
  oldest: number = Number.POSITIVE_INFINITY,
): readonly IncarnationEnd[] {
  if (incarnation === 0) return ends;
  // What was lost since ('salvage', a file put back) is lost for those before as well.
  const still = ends.map((end) => (end.sequence > sequence ? { ...end, sequence } : end));
  const last = still.at(-1);
  if (last !== undefined && last.sequence === sequence) return still;
  const all = [...still, { incarnation, sequence }];
  const needed = all.filter((end) => end.sequence >= oldest).length;
  return all.slice(-Math.max(ENDS_MIN, needed));
}

/** The sequence that `incarnation`, which is over, ended with; undefined when that is not known any more. */
export function endOf(ends: readonly IncarnationEnd[], incarnation: number): number | undefined {
  let found: number | undefined;
  for (const end of ends) if (end.incarnation <= incarnation) found = end.sequence;
  return found;
}

/** The incarnation that wrote `sequence`, or a later one in whose history it stands; `current` when none that is over has it. */
export function incarnationOf(ends: readonly IncarnationEnd[], sequence: number, current: number): number {
  return ends.find((end) => end.sequence >= sequence)?.incarnation ?? current;
}
