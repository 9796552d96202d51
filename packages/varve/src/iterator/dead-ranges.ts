/**
 * Ranges of a keyspace in which nothing is visible, as walks found them: a seek into what was deleted jumps over it instead of
 * stepping over every delete again. Queues, sessions and time series delete at one end and read from there.
 *
 * A range says: at `sequence` and at `time` no key in [from, to) is visible. That stays true for later readers as long as
 * nothing is put there, so every put asks (`wrote`) and takes the range away that it falls into. Memory is bounded: RANGES_MAX
 * ranges, of which the newest stay. Only while one thread has the database to itself: nobody tells of other threads' puts.
 */
import { compareRanges } from '../base/bytes.ts';

const RANGES_MAX = 64;

interface DeadRange {
  readonly from: Uint8Array;
  /** Undefined: to the end. */
  readonly to: Uint8Array | undefined;
  readonly sequence: number;
  readonly time: number;
}

export class DeadRanges {
  /** Disjoint, the newest last. */
  #ranges: DeadRange[] = [];
  readonly #visible: () => number;

  /** @param visible the sequence that a read sees now */
  constructor(visible: () => number) {
    this.#visible = visible;
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** The range that the key lies in, when it holds for a reader at this sequence and time. */
  find(
    key: Uint8Array,
    start: number,
    end: number,
    sequence: number,
    time: number,
  ): { readonly from: Uint8Array; readonly to: Uint8Array | undefined } | undefined {
    for (const range of this.#ranges) {
      if (holds(range, key, start, end)) {
        return range.sequence <= sequence && range.time <= time ? range : undefined;
      }
    }
    return undefined;
  }

  /** A reader has seen nothing in [from, to); not kept when something was written since it began. */
  add(from: Uint8Array, to: Uint8Array | undefined, sequence: number, time: number): void {
    if (sequence !== this.#visible()) return;
    let low = from;
    let high = to;
    let lateTime = time;
    const kept: DeadRange[] = [];
    for (const range of this.#ranges) {
      if (!touch(range, low, high)) {
        kept.push(range);
        continue;
      }
      // What holds of both holds of the union, for readers that are late enough for both: a snapshot at this sequence may
      // have an earlier time than whoever found the other one.
      if (range.time > lateTime) lateTime = range.time;
      if (compare(range.from, low) < 0) low = range.from;
      if (range.to === undefined || (high !== undefined && compare(range.to, high) > 0)) high = range.to;
    }
    kept.push({ from: low, to: high, sequence, time: lateTime });
    this.#ranges = kept.slice(-RANGES_MAX);
  }

  /** Something was put at the key. */
  wrote(key: Uint8Array, start: number, end: number): void {
    const at = this.#ranges.findIndex((range) => holds(range, key, start, end));
    if (at >= 0) this.#ranges.splice(at, 1);
  }

  /** Something may have been put anywhere. */
  clear(): void {
    this.#ranges.length = 0;
  }
}

function holds({ from, to }: DeadRange, key: Uint8Array, start: number, end: number): boolean {
  if (compareRanges(from, 0, from.length, key, start, end) > 0) return false;
  return to === undefined || compareRanges(key, start, end, to, 0, to.length) < 0;
}

/** Do two ranges overlap or meet? */
function touch(range: DeadRange, from: Uint8Array, to: Uint8Array | undefined): boolean {
  if (to !== undefined && compare(range.from, to) > 0) return false;
  return range.to === undefined || compare(from, range.to) <= 0;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareRanges(a, 0, a.length, b, 0, b.length);
}
