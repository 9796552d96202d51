/**
 * A bump allocator over runs of a SegmentPool, as arena/arena.ts, whose state lies in the pool itself: any thread goes on
 * where the last one stopped, and any thread can list and release the runs.
 *
 *   word    field of the state, which lies in the arena's owner's memory        offsets are in units of 8 bytes
 *   s + 0   AT, s + 1 END              what is left of the current run
 *   s + 2   SPARE_AT, s + 3 SPARE_END  what is left of the spare
 *   s + 4   UNITS                      length of all runs
 *   s + 5   RUNS                       the newest run, plus 1; 0 for none
 *   run     its first two words: the run taken before it, plus 1; its length
 *
 * Invariants: (1) AT and SPARE_AT are stored before the memory is used: what is linked is never handed out again. (2) No
 * piece is in two of the ranges after any store: a thread that dies in between loses a piece until `release`, at most.
 * (3) A run is in the chain before anything of it is handed out.
 * Allocating takes the write lock when several threads have the arena.
 */
import { Copier } from '../base/copier.ts';
import { busy } from '../base/errors.ts';
import { LARGE_BYTES, runBytesAhead } from './arena.ts';
import type { Run, SegmentPool } from './segment-pool.ts';

export const ARENA_WORDS = 6;
/** What a run spends on itself. */
export const RUN_HEADER_BYTES = 8;

const AT = 0;
const END = 1;
const SPARE_AT = 2;
const SPARE_END = 3;
const UNITS = 4;
const RUNS = 5;

const UNIT = 8;
const HEADER_UNITS = RUN_HEADER_BYTES / UNIT;

export class SharedArena {
  readonly pool: SegmentPool;
  /** For what is put here: it comes from the same few buffers all the time. */
  readonly copier: Copier = new Copier();
  readonly #words: Int32Array;
  /** Word index of the state; 0: nowhere yet. */
  #state = 0;

  constructor(pool: SegmentPool) {
    this.pool = pool;
    this.#words = pool.words;
  }

  /** Works on the state at a word index from now on. */
  attach(state: number): void {
    this.#state = state;
  }

  /** Makes the fresh state at a word index that of an arena without runs, and works on it. */
  create(state: number): void {
    this.#words.fill(0, state, state + ARENA_WORDS);
    this.#state = state;
  }

  /** Makes a run that was taken from the pool the current one; its first `taken` bytes behind the header are in use. */
  adopt(start: number, bytes: number, taken: number): void {
    this.#chain(start / UNIT, bytes / UNIT);
    const words = this.#words;
    const s = this.#state;
    words[s + AT] = start / UNIT + HEADER_UNITS + unitsFor(taken);
    words[s + END] = (start + bytes) / UNIT;
  }

  /** Bytes of the pool that this arena holds. */
  get bytes(): number {
    return this.#words[this.#state + UNITS]! * UNIT;
  }

  /**
   * Byte offset of `bytes` fresh bytes (their content is left over from earlier use), a multiple of 8.
   *
   * @throws busy `MEMTABLE_MEMORY` when the pool is exhausted; never within what `reserve` granted
   */
  allocate(bytes: number): number {
    const words = this.#words;
    const s = this.#state;
    const units = (bytes + UNIT - 1) >>> 3;
    const at = words[s + AT]!;
    if (units <= words[s + END]! - at) {
      words[s + AT] = at + units;
      return at * UNIT;
    }
    return this.#allocateFromSpare(units);
  }

  /**
   * Makes sure that the next allocations up to `bytes` in all succeed, each counted rounded up to 8; false, and nothing
   * changed, when the pool has no such run.
   */
  reserve(bytes: number): boolean {
    const words = this.#words;
    const s = this.#state;
    const units = (bytes + UNIT - 1) >>> 3;
    const left = words[s + END]! - words[s + AT]!;
    if (units <= left || units <= words[s + SPARE_END]! - words[s + SPARE_AT]!) return true;
    const { pool } = this;
    let size = pool.runBytes(Math.max(bytes, runBytesAhead(this.bytes)) + RUN_HEADER_BYTES);
    let start = pool.allocate(size);
    if (start < 0) {
      size = pool.runBytes(bytes + RUN_HEADER_BYTES);
      start = pool.allocate(size);
      if (start < 0) return false;
    }
    this.#chain(start / UNIT, size / UNIT);
    // The fuller of the two runs so far is done with.
    if (words[s + SPARE_END]! - words[s + SPARE_AT]! > left) this.#useSpare();
    words[s + SPARE_END] = 0;
    words[s + SPARE_AT] = start / UNIT + HEADER_UNITS;
    words[s + SPARE_END] = (start + size) / UNIT;
    return true;
  }

  /** All runs, newest first. */
  runs(): Run[] {
    const words = this.#words;
    const all: Run[] = [];
    for (let run = words[this.#state + RUNS]!; run !== 0; ) {
      const start = (run - 1) * UNIT;
      all.push({ start, bytes: words[(start >>> 2) | 1]! * UNIT });
      run = words[start >>> 2]!;
    }
    return all;
  }

  /** Puts a run into the chain, its length counted first. */
  #chain(start: number, units: number): void {
    const words = this.#words;
    const s = this.#state;
    words[start * 2] = words[s + RUNS]!;
    words[start * 2 + 1] = units;
    // Counted anew each time, which makes up for a writer that died between the two stores.
    let all = units;
    for (let run = words[s + RUNS]!; run !== 0; run = words[(run - 1) * 2]!) all += words[(run - 1) * 2 + 1]!;
    words[s + UNITS] = all;
    words[s + RUNS] = start + 1;
  }

  #allocateFromSpare(units: number): number {
    if (!this.reserve(units * UNIT)) {
      throw busy('MEMTABLE_MEMORY', `no ${units * UNIT} bytes of memtable memory are left`, {
        wanted: units * UNIT,
        used: this.pool.bytesUsed,
      });
    }
    const words = this.#words;
    const s = this.#state;
    if (units * UNIT <= LARGE_BYTES) {
      this.#useSpare();
      const at = words[s + AT]!;
      words[s + AT] = at + units;
      return at * UNIT;
    }
    const at = words[s + SPARE_AT]!;
    words[s + SPARE_AT] = at + units;
    return at * UNIT;
  }

  /** The spare becomes the current run; the rest of the current one is left unused. */
  #useSpare(): void {
    const words = this.#words;
    const s = this.#state;
    const end = words[s + SPARE_END]!;
    words[s + END] = 0;
    words[s + AT] = words[s + SPARE_AT]!;
    words[s + SPARE_END] = 0;
    words[s + END] = end;
  }
}

function unitsFor(bytes: number): number {
  return Math.ceil(bytes / UNIT);
}
