/** All planted bugs, of every checker, and how one is put into a source file. */
import { bankBugs } from '../bank/planted-bugs.ts';
import { interleavedBugs } from '../interleave/planted-bugs.ts';
import { isolationBugs } from '../isolation/planted-bugs.ts';
import { threadBugs } from '../threads/planted-bugs.ts';
import { type PlantedBug, plantedBugs } from './bugs.ts';

export const allBugs: readonly PlantedBug[] = [
  ...plantedBugs,
  ...interleavedBugs,
  ...isolationBugs,
  ...threadBugs,
  ...bankBugs,
];

/** @throws Error when the source is not as the bug wants it: then it would prove nothing */
export function planted(bug: PlantedBug, file: string, source: string): string {
  let changed = source;
  for (const { find, replace } of bug.edits.filter((edit) => edit.file === file)) {
    const parts = changed.split(find);
    if (parts.length !== 2)
      throw new Error(`planted bug ${bug.name}: found ${parts.length - 1} times in ${file}: ${find}`);
    changed = parts.join(replace);
  }
  return changed;
}
