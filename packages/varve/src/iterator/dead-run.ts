/**
 * How a walk uses and finds ranges in which nothing is visible (dead-ranges.ts): it counts keys out of sight in a row, asks
 * from time to time whether the next ones are known to be so, and leaves word when there were many. One walk, either way.
 */
import { cloneRange, copyRange, EMPTY, successor } from '../base/bytes.ts';
import type { DeadRanges } from './dead-ranges.ts';

/** Keys out of sight between two questions. */
const ASK_KEYS = 64;
/** So many in a row are worth remembering. */
const NOTE_KEYS = 256;

/** A key, or behind the last one. */
export type Target = Uint8Array | 'end';

export class DeadRun {
  readonly #ranges: DeadRanges;
  readonly #sequence: number;
  readonly #time: number;
  #keys = 0;
  /** Where what is to be remembered begins, as the walk goes. */
  #edge: Uint8Array = EMPTY;
  /** The key of the last seek forward, while nothing was to be seen behind it: all from there on is out of sight. */
  #start: Uint8Array = EMPTY;
  #startLength = 0;
  #isFromStart = false;

  constructor(ranges: DeadRanges, sequence: number, time: number) {
    this.#ranges = ranges;
    this.#sequence = sequence;
    this.#time = time;
  }

  /** Before a seek forward to the key: where to seek instead, undefined when nothing is known. */
  seekForward(key: Uint8Array, start: number, end: number): Target | undefined {
    if (end - start > this.#start.length) this.#start = new Uint8Array(2 * (end - start));
    copyRange(key, start, end, this.#start, 0);
    this.#startLength = end - start;
    this.#isFromStart = true;
    if (this.#ranges.isEmpty) return undefined;
    const range = this.#ranges.find(key, start, end, this.#sequence, this.#time);
    if (range === undefined) return undefined;
    this.#keys = ASK_KEYS;
    this.#edge = range.from;
    return range.to ?? 'end';
  }

  /**
   * The key is out of sight, walking forward: where to seek, undefined for the next one.
   */
  passForward(key: Uint8Array, length: number): Target | undefined {
    if (++this.#keys % ASK_KEYS !== 0) return undefined;
    if (this.#keys === ASK_KEYS) {
      this.#edge = this.#isFromStart
        ? cloneRange(this.#start, 0, this.#startLength)
        : cloneRange(key, 0, length);
    }
    if (this.#ranges.isEmpty) return undefined;
    const range = this.#ranges.find(key, 0, length, this.#sequence, this.#time);
    return range === undefined ? undefined : (range.to ?? 'end');
  }

  /** The same walking back: where to seek before. */
  passBackward(key: Uint8Array, length: number): Uint8Array | undefined {
    if (++this.#keys % ASK_KEYS !== 0) return undefined;
    if (this.#keys === ASK_KEYS) this.#edge = successor(cloneRange(key, 0, length));
    if (this.#ranges.isEmpty) return undefined;
    return this.#ranges.find(key, 0, length, this.#sequence, this.#time)?.from;
  }

  /** Forward: something is to be seen at the key, or (undefined) nothing up to the end. */
  endForward(key: Uint8Array | undefined, start: number, end: number): void {
    const keys = this.#keys;
    this.#keys = 0;
    this.#isFromStart = false;
    if (keys < NOTE_KEYS) return;
    const to = key === undefined ? undefined : cloneRange(key, start, end);
    this.#ranges.add(this.#edge, to, this.#sequence, this.#time);
  }

  /** Back: something is to be seen at the key, or (undefined) nothing down to `lower`. */
  endBackward(key: Uint8Array | undefined, length: number, lower: Uint8Array | undefined): void {
    const keys = this.#keys;
    this.#keys = 0;
    if (keys < NOTE_KEYS) return;
    const from = key === undefined ? (lower ?? EMPTY) : successor(cloneRange(key, 0, length));
    this.#ranges.add(from, this.#edge, this.#sequence, this.#time);
  }
}
