/**
 * When was which sequence the latest one? Pairs of (time, sequence), ascending in both, in memory: what reads of the past and
 * retention by time look up (CONTRACT 5). Those of the manifest are a sample of them (manifest/time-marks.ts).
 *
 * While some keyspace keeps its past every commit is noted, one mark a millisecond; else one a second, and only the last one
 * stays. A mark says what was committed up to and in its millisecond; the state at a time is that of the last mark at or before
 * it. Older marks are thinned out when there are many, so a state is found to the millisecond while it is young, and later to
 * a second or 1/10,000 of its age. Owner's thread: what other
 * threads commit is noted when the owner looks, ten times a second (sharing/owner.ts).
 */
import type { TimeMark } from '../manifest/version-edit.ts';

const SPACING_MS = 1000;
/** So young marks are never thinned out: those of a minute of commits in every millisecond. */
const EXACT_MS = 60_000;
const AGE_SHARE = 1 / 10_000;
/** So many are thinned out. */
const THINNED_AT = 200_000;
/** So many marks of an edit are stored as they are; of more, one a second. */
const STORED_EXACTLY = 64;

export class TimeMarks {
  readonly #enabled: boolean;
  #times = new Float64Array(64);
  #sequences = new Float64Array(64);
  #length = 0;
  /** How many of the first were given to an edit. */
  #taken = 0;
  #thinAt = THINNED_AT;
  /** Somebody may ask for the past. */
  isKept = false;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  /** Those of the manifest, before any other. */
  load(marks: readonly TimeMark[]): void {
    for (const { time, sequence } of marks) this.#push(time, sequence);
    this.#taken = this.#length;
  }

  /** Notes that `sequence` is the latest one at `time`. Neither falls from call to call. */
  sample(time: number, sequence: number): void {
    if (!this.#enabled) return;
    const last = this.#length - 1;
    if (last < 0) {
      this.#push(time, sequence);
      return;
    }
    const lastTime = this.#times[last]!;
    if (time <= lastTime) {
      if (this.isKept && sequence > this.#sequences[last]!) {
        this.#sequences[last] = sequence;
        this.#taken = Math.min(this.#taken, last);
      }
      return;
    }
    if (!this.isKept && time < lastTime + SPACING_MS) return;
    if (sequence > this.#sequences[last]!) this.#push(time, sequence);
  }

  /** The marks since the last call, for an edit to store. */
  take(): TimeMark[] {
    const first = this.#taken;
    const count = this.#length - first;
    const span = count === 0 ? 0 : this.#times[this.#length - 1]! - this.#times[first]!;
    const apart = count <= STORED_EXACTLY ? 0 : Math.min(SPACING_MS, span / STORED_EXACTLY);
    const marks: TimeMark[] = [];
    let stored = Number.NEGATIVE_INFINITY;
    for (let at = first; at < this.#length; at++) {
      const isNeeded = at === this.#length - 1 || this.#times[at + 1]! - stored > apart;
      if (!isNeeded) continue;
      stored = this.#times[at]!;
      marks.push({ time: stored, sequence: this.#sequences[at]! });
    }
    this.#taken = this.#length;
    if (!this.isKept) this.#keepFrom(Math.max(0, this.#length - 1));
    return marks;
  }

  /** The last mark at or before `time`. */
  at(time: number): TimeMark | undefined {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#times[middle]! <= time) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : { time: this.#times[low - 1]!, sequence: this.#sequences[low - 1]! };
  }

  /** When `sequence` was the latest one, or a later time by as much as is not known; undefined for one after the last mark. */
  timeOf(sequence: number): number | undefined {
    const at = this.#firstFrom(sequence);
    return at === this.#length ? undefined : this.#times[at];
  }

  /** The same, also of what was committed while nobody kept the past: undefined where nothing near it was noted. */
  knownTimeOf(sequence: number): number | undefined {
    const at = this.#firstFrom(sequence);
    const time = this.timeOf(sequence);
    if (time === undefined || this.#sequences[at] === sequence) return time;
    if (at === 0) return undefined;
    const before = this.#times[at - 1]!;
    const age = this.#times[this.#length - 1]! - before;
    return time - before <= Math.max(SPACING_MS, age * AGE_SHARE) ? time : undefined;
  }

  /** The place of the first mark at or after `sequence`. */
  #firstFrom(sequence: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sequences[middle]! < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** No state before `sequence` is asked for any more: of the marks up to it only the last one can be the answer. */
  forget(sequence: number): void {
    let unneeded = 0;
    while (unneeded + 1 < this.#length && this.#sequences[unneeded + 1]! <= sequence) unneeded++;
    // Moving the rest costs as much as it has marks.
    if (unneeded > this.#length / 2) this.#keepFrom(unneeded);
  }

  #push(time: number, sequence: number): void {
    if (this.#length === this.#thinAt) this.#thin();
    if (this.#length === this.#times.length) {
      this.#times = grown(this.#times);
      this.#sequences = grown(this.#sequences);
    }
    this.#times[this.#length] = time;
    this.#sequences[this.#length++] = sequence;
  }

  #keepFrom(first: number): void {
    this.#times.copyWithin(0, first, this.#length);
    this.#sequences.copyWithin(0, first, this.#length);
    this.#length -= first;
    this.#taken = Math.max(0, this.#taken - first);
  }

  #thin(): void {
    const newest = this.#times[this.#length - 1]!;
    let kept = 0;
    let taken = 0;
    for (let at = 0; at < this.#length; at++) {
      const time = this.#times[at]!;
      const age = newest - time;
      const apart = age <= EXACT_MS ? 0 : Math.max(SPACING_MS, age * AGE_SHARE);
      const isNeeded = at === this.#length - 1 || this.#times[at + 1]! - this.#times[kept - 1]! > apart;
      if (kept > 0 && !isNeeded) continue;
      this.#times[kept] = time;
      this.#sequences[kept++] = this.#sequences[at]!;
      if (at < this.#taken) taken = kept;
    }
    this.#length = kept;
    this.#taken = taken;
    this.#thinAt = Math.max(THINNED_AT, 2 * kept);
  }
}

function grown(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * array.length);
  larger.set(array);
  return larger;
}
