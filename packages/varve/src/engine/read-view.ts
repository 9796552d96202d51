/**
 * What a reader of one keyspace looks at: the memtable, the immutables behind it, the tables. Replaced whole on rotation,
 * flush and compaction, never changed; `state.generation` rises with every replacement of any view.
 *
 * A reader takes the view first and the visible sequence second (CONTRACT 5): the other order could pair a sequence with a
 * newer view whose compaction already dropped what that sequence needs. Between two of its moves a reader holds neither:
 * a cursor copies its entry, and seeks again at its own registered sequence when the generation has changed. So what a
 * new view no longer names (memtable memory, files) is free right after it is installed.
 */
import type { FileMeta } from '../manifest/file-meta.ts';
import type { Memtable } from '../memtable/memtable.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import { LevelFences } from './level-fences.ts';

export interface ReadView {
  /** Takes the writes; undefined until the first write after a rotation. */
  readonly memtable: Memtable | undefined;
  /** Waiting to be flushed, newest first. */
  readonly immutables: readonly Memtable[];
  readonly version: KeyspaceVersion;
  /** Of `version` and of no other version of any keyspace: the name under which the row cache keeps what its tables hold. */
  readonly versionId: number;
  /** Of the levels of `version`, for finding a key's file; level 0 has none that are used. */
  readonly fences: readonly LevelFences[];
}

/** The view of a keyspace that is in tables alone. */
export function viewOf(version: KeyspaceVersion, versionId: number): ReadView {
  return { memtable: undefined, immutables: [], version, versionId, fences: fencesOf(version, []) };
}

/** The fences of a version's levels; those of levels that have not changed are taken over from `before`. */
export function fencesOf(version: KeyspaceVersion, before: readonly LevelFences[]): readonly LevelFences[] {
  const none: readonly FileMeta[] = [];
  return version.levels.map((files, level) => {
    const of = level === 0 ? none : files;
    const known = before[level];
    return known !== undefined && known.files === of ? known : new LevelFences(of);
  });
}
