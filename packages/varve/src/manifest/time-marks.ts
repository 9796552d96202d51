/**
 * Sampled pairs of (time, sequence), ascending in both: what reads of the past and retention by time look up (CONTRACT 5). Pure
 * functions, of the manifest at every edit and of the open database (engine/time-marks.ts).
 *
 * A mark says which sequence was the latest one at its time. The state at a time is that of the last mark at or before it, so
 * leaving marks out makes answers coarser, never wrong.
 */
import type { TimeMark } from './version-edit.ts';

/** So many marks are kept as they came: with one a second, those of a day. */
export const MARKS_MAX = 100_000;
/** When there are more, those go without which neighbours are still no further apart than this part of their age. */
const AGE_SHARE = 1 / 10_000;

/**
 * Marks that do not advance say nothing new; of those at or below `oldest`, the lowest sequence that may be asked for, only the
 * last one can still be the answer.
 */
export function joinMarks(
  marks: readonly TimeMark[],
  more: readonly TimeMark[],
  oldest: number,
): readonly TimeMark[] {
  if (more.length === 0) return marks;
  const joined = [...marks];
  for (const mark of more) {
    const last = joined.at(-1);
    // (The first release noted as well that a sequence was still the latest one: one behind the other of two equal ones.)
    if (last !== undefined && mark.sequence <= last.sequence) continue;
    // More was committed in the millisecond of a mark that was stored before.
    if (mark.time === last?.time) joined.pop();
    if (last === undefined || mark.time >= last.time) joined.push(mark);
  }
  let unneeded = 0;
  while (unneeded + 1 < joined.length && joined[unneeded + 1]!.sequence <= oldest) unneeded++;
  const kept = unneeded === 0 ? joined : joined.slice(unneeded);
  return kept.length <= MARKS_MAX ? kept : thinMarks(kept);
}

/** Without those whose neighbours are near enough to each other for their age. */
export function thinMarks(marks: readonly TimeMark[]): TimeMark[] {
  const newest = marks.at(-1)!.time;
  const kept: TimeMark[] = [];
  for (const [at, mark] of marks.entries()) {
    const last = kept.at(-1);
    const next = marks[at + 1];
    const apart = (newest - mark.time) * AGE_SHARE;
    if (last === undefined || next === undefined || next.time - last.time > apart) kept.push(mark);
  }
  return kept;
}
