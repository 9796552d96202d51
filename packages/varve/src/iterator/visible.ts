/**
 * What a reader at one sequence sees: over an iterator in internal order (normally the merge of a view) it shows the newest
 * put, or the newest operands of a merge, of every key at or below the snapshot, leaves out what a delete or a range tombstone hides, and stays inside
 * [lower, upper). In the read path it is the last hop before a cursor, which copies what it shows.
 *
 * Walking forward the source stands at the entry shown, and key and value are lent through. Walking back the versions of a
 * key arrive oldest first, so the entry shown is a copy and the source stands ahead of it. Either way a key with very many
 * versions costs a seek instead of a step for each.
 *
 * Invariants: (1) a version hides all older ones of its key, also when it has expired; a range tombstone hides lower
 * sequences than its own.
 * (2) Past an end `valid` is false and only first, last, seek and seekBefore lead back. One thread at a time.
 */
import { compareRanges, copyRange, EMPTY } from '../base/bytes.ts';
import { assert } from '../base/assert.ts';
import type { EntryIterator } from '../base/entry.ts';
import type { EntryRun } from '../base/entry-run.ts';
import { EXPIRY_BYTES, isExpired } from '../base/expiry.ts';
import { KIND_BLOB, KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import type { CoverCursor, FragmentedTombstones } from '../base/range-tombstones.ts';
import type { DeadRanges } from './dead-ranges.ts';
import { DeadRun, type Target } from './dead-run.ts';

/** Steps over entries out of sight before a seek is tried: a seek costs about as much as this many steps. */
const STEPS_MAX = 12;

export interface VisibleOptions {
  /** The reader's sequence; entries above it do not exist for it. */
  readonly snapshot: number;
  /** The reader's time by the stored clock: what expires then or before is not there. Without one nothing has expired. */
  readonly time?: number | undefined;
  /** Range tombstones of all sources together. */
  readonly tombstones?: FragmentedTombstones | undefined;
  /** Inclusive. */
  readonly lower?: Uint8Array | undefined;
  /** Exclusive. */
  readonly upper?: Uint8Array | undefined;
  /** Where walks found nothing; this one leaves there what it finds out. */
  readonly dead?: DeadRanges | undefined;
}

export class VisibleIterator {
  valid = false;
  key: Uint8Array = EMPTY;
  keyStart = 0;
  keyEnd = 0;
  sequence = 0;
  /** Put; blob: then the value is a reference to it; merge: then it has the newest operands and has to be made. */
  kind = 0;
  value: Uint8Array = EMPTY;
  valueStart = 0;
  valueEnd = 0;
  readonly #source: EntryIterator;
  readonly #snapshot: number;
  readonly #time: number;
  readonly #cover: CoverCursor | undefined;
  readonly #lower: Uint8Array | undefined;
  readonly #upper: Uint8Array | undefined;
  readonly #dead: DeadRun | undefined;
  /** The source knows whether a key is that of the entry before. */
  readonly #tells: boolean;
  #forward = true;
  /** Copy of a key, always with room for one more byte, which is zero: the key's successor. */
  #saved: Uint8Array = EMPTY;
  #savedLength = 0;
  #savedValue: Uint8Array = EMPTY;

  constructor(source: EntryIterator, options: VisibleOptions) {
    this.#source = source;
    this.#tells = source.isSameKey !== undefined;
    this.#snapshot = options.snapshot;
    this.#time = options.time ?? 0;
    const { tombstones } = options;
    this.#cover = tombstones === undefined || tombstones.isEmpty ? undefined : tombstones.cursor();
    this.#lower = options.lower;
    this.#upper = options.upper;
    const { dead } = options;
    this.#dead = dead === undefined ? undefined : new DeadRun(dead, this.#snapshot, this.#time);
  }

  /** To the first visible entry at or above the lower bound. */
  first(): void {
    this.#seekSource(this.#lower ?? EMPTY, 0, this.#lower?.length ?? 0);
    this.#forward = true;
    this.#findForward(false);
  }

  /** To the last visible entry below the upper bound. */
  last(): void {
    if (this.#upper === undefined) this.#source.last();
    else this.#source.seekBefore(this.#upper, 0, this.#upper.length);
    this.#forward = false;
    this.#findBackward();
  }

  /** To the first visible entry whose key is at or above the given one. */
  seek(key: Uint8Array, start: number = 0, end: number = key.length): void {
    const lower = this.#lower;
    if (lower !== undefined && compareRanges(lower, 0, lower.length, key, start, end) >= 0) {
      this.first();
      return;
    }
    this.#seekSource(key, start, end);
    this.#forward = true;
    this.#findForward(false);
  }

  /** The source to where entries at or above the key begin, past what is known to be out of sight. */
  #seekSource(key: Uint8Array, start: number, end: number): void {
    const target = this.#dead?.seekForward(key, start, end);
    if (target !== undefined) this.#jump(target);
    else if (end === start) this.#source.first();
    else this.#source.seek(key, start, end, this.#snapshot);
  }

  #jump(target: Target): void {
    const source = this.#source;
    if (target !== 'end') source.seek(target, 0, target.length, this.#snapshot);
    else {
      source.last();
      if (source.valid) source.next();
    }
  }

  /** To the last visible entry whose key is below the given one. */
  seekBefore(key: Uint8Array, start: number = 0, end: number = key.length): void {
    const upper = this.#upper;
    if (upper !== undefined && compareRanges(upper, 0, upper.length, key, start, end) <= 0) {
      this.last();
      return;
    }
    this.#source.seekBefore(key, start, end);
    this.#forward = false;
    this.#findBackward();
  }

  /** To the next visible entry; only when valid. */
  next(): void {
    assert(this.valid, 'next() of an iterator that is not valid');
    if (this.#forward) {
      if (!this.#tells) this.#saveKey();
      this.#source.next();
      this.#findForward(true);
    } else {
      this.#forward = true;
      this.#seekPastSaved();
      this.#findForward(false);
    }
  }

  /** To the visible entry before; only when valid. */
  prev(): void {
    assert(this.valid, 'prev() of an iterator that is not valid');
    if (this.#forward) {
      this.#saveKey();
      this.#source.seekBefore(this.#saved, 0, this.#savedLength);
      this.#forward = false;
    }
    this.#findBackward();
  }

  /**
   * Entries that the reader may show by itself, all inside the bounds; undefined when there are none. Walking forward
   * `position` is the entry shown now, walking back the one to show next. Only when valid.
   */
  run(): EntryRun | undefined {
    const source = this.#source;
    if (this.#cover !== undefined || source.run === undefined || !source.valid) return undefined;
    const run = source.run(this.#forward, this.#snapshot);
    if (run === undefined) return undefined;
    const upper = this.#upper;
    const lower = this.#lower;
    if (this.#forward) {
      if (upper !== undefined) run.to = run.lowerBound(upper, 0, upper.length);
    } else if (lower !== undefined) {
      run.from = run.lowerBound(lower, 0, lower.length);
      if (run.position < run.from) return undefined;
    }
    return run;
  }

  /** The reader has shown the run up to `position`: the walk goes on from there. */
  moveTo(position: number): void {
    this.#source.moveTo!(position);
    if (this.#forward) this.#showSource();
    else this.#source.prev();
  }

  /** Shows the first visible entry from where the source stands; with `skipping`, of a key other than the one it was at or, if the source does not tell, the saved one. */
  #findForward(skipping: boolean): void {
    const source = this.#source;
    const snapshot = this.#snapshot;
    const upper = this.#upper;
    let skip = skipping;
    let steps = 0;
    while (source.valid) {
      const { key, keyStart, keyEnd } = source;
      if (upper !== undefined && compareRanges(key, keyStart, keyEnd, upper, 0, upper.length) >= 0) break;
      // Then another key has been met since.
      if (skip && this.#tells && source.isSameKey === false) skip = false;
      if (source.sequence > snapshot) {
        if (++steps < STEPS_MAX) source.next();
        else {
          // A key with a version this new was not begun before, so nothing of it is to be skipped.
          steps = 0;
          skip = false;
          this.#saveKey();
          source.seek(this.#saved, 0, this.#savedLength, snapshot);
        }
      } else if (skip && (this.#tells || this.#isSaved())) {
        if (++steps < STEPS_MAX) source.next();
        else {
          steps = 0;
          this.#saveKey();
          this.#seekPastSaved();
        }
      } else if (
        this.#isVisible(source.kind, key, keyStart, keyEnd, source.sequence, source.value, source.valueStart)
      ) {
        this.#dead?.endForward(key, keyStart, keyEnd);
        this.#showSource();
        return;
      } else {
        this.#saveKey();
        steps = 0;
        const target = this.#dead?.passForward(this.#saved, this.#savedLength);
        skip = target === undefined;
        if (target === undefined) source.next();
        else this.#jump(target);
      }
    }
    this.#dead?.endForward(upper, 0, upper?.length ?? 0);
    this.valid = false;
  }

  /** Shows the last visible entry of a key that begins at or before where the source stands. */
  #findBackward(): void {
    const source = this.#source;
    const snapshot = this.#snapshot;
    const lower = this.#lower;
    let steps = 0;
    while (source.valid) {
      if (
        lower !== undefined &&
        compareRanges(source.key, source.keyStart, source.keyEnd, lower, 0, lower.length) < 0
      )
        break;
      if (source.sequence > snapshot) {
        // The versions still ahead of this one are newer yet.
        if (++steps < STEPS_MAX) source.prev();
        else {
          steps = 0;
          this.#saveKey();
          source.seekBefore(this.#saved, 0, this.#savedLength);
        }
      } else {
        steps = 0;
        const kind = this.#takeNewest();
        if (this.#isVisible(kind, this.#saved, 0, this.#savedLength, this.sequence, this.#savedValue, 0)) {
          this.#dead?.endBackward(this.#saved, this.#savedLength, lower);
          this.kind = kind;
          this.#showSaved(kind);
          return;
        }
        const target = this.#dead?.passBackward(this.#saved, this.#savedLength);
        if (target !== undefined) source.seekBefore(target, 0, target.length);
      }
    }
    this.#dead?.endBackward(undefined, 0, lower);
    this.valid = false;
  }

  /**
   * The source stands at the oldest version of a key. Saves key and newest value at or below the snapshot, leaves the source
   * ahead of that version, its sequence in `this.sequence`, and returns its kind.
   */
  #takeNewest(): number {
    const source = this.#source;
    let kind = 0;
    this.#saveKey();
    for (let steps = 0; ; steps++) {
      if (steps === STEPS_MAX) source.seek(this.#saved, 0, this.#savedLength, this.#snapshot);
      kind = source.kind;
      this.sequence = source.sequence;
      if (kind !== KIND_DELETE) this.#saveValue();
      if (steps === STEPS_MAX) {
        source.seekBefore(this.#saved, 0, this.#savedLength);
        return kind;
      }
      source.prev();
      if (!source.valid || source.sequence > this.#snapshot || !this.#isSaved()) return kind;
    }
  }

  #isVisible(
    kind: number,
    key: Uint8Array,
    start: number,
    end: number,
    sequence: number,
    value: Uint8Array,
    valueStart: number,
  ): boolean {
    if (kind === KIND_DELETE) return false;
    if (kind === KIND_PUT_EXPIRY) {
      if (isExpired(value, valueStart, this.#time)) return false;
    } else {
      assert(
        kind === KIND_PUT || kind === KIND_BLOB || kind === KIND_MERGE,
        'an entry kind that this release does not read got past the decoders',
      );
    }
    const cover = this.#cover;
    return cover === undefined || cover.coveringSequence(key, start, end, this.#snapshot) <= sequence;
  }

  #isSaved(): boolean {
    const source = this.#source;
    return compareRanges(source.key, source.keyStart, source.keyEnd, this.#saved, 0, this.#savedLength) === 0;
  }

  #saveKey(): void {
    const { key, keyStart, keyEnd } = this.#source;
    const length = keyEnd - keyStart;
    if (length + 1 > this.#saved.length) this.#saved = new Uint8Array(2 * length + 32);
    copyRange(key, keyStart, keyEnd, this.#saved, 0);
    this.#saved[length] = 0;
    this.#savedLength = length;
  }

  #saveValue(): void {
    const { value, valueStart, valueEnd } = this.#source;
    const length = valueEnd - valueStart;
    if (length > this.#savedValue.length) this.#savedValue = new Uint8Array(Math.max(256, length));
    copyRange(value, valueStart, valueEnd, this.#savedValue, 0);
    this.valueEnd = length;
  }

  #seekPastSaved(): void {
    this.#source.seek(this.#saved, 0, this.#savedLength + 1, this.#snapshot);
  }

  #showSource(): void {
    const source = this.#source;
    this.valid = true;
    this.key = source.key;
    this.keyStart = source.keyStart;
    this.keyEnd = source.keyEnd;
    this.sequence = source.sequence;
    this.kind = source.kind;
    this.value = source.value;
    this.valueStart = source.kind === KIND_PUT_EXPIRY ? source.valueStart + EXPIRY_BYTES : source.valueStart;
    this.valueEnd = source.valueEnd;
  }

  #showSaved(kind: number): void {
    this.valid = true;
    this.key = this.#saved;
    this.keyStart = 0;
    this.keyEnd = this.#savedLength;
    this.value = this.#savedValue;
    this.valueStart = kind === KIND_PUT_EXPIRY ? EXPIRY_BYTES : 0;
  }
}
