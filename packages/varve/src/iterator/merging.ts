/**
 * K-way merge: one EntryIterator in internal order over several (memtables, level-0 tables, one concat per deeper level).
 * In the read path it stands under the visible iterator. Jobs, which walk forward once, have iterator/ordered-merge.ts.
 *
 * Walking forward the tree of losers (iterator/loser-tree.ts) says whose entry is next; walking back, which is rarer, a binary
 * heap of source numbers does, largest entry on top. When the direction turns, every other source is placed anew around the
 * current entry, so nothing is repeated or lost.
 *
 * Invariants: (1) every source that is valid stands at or beyond the current entry in the walking direction.
 * (2) The entry shown is lent by the source that has it, which does not move before the merge does. (3) Of two sources with
 * the same (key, sequence) the one given first comes first, in both directions. One thread at a time.
 */
import { EMPTY } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import type { EntryRun } from '../base/entry-run.ts';
import { BackwardHeap } from './backward-heap.ts';
import { compareHeads, LoserTree } from './loser-tree.ts';

/** The merge of `sources`, newest first; one source is returned as it is. */
export function mergeIterators(sources: readonly EntryIterator[]): EntryIterator {
  return sources.length === 1 ? sources[0]! : new MergingIterator(sources);
}

/**
 * Entries in a row from one source before its run is asked for: in a fine mixture of sources a run is not worth its search.
 * A source whose last run was worth it is asked at once: between two entries of a smaller level lie many of a larger one.
 */
const STREAK = 4;

export class MergingIterator implements EntryIterator {
  valid = false;
  key: Uint8Array = EMPTY;
  keyStart = 0;
  keyEnd = 0;
  sequence = 0;
  kind = 0;
  value: Uint8Array = EMPTY;
  valueStart = 0;
  valueEnd = 0;
  isSameKey = false;
  readonly #sources: readonly EntryIterator[];
  readonly #tree: LoserTree;
  #heap: BackwardHeap | undefined;
  #forward = true;
  /** Number of the source whose entry is shown. */
  #top = 0;
  /** Moves in a row that left the same source on top, and how many are wanted of each before its run is asked for. */
  #streak = 0;
  readonly #patience: Uint8Array;

  constructor(sources: readonly EntryIterator[]) {
    this.#sources = sources;
    this.#tree = new LoserTree(sources);
    this.#patience = new Uint8Array(sources.length).fill(STREAK);
  }

  first(): void {
    for (const source of this.#sources) source.first();
    this.#build(true);
  }

  last(): void {
    for (const source of this.#sources) source.last();
    this.#build(false);
  }

  seek(key: Uint8Array, start: number, end: number, sequence: number): void {
    for (const source of this.#sources) source.seek(key, start, end, sequence);
    this.#build(true);
  }

  seekBefore(key: Uint8Array, start: number, end: number): void {
    for (const source of this.#sources) source.seekBefore(key, start, end);
    this.#build(false);
  }

  next(): void {
    if (!this.#forward) this.#turnForward();
    const tree = this.#tree;
    const left = this.#sources[this.#top]!;
    tree.leave(left);
    left.next();
    tree.replay();
    const { winner } = tree;
    this.#streak = winner === this.#top ? this.#streak + 1 : 0;
    this.#top = winner;
    const top = this.#sources[winner]!;
    this.isSameKey = top.valid && tree.isSameKey(top);
    this.#show(top);
  }

  prev(): void {
    if (this.#forward) this.#turnBackward();
    const heap = this.#heap!;
    this.#sources[this.#top]!.prev();
    const top = heap.settle();
    this.#streak = top === this.#top ? this.#streak + 1 : 0;
    this.#top = top;
    this.#show(this.#sources[top]!);
  }

  run(forward: boolean, snapshot: number): EntryRun | undefined {
    const top = this.#top;
    if (forward !== this.#forward || this.#streak < this.#patience[top]!) return undefined;
    const run = this.#sources[top]!.run?.(forward, snapshot);
    if (run === undefined) return undefined;
    const second = forward ? this.#tree.second() : this.#heap!.second();
    if (second === undefined) return run;
    // Only what lies strictly before the next source's entry: versions of its key are not the run's to show.
    const other = this.#sources[second]!;
    const bound = run.lowerBound(other.key, other.keyStart, other.keyEnd);
    if (forward) run.to = bound;
    else {
      const isSame = bound < run.to && run.compare(bound, other.key, other.keyStart, other.keyEnd) === 0;
      run.from = isSame ? bound + 1 : bound;
    }
    const length = forward ? run.to - run.position : run.position + 1 - run.from;
    this.#patience[top] = length < STREAK ? STREAK : 0;
    return length > 0 && run.position >= run.from && run.position < run.to ? run : undefined;
  }

  moveTo(position: number): void {
    const top = this.#sources[this.#top]!;
    if (this.#forward) this.#tree.leave(top);
    top.moveTo!(position);
    // It stays the first, and the others are to be known from where it stands now.
    if (this.#forward) this.#tree.replay();
    this.#show(top);
  }

  #build(forward: boolean): void {
    this.#forward = forward;
    this.#streak = 0;
    this.isSameKey = false;
    if (this.#sources.length === 0) return;
    if (forward) {
      this.#tree.build();
      this.#top = this.#tree.winner;
    } else {
      this.#heap ??= new BackwardHeap(this.#sources);
      this.#top = this.#heap.build();
    }
    this.#show(this.#sources[this.#top]!);
  }

  /** Every other source to its first entry behind the current one. */
  #turnForward(): void {
    const current = this.#top;
    const top = this.#sources[current]!;
    for (let i = 0; i < this.#sources.length; i++) {
      if (i === current) continue;
      const source = this.#sources[i]!;
      source.seek(top.key, top.keyStart, top.keyEnd, top.sequence);
      if (i < current && source.valid && compareHeads(source, top) === 0) source.next();
    }
    this.#build(true);
  }

  /** Every other source to its last entry ahead of the current one. */
  #turnBackward(): void {
    const current = this.#top;
    const top = this.#sources[current]!;
    for (let i = 0; i < this.#sources.length; i++) {
      if (i === current) continue;
      const source = this.#sources[i]!;
      source.seek(top.key, top.keyStart, top.keyEnd, top.sequence);
      if (!source.valid) source.last();
      else if (i > current || compareHeads(source, top) !== 0) source.prev();
    }
    this.#build(false);
  }

  #show(top: EntryIterator): void {
    this.valid = top.valid;
    if (!top.valid) return;
    this.key = top.key;
    this.keyStart = top.keyStart;
    this.keyEnd = top.keyEnd;
    this.sequence = top.sequence;
    this.kind = top.kind;
    this.value = top.value;
    this.valueStart = top.valueStart;
    this.valueEnd = top.valueEnd;
  }
}
