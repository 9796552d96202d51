/**
 * What a read-only tree keeps for readers at older sequences when it follows a writer in another process.
 *
 * That writer does not know of them: flush and compaction leave out what none of its own readers needs. What it can leave
 * out lies at or below the flushed sequence, so a version answers for every sequence from there on. Whoever reads
 * below it goes on with the view of before, whose tables are held open (fs/held-files.ts) and whose memtables stay.
 * Owner's thread.
 */
import type { FileMeta } from '../manifest/file-meta.ts';
import type { Memtable } from '../memtable/memtable.ts';
import type { ReadView } from './read-view.ts';

export class FollowedViews {
  /** Oldest first; each answers from its flushed sequence up to that of the next. */
  #kept: readonly ReadView[] = [];

  /** The kept view that answers for `sequence`; undefined when there was none yet. */
  find(sequence: number): ReadView | undefined {
    return this.#kept.findLast((view) => view.version.flushedSequence <= sequence);
  }

  /**
   * `after` takes the place of `before`. Keeps what `registered`, ascending, still needs; returns the memtables that nobody
   * needs any more.
   */
  replace(before: ReadView, after: ReadView, registered: readonly number[]): Memtable[] {
    const known = [...this.#kept, before];
    const bounds = [...known.slice(1), after].map((view) => view.version.flushedSequence);
    this.#kept = known.filter((view, index) =>
      registered.some((each) => each >= view.version.flushedSequence && each < bounds[index]!),
    );
    const needed = new Set([...this.#kept, after].flatMap(memtablesOf));
    return [...new Set(known.flatMap(memtablesOf))].filter((memtable) => !needed.has(memtable));
  }

  /** Nobody reads any more: the memtables of the kept views, some of which are in the current one too. */
  clear(): Memtable[] {
    const memtables = this.#kept.flatMap(memtablesOf);
    this.#kept = [];
    return memtables;
  }

  /** The tables of all kept views. */
  files(): FileMeta[] {
    return this.#kept.flatMap((view) => view.version.levels.flat());
  }
}

function memtablesOf(view: ReadView): readonly Memtable[] {
  return view.memtable === undefined ? view.immutables : [view.memtable, ...view.immutables];
}
