/**
 * What a cursor walks over: the visible entries of its range in the current view at its sequence, opened anew whenever the
 * views have changed since the last move. A move that throws leaves it anywhere, and the next one seeks from the key shown.
 *
 * The merged sources of a whole keyspace go back to the tree when nobody needs them (scan.ts `IdleSources`). Of one cursor.
 */
import { compareRanges } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import type { VisibleIterator } from '../iterator/visible.ts';
import type { Session } from './core.ts';
import type { ReadPoint } from './read-point.ts';
import type { ReadView } from './read-view.ts';
import { type KeyRange, mergedSources, openScan } from './scan.ts';
import type { Tree } from './tree.ts';
import type { WalkAhead } from './walk-ahead.ts';

const EVERYTHING: KeyRange = { lower: undefined, upper: undefined };

export class CursorSource {
  readonly #core: Session;
  readonly #tree: Tree;
  readonly #range: KeyRange & { readonly reverse: boolean };
  readonly #point: ReadPoint;
  readonly #ahead: WalkAhead | undefined;
  #source: VisibleIterator | undefined;
  /** What `#source` walks over. */
  #merged: EntryIterator | undefined;
  /** The view that it was made from, and the generation at which that was the current one. */
  view: ReadView | undefined;
  generation = -1;
  /** Stays true when a move throws: the source may stand anywhere then, and the next move seeks anew. */
  #isMoving = false;
  #started = false;

  constructor(
    core: Session,
    tree: Tree,
    range: KeyRange & { readonly reverse: boolean },
    point: ReadPoint,
    ahead: WalkAhead | undefined,
  ) {
    this.#core = core;
    this.#tree = tree;
    this.#range = range;
    this.#point = point;
    this.#ahead = ahead;
  }

  /** One step on from the entry with that key, which was shown last; the first step goes to the beginning. */
  advance(key: Uint8Array): VisibleIterator {
    const { reverse } = this.#range;
    const current = this.#current();
    this.#isMoving = true;
    const source = current ?? this.#reopen();
    if (current !== undefined) {
      if (reverse) current.prev();
      else current.next();
    } else if (!this.#started) {
      if (reverse) source.last();
      else source.first();
    } else if (reverse) source.seekBefore(key, 0, key.length);
    else {
      source.seek(key, 0, key.length);
      if (source.valid && isAtKey(source, key)) source.next();
    }
    this.#isMoving = false;
    this.#started = true;
    return source;
  }

  /** To the first entry at or past `key` in the direction of the range. */
  seek(key: Uint8Array): VisibleIterator {
    const current = this.#current();
    this.#isMoving = true;
    const source = current ?? this.#reopen();
    if (this.#range.reverse) {
      // At or below the key: strictly below its successor.
      const above = new Uint8Array(key.length + 1);
      above.set(key);
      source.seekBefore(above, 0, above.length);
    } else source.seek(key, 0, key.length);
    this.#isMoving = false;
    this.#started = true;
    return source;
  }

  /** The cursor has shown the run up to `position`, unless the views have changed: then the next move seeks from the key. */
  leaveRun(position: number): void {
    const source = this.#current();
    this.#isMoving = true;
    source?.moveTo(position);
    this.#isMoving = false;
  }

  /** Lets go of everything; a later move opens anew. */
  end(): void {
    this.#source = undefined;
    this.#leaveMerged();
    this.generation = -1;
  }

  /** The source, when it is of the current view and stands where the last move left it. */
  #current(): VisibleIterator | undefined {
    return this.generation === this.#core.state.generation && !this.#isMoving ? this.#source : undefined;
  }

  #reopen(): VisibleIterator {
    this.#leaveMerged();
    const { tables, idleSources } = this.#tree;
    const { sequence, time } = this.#point;
    const view = this.#tree.viewAt(sequence, time);
    const merged =
      (this.#takesAll ? idleSources.take(view) : undefined) ??
      mergedSources(view, tables, this.#takesAll ? EVERYTHING : this.#range, this.#ahead);
    this.#source = openScan(merged, view, tables, this.#range, sequence, time, this.#tree.dead);
    this.#merged = merged;
    this.view = view;
    this.generation = this.#core.state.generation;
    return this.#source;
  }

  /** The sources are free for the next cursor, if they are still those of the current view. */
  #leaveMerged(): void {
    const merged = this.#merged;
    this.#merged = undefined;
    if (merged === undefined || !this.#takesAll || this.view !== this.#tree.view) return;
    this.#tree.idleSources.leave(this.view, merged);
  }

  /** Nothing ends the walk but the last source: it takes all sources, which others have used and will use. */
  get #takesAll(): boolean {
    return (
      this.#ahead === undefined && (this.#range.reverse ? this.#range.lower : this.#range.upper) === undefined
    );
  }
}

function isAtKey(source: VisibleIterator, key: Uint8Array): boolean {
  return compareRanges(source.key, source.keyStart, source.keyEnd, key, 0, key.length) === 0;
}
