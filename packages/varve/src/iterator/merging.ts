/**
 * K-way merge: one EntryIterator in internal order over several (memtables, level-0 tables, one concat per deeper level).
 * In the read path it stands under the visible iterator, in flush and compaction under the drop rule.
 *
 * A binary heap of source numbers, smallest entry on top when walking forward, largest when walking back. As long as the
 * same source stays on top a step costs one comparison: with the smaller of the root's two children, which is remembered.
 * When the direction turns, every other source is placed anew around the current entry, so nothing is repeated or lost.
 *
 * Invariants: (1) every source in the heap is valid and stands at or beyond the current entry in the walking direction.
 * (2) The entry shown is lent by the source on top, which does not move before the merge does. (3) Of two sources with
 * the same (key, sequence) the one given first comes first, in both directions. Owner thread or worker, one at a time.
 */
import { compareRanges, EMPTY } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import type { EntryRun } from '../base/entry-run.ts';

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
  readonly #sources: readonly EntryIterator[];
  readonly #heap: Int32Array;
  #size = 0;
  #forward = true;
  /** Heap slot (1 or 2) of the better of the root's children; 0 when not known. */
  #second = 0;
  /** Moves in a row that left the same source on top, and how many are wanted of each before its run is asked for. */
  #streak = 0;
  readonly #patience: Uint8Array;

  constructor(sources: readonly EntryIterator[]) {
    this.#sources = sources;
    this.#heap = new Int32Array(sources.length);
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
    const top = this.#sources[this.#heap[0]!]!;
    top.next();
    this.#settle(top.valid);
  }

  prev(): void {
    if (this.#forward) this.#turnBackward();
    const top = this.#sources[this.#heap[0]!]!;
    top.prev();
    this.#settle(top.valid);
  }

  run(forward: boolean, snapshot: number): EntryRun | undefined {
    const top = this.#heap[0]!;
    if (forward !== this.#forward || (this.#size > 1 && this.#streak < this.#patience[top]!))
      return undefined;
    const run = this.#sources[top]!.run?.(forward, snapshot);
    if (run === undefined || this.#size === 1) return run;
    // Only what lies strictly before the next source's entry: versions of its key are not the run's to show.
    const other = this.#sources[this.#heap[this.#findSecond()]!]!;
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
    this.#sources[this.#heap[0]!]!.moveTo!(position);
    this.#show();
  }

  /** After the source on top moved: restore the heap and show its new top. */
  #settle(topValid: boolean): void {
    const heap = this.#heap;
    if (topValid) {
      if (this.#size > 1) {
        const second = this.#findSecond();
        this.#streak++;
        if (this.#before(heap[second]!, heap[0]!)) {
          const moved = heap[0]!;
          heap[0] = heap[second]!;
          heap[second] = moved;
          this.#second = 0;
          this.#streak = 0;
          this.#sink(second);
        }
      }
    } else {
      heap[0] = heap[--this.#size]!;
      this.#second = 0;
      this.#streak = 0;
      this.#sink(0);
    }
    this.#show();
  }

  /** Heap slot of the better of the root's children; there are two sources at least. */
  #findSecond(): number {
    if (this.#second === 0) {
      this.#second = this.#size > 2 && this.#before(this.#heap[2]!, this.#heap[1]!) ? 2 : 1;
    }
    return this.#second;
  }

  #build(forward: boolean): void {
    this.#forward = forward;
    let size = 0;
    for (let i = 0; i < this.#sources.length; i++) if (this.#sources[i]!.valid) this.#heap[size++] = i;
    this.#size = size;
    this.#second = 0;
    this.#streak = 0;
    for (let slot = (size >> 1) - 1; slot >= 0; slot--) this.#sink(slot);
    this.#show();
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const size = this.#size;
    const moved = heap[from]!;
    let slot = from;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, moved)) break;
      heap[slot] = heap[child]!;
      slot = child;
    }
    heap[slot] = moved;
  }

  /** Does the entry of source i come before that of source j in the walking direction? */
  #before(i: number, j: number): boolean {
    const order = compareHeads(this.#sources[i]!, this.#sources[j]!) || i - j;
    return this.#forward ? order < 0 : order > 0;
  }

  /** Every other source to its first entry behind the current one. */
  #turnForward(): void {
    const current = this.#heap[0]!;
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
    const current = this.#heap[0]!;
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

  #show(): void {
    if (this.#size === 0) {
      this.valid = false;
      return;
    }
    const top = this.#sources[this.#heap[0]!]!;
    this.valid = true;
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

/** Internal order of the entries that two valid iterators stand at. */
function compareHeads(a: EntryIterator, b: EntryIterator): number {
  const order = compareRanges(a.key, a.keyStart, a.keyEnd, b.key, b.keyStart, b.keyEnd);
  return order !== 0 ? order : b.sequence - a.sequence;
}
