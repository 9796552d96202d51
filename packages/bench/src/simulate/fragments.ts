/**
 * Range tombstones of the simulator, over integer keys. A set of them is kept as fragments: disjoint, ascending, each with
 * the newest tombstone that covers it, which is all that counts while nobody holds a snapshot.
 */

/** Deletes what is older than `sequence` in [start, end). */
export interface Fragment {
  readonly start: number;
  readonly end: number;
  readonly sequence: number;
}

/** Any tombstones as fragments. */
export function fragmentsOf(tombstones: readonly Fragment[]): readonly Fragment[] {
  if (tombstones.length < 2) return tombstones;
  const byStart = tombstones.toSorted((a, b) => a.start - b.start);
  const cuts = [...new Set(tombstones.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  const fragments: Fragment[] = [];
  let active: Fragment[] = [];
  let at = 0;
  for (let i = 0; i + 1 < cuts.length; i++) {
    const start = cuts[i]!;
    const end = cuts[i + 1]!;
    active = active.filter((each) => each.end > start);
    while (at < byStart.length && byStart[at]!.start === start) active.push(byStart[at++]!);
    if (active.length === 0) continue;
    const sequence = active.reduce((most, each) => Math.max(most, each.sequence), 0);
    const last = fragments.at(-1);
    if (last?.end === start && last.sequence === sequence) {
      fragments[fragments.length - 1] = { start: last.start, end, sequence };
    } else fragments.push({ start, end, sequence });
  }
  return fragments;
}

/** What of the fragments lies in [from, to). */
export function clip(fragments: readonly Fragment[], from: number, to: number): readonly Fragment[] {
  return fragments
    .filter(({ start, end }) => start < to && end > from)
    .map(({ start, end, sequence }) => ({
      start: Math.max(start, from),
      end: Math.min(end, to),
      sequence,
    }));
}
