/**
 * The row cache: values of hot keys as tables hold them, so that a read of one needs no filter, no index and no block.
 *
 * A row is the newest version of a key in the tables of one keyspace's current version, a put that nothing covers, as it is
 * stored: one that expires stays after its time, and who reads it sees that (engine/tree.ts). Its
 * `owner` is a number that the keyspace gives to that version and to no other, so a flush or a compaction makes all rows of
 * the keyspace unfindable at once; what they take is given back in turn. Memtables are asked before. A reader at an
 * older sequence than the row's goes on to the tables. So the cache never answers other than they would.
 *
 * Rows stand in a ring, the oldest leaves; a key gets in when it is found again while the door remembers it. The index is
 * sets of four. Where fewer than one lookup in `WORTH` finds its row, the cache closes for a while: a lookup then
 * costs one countdown, and from time to time it looks again whether there are hot keys now.
 *
 *   row     f64 sequence, u32 place in the index, u32 owner, u16 keyLength, u8 kind, u8 0, u32 valueLength, key, value; a
 *           multiple of 8
 *   filler  a row without a place in the index, up to the end of the memory
 *
 * Owner's thread only. What `find` shows is good until the next `note`. Allocates nothing after the constructor.
 */
import { compareRanges, copyRange } from '../base/bytes.ts';
import type { PointResult } from '../base/entry.ts';
import { sharedMemory } from '../base/shared-memory.ts';

/** Larger rows cost little more when they are read from their block. */
const ROW_BYTES_MAX = 4096;
/** Below this the cache is closed for good. */
const BYTES_MIN = 4 * ROW_BYTES_MAX;
const WAYS = 4;
/** A set is four tags and behind them four places in the ring, in units of 8 bytes + 1; 0 is none. */
const SET_WORDS = WAYS * 2;
/** What a row takes in the ring, to size the index. */
const ROW_BYTES_USUAL = 96;
/** The last key that was found in a table, per bits of its hash. */
const DOOR_BITS = 15;

const HEAD_BYTES = 24;
const PLACE = 2;
const OWNER = 3;
/** And the kind above it. */
const KEY_LENGTH = 4;
const KEY_LENGTH_MASK = 0xffff;
const KIND_SHIFT = 16;
const VALUE_LENGTH = 5;

/** Lookups between two decisions. */
const WINDOW = 4096;
/** A miss costs about a tenth of what a hit saves. */
const WORTH = 8;
/** Lookups that a closed cache lets pass. */
const CLOSED_LOOKUPS = 32 * WINDOW;

export class RowCache {
  readonly #memory: Uint8Array;
  readonly #words: Uint32Array;
  readonly #sequences: Float64Array;
  readonly #index: Int32Array;
  readonly #mask: number;
  readonly #door: Uint16Array;
  /** Of the next row, and of the oldest: bytes ever written and ever left; modulo the size, where they lie. */
  #head = 0;
  #tail = 0;
  #untilDecision = WINDOW;
  #isOpen = true;
  #hits = 0;

  /**
   * @param bytes of rows; the index takes a twelfth more
   * @throws busy `OUT_OF_MEMORY` when the system does not give that much address space
   */
  constructor(bytes: number) {
    const size = bytes < BYTES_MIN ? 0 : Math.floor(bytes / 8) * 8;
    const memory = sharedMemory(size);
    this.#memory = new Uint8Array(memory);
    this.#words = new Uint32Array(memory);
    this.#sequences = new Float64Array(memory);
    let sets = 1;
    while (sets * WAYS * ROW_BYTES_USUAL < size) sets *= 2;
    this.#index = new Int32Array(sets * SET_WORDS);
    this.#mask = sets - 1;
    this.#door = new Uint16Array(1 << DOOR_BITS);
    if (size === 0) {
      this.#isOpen = false;
      this.#untilDecision = Number.MAX_SAFE_INTEGER;
    }
  }

  /** What rows may take. */
  get bytesMax(): number {
    return this.#memory.length;
  }

  /** Bytes of the rows. */
  get bytesUsed(): number {
    return this.#head - this.#tail;
  }

  /** Shall this lookup ask, and note what the tables say? Counts it. */
  asks(): boolean {
    if (--this.#untilDecision <= 0) this.#decide();
    return this.#isOpen;
  }

  #decide(): void {
    this.#isOpen = !this.#isOpen || this.#hits * WORTH >= WINDOW;
    this.#untilDecision = this.#isOpen ? WINDOW : CLOSED_LOOKUPS;
    this.#hits = 0;
  }

  /** True when the row of the key is here and a reader at `sequence` sees it; it is lent through `out`. */
  find(
    owner: number,
    low: number,
    high: number,
    key: Uint8Array,
    start: number,
    end: number,
    sequence: number,
    out: PointResult,
  ): boolean {
    const index = this.#index;
    const tag = tagOf(owner, high);
    const set = (low & this.#mask) * SET_WORDS;
    for (let at = set; at < set + WAYS; at++) {
      const place = index[at + WAYS]!;
      if (index[at]! !== tag || place === 0) continue;
      const row = (place - 1) * 2;
      if (this.#words[row + OWNER]! !== owner) continue;
      const keyStart = row * 4 + HEAD_BYTES;
      const head = this.#words[row + KEY_LENGTH]!;
      const keyEnd = keyStart + (head & KEY_LENGTH_MASK);
      if (compareRanges(this.#memory, keyStart, keyEnd, key, start, end) !== 0) continue;
      const written = this.#sequences[place - 1]!;
      if (written > sequence) return false;
      this.#hits++;
      out.kind = head >>> KIND_SHIFT;
      out.sequence = written;
      out.value = this.#memory;
      out.valueStart = keyEnd;
      out.valueEnd = keyEnd + this.#words[row + VALUE_LENGTH]!;
      return true;
    }
    return false;
  }

  /**
   * The tables have answered a reader who sees all of them with the put in `found`, and nothing covers it. Takes it in when
   * the key was met before.
   */
  note(
    owner: number,
    low: number,
    high: number,
    key: Uint8Array,
    start: number,
    end: number,
    found: PointResult,
  ): void {
    const door = low >>> (32 - DOOR_BITS);
    const mark = tagOf(owner, high) & 0xffff;
    if (this.#door[door]! !== mark) {
      this.#door[door] = mark;
      return;
    }
    const keyLength = end - start;
    const valueLength = found.valueEnd - found.valueStart;
    const bytes = (HEAD_BYTES + keyLength + valueLength + 7) & ~7;
    if (bytes > ROW_BYTES_MAX) return;
    const at = this.#makeRoom(bytes);
    this.#sequences[at / 8] = found.sequence;
    this.#words[at / 4 + OWNER] = owner;
    this.#words[at / 4 + KEY_LENGTH] = keyLength | (found.kind << KIND_SHIFT);
    this.#words[at / 4 + VALUE_LENGTH] = valueLength;
    copyRange(key, start, end, this.#memory, at + HEAD_BYTES);
    copyRange(found.value, found.valueStart, found.valueEnd, this.#memory, at + HEAD_BYTES + keyLength);
    this.#list(at, tagOf(owner, high), low);
  }

  /** Offset of so many bytes, behind the newest row. */
  #makeRoom(bytes: number): number {
    const size = this.#memory.length;
    let at = this.#head % size;
    // A head fits behind every row, so that there is always room for a filler.
    if (at + bytes + HEAD_BYTES > size) {
      this.#leave(this.#head + (size - at));
      this.#words[at / 4 + PLACE] = 0;
      this.#words[at / 4 + KEY_LENGTH] = 0;
      this.#words[at / 4 + VALUE_LENGTH] = size - at - HEAD_BYTES;
      this.#head += size - at;
      at = 0;
    }
    this.#leave(this.#head + bytes);
    this.#head += bytes;
    return at;
  }

  /** The oldest rows leave until the ring may be written up to `head`. */
  #leave(head: number): void {
    const size = this.#memory.length;
    while (head - this.#tail > size) {
      const at = this.#tail % size;
      const row = at / 4;
      const place = this.#words[row + PLACE]!;
      if (place !== 0 && this.#index[place]! === at / 8 + 1) this.#index[place] = 0;
      const keyLength = this.#words[row + KEY_LENGTH]! & KEY_LENGTH_MASK;
      const bytes = HEAD_BYTES + keyLength + this.#words[row + VALUE_LENGTH]!;
      this.#tail += (bytes + 7) & ~7;
    }
  }

  /** Puts a row into its set of the index, in the place of another one when the set is full. */
  #list(at: number, tag: number, low: number): void {
    const index = this.#index;
    const set = (low & this.#mask) * SET_WORDS;
    let way = set + ((at / 8) & (WAYS - 1));
    for (let other = set; other < set + WAYS; other++) if (index[other + WAYS]! === 0) way = other;
    index[way] = tag;
    index[way + WAYS] = at / 8 + 1;
    this.#words[at / 4 + PLACE] = way + WAYS;
  }
}

function tagOf(owner: number, high: number): number {
  return high ^ Math.imul(owner, 0x9e3779b1);
}
