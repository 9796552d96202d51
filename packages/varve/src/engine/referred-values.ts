/**
 * The values of a cursor that lie in blob files: read when they are asked for, so that a walk that looks at keys reads none. Those
 * that have operands of a merge operator likewise: they are read by a get.
 *
 * A cursor shows an entry for as long as its user likes, and holds no view meanwhile. While its view is the current one, the
 * reference it shows is good; after that the key is looked up anew at the cursor's sequence, which keeps its version from
 * being dropped, wherever it lies by then. A walk with read-ahead has the values of the next entries of a run fetched by
 * other threads, BATCH_ENTRIES or BATCH_BYTES at a time. Of one cursor; made at its first reference.
 */
import { KIND_BLOB } from '../base/kinds.ts';
import type { EntryRun } from '../base/entry-run.ts';
import { internal } from '../base/errors.ts';
import { loadValue, prepareValue } from './blob-values.ts';
import { findValue } from './find-value.ts';
import { COLD } from '../sstable/cold-reads.ts';
import type { Session } from './core.ts';
import type { ReadPoint } from './read-point.ts';
import type { ReadView } from './read-view.ts';
import type { Tree } from './tree.ts';

const BATCH_ENTRIES = 64;
const BATCH_BYTES = 1024 * 1024;

/** The view that a reference is of, and the generation at which it was the current one. */
export interface ReferenceView {
  readonly view: ReadView | undefined;
  readonly generation: number;
}

export class ReferredValues {
  readonly #core: Session;
  readonly #tree: Tree;
  readonly #point: ReadPoint;
  readonly #check: () => void;
  /** Positions of the current run up to which values were fetched ahead, in the direction of the walk. */
  #fetchedTo = -1;

  constructor(core: Session, tree: Tree, point: ReadPoint, check: () => void) {
    this.#core = core;
    this.#tree = tree;
    this.#point = point;
    this.#check = check;
  }

  /** What `use`, which borrows it, makes of the value behind the entry with this key: its reference is [start, end). */
  load<T>(
    of: ReferenceView,
    kind: number,
    key: Uint8Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    use: (bytes: Uint8Array, start: number, end: number) => T,
  ): T {
    return this.#core.state.entered(() => {
      this.#check();
      const { found, state } = this.#core;
      if (kind === KIND_BLOB && of.view !== undefined && of.generation === state.generation) {
        found.value = bytes;
        found.valueStart = start;
        found.valueEnd = end;
        loadValue(of.view.version, this.#tree.tables, key, 0, key.length, found);
      } else {
        const { sequence, time } = this.#point;
        if (!findValue(this.#tree, key, sequence, found, time)) {
          throw internal('an entry that a cursor shows is gone', { sequence, time });
        }
      }
      return use(found.value, found.valueStart, found.valueEnd);
    });
  }

  /** The cursor has come to another run. */
  enterRun(): void {
    this.#fetchedTo = -1;
  }

  /**
   * Inside an attempt: has the values from position `at` to `last` of a run, or the first of them, in the cache.
   * @throws COLD when they are to be waited for
   */
  fetchAhead({ view, generation }: ReferenceView, run: EntryRun, at: number, last: number): void {
    const { state } = this.#core;
    const step = at <= last ? 1 : -1;
    const isFetched = this.#fetchedTo >= 0 && (this.#fetchedTo - at) * step >= 0;
    if (isFetched || view === undefined) return;
    const isMissing = state.entered(() => {
      if (generation !== state.generation) return false;
      let missing = false;
      let bytes = 0;
      let to = at;
      for (let entries = 1; ; entries++, to += step) {
        const length = prepareValue(
          view.version,
          this.#tree.tables,
          run.bytes,
          run.valueStart(to),
          run.valueStart(to + 1),
        );
        missing ||= length < 0;
        bytes += Math.abs(length);
        if (to === last || entries === BATCH_ENTRIES || bytes >= BATCH_BYTES) break;
      }
      if (!missing) this.#fetchedTo = to;
      return missing;
    });
    if (isMissing) throw COLD;
  }
}
