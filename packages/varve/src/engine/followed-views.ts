/**
 * What a read-only tree keeps for readers at older sequences and times when it follows a writer in another process.
 *
 * That writer does not know of them: flush and compaction leave out what none of its own readers needs. What they can leave
 * out lies at or below the flushed or the ingested sequence, or had expired by the writer's clock, so a version answers for
 * every sequence from there on and for every time from that clock on. Whoever reads below goes on with the view of before,
 * whose tables are held open (fs/held-files.ts) and whose memtables stay. Owner's thread.
 */
import type { FileMeta } from '../manifest/file-meta.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import type { Memtable } from '../memtable/memtable.ts';
import type { RegisteredReaders } from './held-readers.ts';
import type { ReadView } from './read-view.ts';

export interface FollowedView {
  readonly view: ReadView;
  /** It answers for readers of this time (stored clock) or later; 0: for all. */
  readonly since: number;
}

/**
 * The first sequence that a version answers for. What compaction has dropped was replaced by something in tables: by what was
 * flushed or by what was ingested.
 */
export function answersFrom({ flushedSequence, ingestedSequence }: KeyspaceVersion): number {
  return Math.max(flushedSequence, ingestedSequence);
}

export class FollowedViews {
  /** Oldest first; each answers from `answersFrom` and its time on, up to those of the next. */
  #kept: readonly FollowedView[] = [];

  /** The kept view that answers for a reader; undefined when there was none yet. */
  find(sequence: number, time: number): ReadView | undefined {
    return this.#kept.findLast((each) => answers(each, sequence, time))?.view;
  }

  /** `after` takes the place of `before`. Keeps what `readers` still need; returns the memtables that nobody needs any more. */
  replace(before: FollowedView, after: FollowedView, readers: readonly RegisteredReaders[]): Memtable[] {
    const known = [...this.#kept, before];
    const next = [...known.slice(1), after];
    this.#kept = known.filter((each, index) =>
      readers.some(
        ({ sequence, time, latest }) =>
          answers(each, sequence, latest) && !answers(next[index]!, sequence, time),
      ),
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
    return this.#kept.flatMap(({ view }) => view.version.levels.flat());
  }

  /** Their blob files, by number. */
  blobs(): number[] {
    return this.#kept.flatMap(({ view }) => [...view.version.blobs.keys()]);
  }
}

function answers({ view, since }: FollowedView, sequence: number, time: number): boolean {
  return answersFrom(view.version) <= sequence && since <= time;
}

function memtablesOf({ view }: FollowedView): readonly Memtable[] {
  return view.memtable === undefined ? view.immutables : [view.memtable, ...view.immutables];
}
