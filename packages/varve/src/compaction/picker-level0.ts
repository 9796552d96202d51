/**
 * Which files of level 0 have to go together. Files of level 0 overlap, and a newer one must not sink below an older one, so
 * a compaction takes all that overlap each other, directly or by way of others. Files of the base level link them too: two
 * groups that need the same file below are one, or that file would be rewritten twice.
 */
import { compareBytes } from '../base/bytes.ts';
import { compareEnds, endsBefore, type FileMeta } from '../manifest/file-meta.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';

interface Member {
  readonly file: FileMeta;
  /** Position in level 0, newest first; -1 for files of the base level. */
  readonly age: number;
}

/**
 * The closed groups of level 0 files, each newest first. Groups with more files come first, of equals the one with the
 * oldest file.
 */
export function closedGroups(keyspace: KeyspaceVersion, baseLevel: number): FileMeta[][] {
  const members: Member[] = [
    ...keyspace.levels[0]!.map((file, age) => ({ file, age })),
    ...keyspace.levels[baseLevel]!.map((file) => ({ file, age: -1 })),
  ].sort((a, b) => compareBytes(a.file.smallestKey, b.file.smallestKey));
  const groups: Member[][] = [];
  let group: Member[] = [];
  let highest: FileMeta | undefined;
  for (const member of members) {
    if (highest === undefined || endsBefore(highest, member.file.smallestKey)) {
      groups.push((group = []));
      highest = member.file;
    } else if (compareEnds(member.file, highest) > 0) highest = member.file;
    group.push(member);
  }
  return groups
    .map((each) => each.filter(({ age }) => age >= 0).sort((a, b) => a.age - b.age))
    .filter((each) => each.length > 0)
    .sort((a, b) => b.length - a.length || b.at(-1)!.age - a.at(-1)!.age)
    .map((each) => each.map(({ file }) => file));
}
